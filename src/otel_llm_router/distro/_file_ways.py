"""The ways out that a configuration file names, and which of them ours can go.

Room: `distro`. The model of the file comes in, as opentelemetry-configuration has read it. Looks only: nothing is made, so
that `otel-llm-router doctor` can say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from otel_llm_router.export._destination import Said, Signal, with_credential_provider
from otel_llm_router.export._pushing import Asked
from otel_llm_router.export._worker import Batching

Kind = Literal["batch", "simple", "periodic", "pull"]

_PLACES: Final[tuple[tuple[Signal, str, str, tuple[Kind, Kind]], ...]] = (
    ("traces", "tracer_provider", "processors", ("batch", "simple")),
    ("logs", "logger_provider", "processors", ("batch", "simple")),
    ("metrics", "meter_provider", "readers", ("periodic", "pull")),
)
_OURS: Final = frozenset({"otlp_http", "otlp_grpc"})
_UNBOUNDED: Final = 86_400.0
"""Seconds in the place of no limit: the exporter has its own."""


@dataclass(frozen=True)
class Way:
    """One processor or reader of the file.

    Args:
        signal: What goes there.
        kind: Of processor or reader.
        model: What the file says of it.
        exporter: Name of its exporter.
        spooled: Whether it has the disk, where there is one.
    """

    signal: Signal
    kind: Kind
    model: Any
    exporter: str
    spooled: bool

    @property
    def over_otlp(self) -> bool:
        """Whether it goes to a collector."""
        return self.exporter in _OURS

    @property
    def why_not_ours(self) -> str:
        """Why our queue and delivery do not take its exporter's place; nothing where they do."""
        if self.kind == "pull":
            return "it is asked, and sends nothing"
        if not self.over_otlp:
            return "that is no OTLP over HTTP or gRPC"
        if self.kind == "simple":
            return "a simple processor sends while the application waits; write batch in the file"
        return "a credential provider makes its connection" if with_credential_provider() else ""

    def __str__(self) -> str:
        """Return its name for people."""
        return f"{self.signal} to {self.exporter} ({self.kind})"

    def asked(self) -> Asked:
        """Return what the file asks of it, in our terms.

        Raises:
            ValueError: the SDK would not take it either.
        """
        said = _said(getattr(self.model.exporter, self.exporter))
        if self.kind == "periodic":
            interval, timeout = milliseconds(self.model)
            return Asked(said, interval=interval / 1000, timeout=timeout / 1000 or _UNBOUNDED, spooled=self.spooled)
        limit, size, delay = (
            getattr(self.model, name) for name in ("max_queue_size", "max_export_batch_size", "schedule_delay")
        )
        usual = Batching()
        size = size or min(usual.size, limit or usual.size)
        if limit and size > limit:
            raise ValueError(f"max_export_batch_size ({size}) is more than max_queue_size ({limit})")
        return Asked(
            said, Batching(size, usual.delay if delay is None else delay / 1000, limit or None), spooled=self.spooled
        )


def milliseconds(model: Any) -> tuple[float, float]:
    """Return interval and timeout of a periodic reader.

    Raises:
        ValueError: the interval is nothing.
    """
    interval: float = 60_000 if model.interval is None else model.interval
    if interval <= 0:
        raise ValueError("interval of a periodic reader has to be above 0")
    return interval, 30_000 if model.timeout is None else model.timeout


def ways(config: Any) -> Iterator[Way]:
    """Yield what a file names, in its order; what is of no known kind is left out."""
    for signal, _section, _name, model, kinds in _listed(config):
        spooled = True
        for one in model:
            kind = _kind(one, kinds)
            if kind is not None:
                asked = getattr(one, kind)
                way = Way(signal, kind, asked, _exporter(asked.exporter), spooled)
                spooled = spooled and bool(way.why_not_ours)
                yield way


def take(config: Any) -> None:
    """Take the ways out of the model; what is of no known kind stays in it."""
    for _signal, section, name, model, kinds in _listed(config):
        setattr(section, name, [one for one in model if _kind(one, kinds) is None])


def _listed(config: Any) -> Iterator[tuple[Signal, Any, str, list[Any], tuple[Kind, Kind]]]:
    for signal, of, name, kinds in _PLACES:
        section = getattr(config, of, None)
        if section is not None:
            yield signal, section, name, list(getattr(section, name, None) or ()), kinds


def _kind(one: Any, kinds: tuple[Kind, Kind]) -> Kind | None:
    return next((kind for kind in kinds if getattr(one, kind, None) is not None), None)


def _exporter(model: Any) -> str:
    """Return the name of an exporter; the schema allows one of them."""
    held = cast("dict[str, Any]", vars(model))
    others = cast("dict[str, Any]", held.get("additional_properties") or {})
    names = [name for name, value in held.items() if value is not None and name != "additional_properties"]
    return next(iter([*names, *others]), "no exporter")


def _said(model: Any) -> Said:
    tls = model.tls
    endpoint = model.endpoint or ""
    compressions: tuple[Literal["none", "gzip", "deflate"], ...] = ("none", "gzip", "deflate")
    compression = str(model.compression or "").lower()
    return Said(
        headers=_headers(model),
        timeout=model.timeout / 1000 if model.timeout else None,
        compression=next((one for one in compressions if one == compression), None),
        certificate=getattr(tls, "ca_file", None),
        client_certificate=getattr(tls, "cert_file", None),
        client_key=getattr(tls, "key_file", None),
        insecure=getattr(tls, "insecure", None) if endpoint and "://" not in endpoint else None,
    )


def _headers(model: Any) -> dict[str, str] | None:
    """Return the headers that a file names, each of which holds before one of its list; None where it names none."""
    if model.headers is None and model.headers_list is None:
        return None
    pairs = [one.partition("=") for one in (model.headers_list or "").split(",") if "=" in one]
    found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return found | {one.name.lower(): one.value or "" for one in model.headers or ()}
