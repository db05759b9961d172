"""Typed PromQL: labels, conditions and the algebra of queries.

Queries come in from `selection`, combined queries go out. What PromQL would accept and answer with
nothing, or with nonsense, is refused: a value outside a closed set, an operator between results of
different labels, a quantile compared with a bound that it cannot reach.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from textwrap import indent
from typing import Final, Literal, TypeAlias

from otel_llm_router.signals import Attribute


class QueryError(ValueError):
    """A query that could never mean what it says."""


class Target(str, Enum):
    """Labels that a scrape adds to every series."""

    JOB = "job"
    INSTANCE = "instance"


Label: TypeAlias = Attribute | Target
Aggregate: TypeAlias = Literal["sum", "max", "min", "avg"]
Operator: TypeAlias = Literal["or", "and", "==", "<", ">", "+", "-", "/", "*"]

_BINDING: Final[Mapping[Operator, int]] = {"or": 1, "and": 2, "==": 3, "<": 3, ">": 3, "+": 4, "-": 4, "/": 5, "*": 5}
_LINE: Final = 110


def label(name: Label) -> str:
    """Give the Prometheus label of an attribute, as both translations write it."""
    return name.value if isinstance(name, Target) else name.key.replace(".", "_")


@dataclass(frozen=True)
class Match:
    """A condition on one declared attribute.

    Args:
        attribute: The attribute.
        values: Values that it may have; more than one become a regular expression.
    """

    attribute: Attribute
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        """The matcher as PromQL writes it."""
        operator = "=" if len(self.values) == 1 else "=~"
        return f'{label(self.attribute)}{operator}"{"|".join(self.values)}"'


def only(attribute: Attribute, *values: str) -> Match:
    """Select the series on which a closed attribute has one of the values.

    Raises:
        QueryError: the attribute never has one of the values.
    """
    strange = sorted(set(values) - set(attribute.values))
    if strange or not values:
        raise QueryError(
            f"{attribute.key} is one of {', '.join(attribute.values)}; not {', '.join(strange) or 'nothing'}"
        )
    return Match(attribute, values)


@dataclass(frozen=True, kw_only=True)
class Query:
    """An instant vector.

    Args:
        text: The query as PromQL writes it.
        labels: Labels that each series of the result has.
        ceiling: Largest value that it can have; the last finite bucket bound for a quantile.
        operator: The operator that was applied last, if any.
    """

    text: str
    labels: frozenset[str] = frozenset()
    ceiling: float = math.inf
    operator: Operator | None = None

    def scaled(self, factor: float) -> Query:
        """Multiply every value."""
        return replace(self, text=_written(self, "*", _number(factor)), operator="*", ceiling=self.ceiling * factor)

    def age(self) -> Query:
        """Give the seconds since each value, which is a point in time."""
        moment = self.text if self.operator is None else _parentheses(self.text)
        return Query(text=f"time() - {moment}", labels=self.labels, operator="-")

    def above(self, threshold: float) -> Query:
        """Keep the series whose value is larger than the threshold.

        Raises:
            QueryError: no value can be.
        """
        if threshold >= self.ceiling:
            raise QueryError(
                f"a quantile from buckets up to {self.ceiling:g} is never larger than {threshold:g}: {self.text}"
            )
        return self._compared(">", threshold)

    def below(self, threshold: float) -> Query:
        """Keep the series whose value is smaller than the threshold."""
        return self._compared("<", threshold)

    def equal_to(self, value: float) -> Query:
        """Keep the series that have the value."""
        return self._compared("==", value)

    def during(self, other: Query) -> Query:
        """Keep the series for which the other query has one with the same labels."""
        return _joined(self, "and", other)

    def over(self, whole: Query) -> Query:
        """Divide by a whole, with no result where the whole is zero.

        A part that has no series yet counts as zero: before the first success, the success ratio of a
        router on which every request fails is 0 and not absent.
        """
        return _joined(_or_zero(self, whole), "/", whole.above(0))

    def beside(self, rest: Query) -> Query:
        """Divide by the sum of this and the rest, each zero while it has no series, as in `over`."""
        part = _or_zero(self, rest)
        return _joined(part, "/", _joined(part, "+", _or_zero(rest, self)).above(0))

    def aggregated(self, how: Aggregate, *, by: Sequence[Label] = ()) -> Query:
        """Aggregate further.

        Raises:
            QueryError: a label is not among those of this query.
        """
        names = [label(name) for name in by]
        missing = sorted(set(names) - self.labels)
        if missing:
            raise QueryError(f"no label {', '.join(missing)} is left in {self.text}")
        return Query(text=aggregation(how, names, self.text), labels=frozenset(names), ceiling=self.ceiling)

    def _compared(self, operator: Operator, number: float) -> Query:
        return replace(self, text=_written(self, operator, _number(number)), operator=operator)


def aggregation(how: Aggregate, names: Sequence[str], inner: str) -> str:
    """Write an aggregation by label names, of all there is where there are none."""
    head = f"{how} by ({', '.join(names)}) " if names else how
    return f"{head}{_parentheses(inner)}"


def _or_zero(part: Query, other: Query) -> Query:
    """Count as zero what only the other query has."""
    return _joined(part, "or", other.scaled(0))


def _joined(left: Query, operator: Operator, right: Query) -> Query:
    if left.labels != right.labels:
        raise QueryError(
            f"{operator} needs the same labels on both sides: {sorted(left.labels)}, {sorted(right.labels)}"
        )
    tighter = right.operator is None or _BINDING[right.operator] > _BINDING[operator]
    text = _written(left, operator, right.text if tighter else _parentheses(right.text))
    return Query(text=text, labels=left.labels, operator=operator)


def _written(left: Query, operator: Operator, right: str) -> str:
    """Write an operation: on one line where that is short or the right is a number, else on two."""
    as_tight = left.operator is None or _BINDING[left.operator] >= _BINDING[operator]
    first = left.text if as_tight else _parentheses(left.text)
    line = f"{first} {operator} {right}"
    short = len(line) <= _LINE or right[0].isdigit()
    return line if short and "\n" not in line else f"{first}\n{operator} {right}"


def _parentheses(text: str) -> str:
    return f"(\n{indent(text, '  ')}\n)" if "\n" in text else f"({text})"


def _number(value: float) -> str:
    return f"{value:g}".replace("e+0", "e")
