"""Reads PromQL by its grammar and by the declared instruments, independently of the code that writes it.

`labels_of` walks a parsed expression from its selectors upwards and gives the labels that each series of the
result has. It refuses a metric that nothing declares, a label that a metric does not have, a rate of a gauge,
and an aggregation or a match by a label that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from dashboards.source import collector_series
from otel_llm_router.signals import INSTRUMENTS, Instrument, Kind

TARGET_LABELS = frozenset({"job", "instance"})
COUNTING = ("rate", "increase")


class UnreadableError(AssertionError):
    """An expression that would show nothing, or nonsense, on a Prometheus server."""


def series() -> dict[str, tuple[frozenset[str], Instrument | None]]:
    """Every series name that a server can have from us, with its labels."""
    known: dict[str, tuple[frozenset[str], Instrument | None]] = {"up": (TARGET_LABELS, None)}
    for instrument in INSTRUMENTS:
        labels = frozenset(attribute.key.replace(".", "_") for attribute in instrument.attributes) | TARGET_LABELS
        name = instrument.prometheus_name
        if instrument.kind is Kind.HISTOGRAM:
            known[f"{name}_bucket"] = (labels | {"le"}, instrument)
            known[f"{name}_sum"] = known[f"{name}_count"] = (labels, instrument)
        else:
            known[name] = (labels, instrument)
    return known | {name: (labels | TARGET_LABELS, None) for name, labels in collector_series.SERIES.items()}


SERIES = series()


def parse(text: str) -> promql.Expr:
    return promql.parse(text)


def nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    """The expression and every expression in it."""
    yield expression
    match expression:
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr():
            yield from nodes(expression.expr)
        case promql.BinaryExpr():
            yield from nodes(expression.lhs)
            yield from nodes(expression.rhs)
        case promql.Call():
            for argument in expression.args:
                yield from nodes(argument)
        case promql.MatrixSelector():
            yield from nodes(expression.vector_selector)
        case _:
            pass


def selectors(expression: promql.Expr) -> list[promql.VectorSelector]:
    return [node for node in nodes(expression) if isinstance(node, promql.VectorSelector)]


def metrics(text: str) -> set[str]:
    return {selector.name or "" for selector in selectors(parse(text))}


def matched(text: str, label: str) -> set[str]:
    """The values that an expression selects of a label, alternatives taken apart."""
    matchers = [matcher for selector in selectors(parse(text)) for matcher in selector.matchers.matchers]
    return {value for matcher in matchers if matcher.name == label for value in matcher.value.split("|")}


def matched_each(text: str, label: str) -> list[str]:
    """What each selector selects of a label, in the order of the text."""
    found = [selector.matchers.matchers for selector in selectors(parse(text))]
    return [matcher.value for matchers in found for matcher in matchers if matcher.name == label]


def comparisons(text: str) -> set[tuple[str, float]]:
    """Operator and number of each comparison with a number."""
    return {
        (str(node.op), node.rhs.val)
        for node in nodes(parse(text))
        if isinstance(node, promql.BinaryExpr)
        and isinstance(node.rhs, promql.NumberLiteral)
        and str(node.op) in {">", "<", "==", ">=", "<=", "!="}
    }


def instrument_of(name: str) -> Instrument | None:
    return SERIES[name][1]


def labels_of(text: str) -> frozenset[str]:
    labels = _labels(parse(text))
    assert labels is not None, f"a number, not series: {text}"
    return labels


def _labels(node: promql.Expr) -> frozenset[str] | None:
    """Labels of the result; None for a number."""
    match node:
        case promql.NumberLiteral():
            return None
        case promql.VectorSelector():
            return _selected(node)
        case promql.ParenExpr():
            return _labels(node.expr)
        case promql.AggregateExpr():
            return _aggregated(node)
        case promql.Call():
            return _called(node)
        case promql.BinaryExpr():
            return _combined(node)
        case _:
            raise UnreadableError(f"not expected in our files: {type(node).__name__}")


def _selected(node: promql.VectorSelector) -> frozenset[str]:
    if node.name not in SERIES:
        raise UnreadableError(f"nothing declares {node.name}")
    labels, instrument = SERIES[node.name]
    for matcher in node.matchers.matchers:
        if matcher.name not in labels:
            raise UnreadableError(f"{node.name} has no label {matcher.name}")
        _check_values(instrument, matcher)
    return labels


def _check_values(instrument: Instrument | None, matcher: promql.Matcher) -> None:
    for attribute in instrument.attributes if instrument else ():
        if attribute.key == matcher.name and attribute.values:
            strange = set(matcher.value.split("|")) - set(attribute.values)
            if strange:
                raise UnreadableError(f"{matcher.name} is never {', '.join(sorted(strange))}")


def _aggregated(node: promql.AggregateExpr) -> frozenset[str]:
    inner = _labels(node.expr)
    assert inner is not None, "an aggregation of a number"
    by = frozenset(node.modifier.labels) if node.modifier else frozenset[str]()
    if by - inner:
        raise UnreadableError(f"aggregated by {', '.join(sorted(by - inner))}, which the series do not have")
    return by


def _called(node: promql.Call) -> frozenset[str] | None:
    name = node.func.name
    if name == "time":
        return None
    argument = node.args[-1]
    if name in COUNTING:
        assert isinstance(argument, promql.MatrixSelector)
        labels = _selected(argument.vector_selector)
        if argument.vector_selector.name in collector_series.COUNTERS:
            return labels
        instrument = instrument_of(argument.vector_selector.name or "")
        if instrument is None or instrument.kind not in {Kind.COUNTER, Kind.OBSERVABLE_COUNTER, Kind.HISTOGRAM}:
            raise UnreadableError(f"{name} of {argument.vector_selector.name}, which is no counter")
        return labels
    inner = _labels(argument)
    assert inner is not None, f"{name} of a number"
    if name == "histogram_quantile":
        if "le" not in inner:
            raise UnreadableError("histogram_quantile without the label le")
        return inner - {"le"}
    if name == "absent":
        assert isinstance(argument, promql.VectorSelector)
        return frozenset(matcher.name for matcher in argument.matchers.matchers if matcher.op == promql.MatchOp.Equal)
    raise UnreadableError(f"function not expected in our files: {name}")


def _combined(node: promql.BinaryExpr) -> frozenset[str] | None:
    left, right = _labels(node.lhs), _labels(node.rhs)
    if left is None or right is None:
        return left if right is None else right
    operator = str(node.op).split()[0]
    matching = node.modifier.matching if node.modifier else None
    if matching is None and left != right and operator != "or":
        raise UnreadableError(f"{operator} between {sorted(left)} and {sorted(right)} matches nothing")
    if operator == "or":
        # Only what both sides have is there for certain.
        return left & right
    return left
