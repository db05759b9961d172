"""Where a standard OTLP exporter would send, and how, by the standard variables.

Room: `export`. An exporter that the SDK has made of the variables comes in: it has checked them, and says what
is wrong with one. With it comes what a configuration file says, which holds before them. A `Destination` goes out, or
nothing when the exporter is told something that we do not know, and then does its work itself.
"""

from __future__ import annotations

import base64
import contextlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from opentelemetry.util.re import parse_env_headers

from otel_llm_router import _otel_compat
from otel_llm_router._version import DISTRIBUTION, __version__

Signal = Literal["traces", "logs", "metrics"]

DEFAULT_TIMEOUT: Final = 10.0
_MODULES: Final = {"opentelemetry.exporter.otlp.proto.http.": "http", "opentelemetry.exporter.otlp.proto.grpc.": "grpc"}
_PORTS: Final = {("http", False): 4318, ("http", True): 443, ("grpc", False): 4317, ("grpc", True): 443}
_SERVICES: Final = {
    "traces": "trace.v1.TraceService",
    "logs": "logs.v1.LogsService",
    "metrics": "metrics.v1.MetricsService",
}


@dataclass(frozen=True)
class Destination:
    """Where one signal is sent, and how.

    Args:
        protocol: HTTP with protobuf, or gRPC.
        host: Name or address.
        port: Port.
        path: Path and query over HTTP; the method over gRPC.
        tls: Whether the connection is encrypted.
        headers: What is sent with each request; metadata over gRPC. Names in lower case.
        timeout: Seconds that an attempt may take.
        compression: Of requests.
        certificate: File with the certificates that are trusted, in place of the usual ones.
        client_certificate: File with our own certificate.
        client_key: File with its key.
    """

    protocol: Literal["http", "grpc"]
    host: str
    port: int
    path: str
    tls: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float = DEFAULT_TIMEOUT
    compression: Literal["none", "gzip", "deflate"] = "none"
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True)
class Said:
    """What a configuration file says of an exporter; None for what it leaves to the variables, as the SDK does.

    Args:
        headers: As in `Destination`.
        timeout: Seconds.
        compression: As in `Destination`.
        certificate: File.
        client_certificate: File.
        client_key: File.
        insecure: Whether gRPC goes without TLS, where the endpoint does not say it.
    """

    headers: Mapping[str, str] | None = None
    timeout: float | None = None
    compression: Literal["none", "gzip", "deflate"] | None = None
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    insecure: bool | None = None


_NOTHING: Final = Said()


def find(exporter: Any, signal: Signal, said: Said | None = None) -> Destination | None:
    """Return where ``exporter`` sends, or None when it has to do that itself."""
    made_by: type[Any] = exporter.__class__
    protocol = next((name for module, name in _MODULES.items() if made_by.__module__.startswith(module)), None)
    if protocol is None or with_credential_provider():
        return None
    over = _over_http if protocol == "http" else _over_grpc
    with contextlib.suppress(ValueError):
        return over(exporter, signal, said or _NOTHING)
    return None


def _over_http(exporter: Any, signal: Signal, said: Said) -> Destination | None:
    parts = urlsplit(_otel_compat.endpoint_of(exporter))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    tls = parts.scheme == "https"
    headers = {"user-agent": f"{DISTRIBUTION}/{__version__}", **_headers(signal, said)}
    if parts.username is not None:
        userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.setdefault("authorization", "Basic " + base64.b64encode(userinfo.encode()).decode())
    return Destination(
        "http",
        parts.hostname,
        parts.port or (443 if tls else 80),
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        tls,
        headers,
        **_shared(signal, said),
    )


def _over_grpc(exporter: Any, signal: Signal, said: Said) -> Destination | None:
    endpoint = _otel_compat.endpoint_of(exporter)
    if endpoint.startswith(("unix:", "dns:", "ipv4:", "ipv6:", "vsock:", "xds:")) or "/" in endpoint:
        return None
    tls = not (_otel_compat.insecure(exporter) if said.insecure is None else said.insecure)
    parts = urlsplit(f"//{endpoint}")
    if not parts.hostname:
        return None
    path = f"/opentelemetry.proto.collector.{_SERVICES[signal]}/Export"
    headers = {"user-agent": f"{DISTRIBUTION}/{__version__}", **_headers(signal, said)}
    port = parts.port or _PORTS["grpc", tls]
    return Destination("grpc", parts.hostname, port, path, tls, headers, **_shared(signal, said))


def _variable(signal: Signal, name: str) -> str:
    return (
        os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}")
        or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}")
        or ""
    ).strip()


def _headers(signal: Signal, said: Said) -> dict[str, str]:
    headers = said.headers
    if headers is None:
        headers = parse_env_headers(_variable(signal, "HEADERS"), liberal=True)
    return {name.lower(): value for name, value in headers.items()}


def _shared(signal: Signal, said: Said) -> dict[str, Any]:
    compression = said.compression or _variable(signal, "COMPRESSION").lower()
    return {
        "timeout": said.timeout or _timeout(_variable(signal, "TIMEOUT")),
        "compression": compression if compression in {"gzip", "deflate"} else "none",
        "certificate": said.certificate or _variable(signal, "CERTIFICATE") or None,
        "client_certificate": said.client_certificate or _variable(signal, "CLIENT_CERTIFICATE") or None,
        "client_key": said.client_key or _variable(signal, "CLIENT_KEY") or None,
    }


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return DEFAULT_TIMEOUT
    return seconds if math.isfinite(seconds) and seconds > 0 else DEFAULT_TIMEOUT


def with_credential_provider() -> bool:
    """Whether something that is plugged in makes the connection; only the exporter itself can use that."""
    return any(
        "EXPORTER_OTLP" in name and name.endswith("_CREDENTIAL_PROVIDER") and value
        for name, value in os.environ.items()
    )
