"""Records without secrets, for whatever encodes or writes them next.

Room: `export`. Spans, log records and metrics of any scope come in; the same go out, or copies of them where there is
something to hide. What the application holds is never changed. Runs where records are encoded: in a thread of ours.
"""

from __future__ import annotations

import copy
import dataclasses
import secrets
from collections.abc import Iterable, Mapping
from hashlib import blake2s
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import Metric, MetricsData
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, Status

from otel_llm_router import _otel_compat, redaction

_SALT: Final = secrets.token_bytes(16)


def attributes(given: Mapping[str, Any] | None) -> Any:
    """Return attributes without secrets, and the given ones themselves where they have none."""
    if not given:
        return given
    items = given.copy() if isinstance(given, BoundedAttributes) else given  # going through them takes a lock for each
    # A key that is no text is the encoder's to refuse.
    found = {key: redaction.value(str(key), value) for key, value in items.items()}
    if all(found[key] is value for key, value in items.items()):
        return given
    return _otel_compat.attributes_with(given, found) if isinstance(given, BoundedAttributes) else found


def span(given: Any) -> Any:
    """Return a span without secrets; whatever is none is returned as it is."""
    if not isinstance(given, ReadableSpan):
        return given
    name = redaction.text(given.name)
    status = given.status
    description = status.description if status is not None else None  # pyright: ignore[reportUnnecessaryComparison]  # somebody's own span
    said = redaction.text(description) if description else description
    held, events, links = given.attributes, given.events, given.links  # each look may make a new one
    own = attributes(held)
    # A span of a subclass may say of itself what it likes: its copy is a plain one.
    changed = [_event(one) for one in events], [_link(one) for one in links]
    same = all(new is old for new, old in zip((*changed[0], *changed[1]), (*events, *links), strict=True))
    if same and own is held and name == given.name and said == description:
        return given
    return ReadableSpan(
        name,
        given.context,
        given.parent,
        given.resource,
        own,
        _listed(changed[0], given.dropped_events),
        _listed(changed[1], given.dropped_links),
        given.kind,
        status=status if said == description else Status(status.status_code, said),
        start_time=given.start_time,
        end_time=given.end_time,
        instrumentation_scope=given.instrumentation_scope,
    )


def _event(given: Event) -> Event:
    held = given.attributes
    name, own = redaction.text(given.name), attributes(held)
    return given if name == given.name and own is held else Event(name, own, given.timestamp)


def _link(given: Link) -> Link:
    held = given.attributes
    own = attributes(held)
    return given if own is held else Link(given.context, own)


def _listed(items: list[Any], dropped: int) -> Any:
    listed: BoundedList[Any] = BoundedList(None)
    listed.extend(items)
    listed.dropped = dropped
    return listed


def log(given: ReadableLogRecord) -> ReadableLogRecord:
    """Return a log record without secrets."""
    record = given.log_record
    body: Any = redaction.value("", record.body)
    own = attributes(record.attributes)
    name = redaction.text(record.event_name) if record.event_name else record.event_name
    if body is record.body and own is record.attributes and name == record.event_name:
        return given
    record = copy.copy(record)
    record.body, record.attributes, record.event_name = body, own, name
    return dataclasses.replace(given, log_record=record)


def metrics(given: MetricsData) -> MetricsData:
    """Return metrics without secrets in their labels and exemplars."""
    return MetricsData(
        [
            dataclasses.replace(
                of, scope_metrics=[dataclasses.replace(one, metrics=_metrics(one.metrics)) for one in of.scope_metrics]
            )
            for of in given.resource_metrics
        ]
    )


def _metrics(given: Iterable[Metric]) -> list[Metric]:
    found: list[Metric] = []
    for metric in given:
        points = [_point(point) for point in metric.data.data_points]
        if any(new is not old for new, old in zip(points, metric.data.data_points, strict=True)):
            metric = dataclasses.replace(metric, data=dataclasses.replace(metric.data, data_points=points))  # noqa: PLW2901
        found.append(metric)
    return found


def _point(given: Any) -> Any:
    own = _labels(given.attributes)
    exemplars = [_exemplar(one) for one in given.exemplars or ()]
    if own is given.attributes and all(new is old for new, old in zip(exemplars, given.exemplars or (), strict=True)):
        return given
    return dataclasses.replace(given, attributes=own, exemplars=exemplars)


def _exemplar(given: Any) -> Any:
    own = attributes(given.filtered_attributes)
    return given if own is given.filtered_attributes else dataclasses.replace(given, filtered_attributes=own)


def _labels(given: Mapping[str, Any] | None) -> Any:
    """Return labels without secrets, and series that differed by one apart still: a scrape of two equal ones fails."""
    found = attributes(given)
    if found is given or not given:
        return given
    return {key: value if value is given[key] else f"{value} {_mark(given[key])}" for key, value in found.items()}


def _mark(value: object) -> str:
    return blake2s(repr(value).encode("utf-8", "replace"), key=_SALT, digest_size=4).hexdigest()
