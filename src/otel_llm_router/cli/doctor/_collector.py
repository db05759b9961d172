"""Whether what is exported arrives: one test record by the application's own exporters.

Room: `cli`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from typing import Any, Final

from otel_llm_router import _otel_compat
from otel_llm_router.cli.doctor._findings import Finding, Status
from otel_llm_router.cli.doctor._probe import SIGNALS, Answer, Probe, Signal
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.signals import options

CHECK: Final = "collector"

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_WITHOUT: Final = (
    f"start a collector there (otel-llm-router collector run), set {ENDPOINT} to where one listens, or set "
    "OTEL_TRACES_EXPORTER=none, OTEL_LOGS_EXPORTER=none and OTEL_METRICS_EXPORTER=prometheus to do without"
)


def check(situation: Situation) -> Iterator[Finding]:
    """Send one record of each signal that is exported over OTLP, and say what answered."""
    if situation.off:
        yield Finding(CHECK, "ok", "not asked: a kill switch is on")
        return
    if situation.config_file:
        yield Finding(CHECK, "ok", "not asked: the file of OTEL_CONFIG_FILE names the exporters")
        return
    probes: list[Probe] = []
    with _our_defaults():
        for signal in SIGNALS:
            yield from _prepare(signal, probes)
        for probe in probes:
            probe.start()
    answers: dict[tuple[str, Answer], list[str]] = {}
    for probe in probes:
        answers.setdefault((probe.destination, probe.answer()), []).append(probe.signal)
    for (destination, answer), signals in answers.items():
        status, message, suggestion = _verdict(answer)
        yield Finding(CHECK, status, f"{', '.join(signals)} to {destination}: {message}", suggestion)


@contextlib.contextmanager
def _our_defaults() -> Generator[None]:
    """Give the standard variables our defaults, as the distribution does, while exporters are made."""
    missing = {name: value for name, value in options.STANDARD_DEFAULTS.items() if not os.environ.get(name)}
    before = {name: os.environ.get(name) for name in missing}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _prepare(signal: Signal, probes: list[Probe]) -> Iterator[Finding]:
    """Make the exporters of a signal; what cannot be made, or is not asked, is a finding."""
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    try:
        names = [name for name in _otel_compat.exporter_names(signal) if name != "prometheus"]
    except Exception:  # noqa: BLE001  # an unknown protocol
        yield Finding(
            CHECK,
            "fail",
            f"{signal}: OTEL_EXPORTER_OTLP_PROTOCOL (or the one for {signal}) is none that is known",
            "set it to http/protobuf or grpc",
        )
        return
    if not names:
        yield Finding(CHECK, "ok", f"{signal} are not pushed: {variable} names no exporter that does")
    for name in names:
        try:
            classes = _otel_compat.import_exporters(
                [name] if signal == "traces" else [],
                [name] if signal == "metrics" else [],
                [name] if signal == "logs" else [],
            )
        except Exception:  # noqa: BLE001  # a name nobody registered, a missing package
            yield Finding(
                CHECK,
                "fail",
                f"{signal}: there is no exporter {name}, and {signal} are not exported by it",
                f"set {variable} to otlp, or install the package that has {name}",
            )
            continue
        for made_by in [one for group in classes for one in group.values()]:
            yield from _make(signal, name, made_by, probes)


def _make(signal: Signal, name: str, made_by: Any, probes: list[Probe]) -> Iterator[Finding]:
    if not made_by.__module__.startswith("opentelemetry.exporter.otlp.proto."):
        yield Finding(CHECK, "ok", f"{signal} go to exporter {name}, which is not asked")
        return
    try:
        probes.append(Probe(signal, made_by))
    except Exception as error:  # noqa: BLE001  # a bad variable; what is said of it may repeat a secret
        yield Finding(
            CHECK,
            "fail",
            f"{signal}: exporter {name} cannot be made ({type(error).__name__})",
            "one of OTEL_EXPORTER_OTLP_* has a value that cannot be used: a timeout, a compression, a certificate's path",
        )


_HTTP_SUGGESTIONS: Final = {
    401: "it wants credentials: set OTEL_EXPORTER_OTLP_HEADERS",
    403: "it refuses these credentials: look at OTEL_EXPORTER_OTLP_HEADERS",
    404: f"that is no OTLP endpoint: {ENDPOINT} takes the base URL, and /v1/traces and the like are added",
    405: f"that is no OTLP endpoint: is {ENDPOINT} that of another server?",
    415: "it does not take protobuf over HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL to what it takes",
}
_BUSY: Final = frozenset({"HTTP 429", "HTTP 502", "HTTP 503", "HTTP 504", "gRPC RESOURCE_EXHAUSTED"})

_VERDICTS: Final[dict[str, tuple[Status, str, str]]] = {
    "refused": ("fail", "connection refused: nothing listens there", _WITHOUT),
    "unresolved": ("fail", "the name cannot be resolved", f"correct the host in {ENDPOINT}"),
    "timeout": (
        "fail",
        "no answer in time: something is there that does not answer, or a firewall drops what is sent",
        f"look at the collector and the network between; {_WITHOUT}",
    ),
    "reset": (
        "fail",
        "the connection was closed without an answer: it does not speak OTLP over HTTP",
        "port 4317 is for gRPC and 4318 for HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL and the endpoint to match",
    ),
    "tls": (
        "fail",
        "the TLS handshake failed",
        "http:// or https:// as the collector has it; OTEL_EXPORTER_OTLP_CERTIFICATE names the CA's file",
    ),
    "endpoint": ("fail", "the endpoint is no URL that can be used", f"begin {ENDPOINT} with http:// or https://"),
    "gRPC UNAVAILABLE": (
        "fail",
        "gRPC UNAVAILABLE: nothing listens there, or it does not speak gRPC",
        f"port 4317 is for gRPC and 4318 for HTTP; {_WITHOUT}",
    ),
    "gRPC UNAUTHENTICATED": ("fail", "gRPC UNAUTHENTICATED", _HTTP_SUGGESTIONS[401]),
    "gRPC PERMISSION_DENIED": ("fail", "gRPC PERMISSION_DENIED", _HTTP_SUGGESTIONS[403]),
    "gRPC DEADLINE_EXCEEDED": (
        "fail",
        "gRPC DEADLINE_EXCEEDED: no answer in time",
        f"look at the collector and the network between; {_WITHOUT}",
    ),
    "gRPC UNIMPLEMENTED": ("fail", "gRPC UNIMPLEMENTED: it does not take this signal", "add a pipeline for it there"),
}


def _verdict(answer: Answer) -> tuple[Status, str, str]:
    """Return status, message and suggestion for what answered."""
    if answer.arrived:
        return "ok", f"{answer.what}, the test record is accepted", ""
    if answer.what in _BUSY:
        return "warn", f"{answer.what}: it answers, and takes nothing at the moment", "look at the collector's load"
    if answer.what in _VERDICTS:
        return _VERDICTS[answer.what]
    code = int(answer.what[5:]) if answer.what.startswith("HTTP ") else 0
    return (
        "fail",
        f"{answer.what}: the test record is not accepted",
        _HTTP_SUGGESTIONS.get(code, "its log says why; see docs/doctor.md"),
    )
