"""Whether the scrape server will have its address, and who else may reach it.

Room: `cli`.
"""

from __future__ import annotations

import errno
import http.client
from collections.abc import Iterator
from typing import Final

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.distro import _server as serving
from otel_llm_router.distro import settings
from otel_llm_router.export import server

CHECK: Final = "scrape"
ASKING_SECONDS: Final = 1.0
"""How long whoever has the port may take to say who it is."""


def check(situation: Situation) -> Iterator[Finding]:
    """Say whether the port is free, ours already, or somebody else's."""
    options = situation.settings
    host, port = options.scrape_host, options.scrape_port
    if not options.scrape:
        yield Finding(CHECK, "ok", "OTEL_LLM_ROUTER_SCRAPE is off: no /metrics, no /health")
        return
    if not situation.config_file and not settings.with_prometheus(situation.environ):
        yield Finding(CHECK, "ok", "OTEL_METRICS_EXPORTER is without prometheus: /health is served and /metrics is not")
    yield _address(host, port)
    yield from _access(options)


def _access(options: settings.Settings) -> Iterator[Finding]:
    """Say who may read what is served, and whether that can be set up as asked."""
    host = options.scrape_host
    try:
        access = serving.access(options)
        tls = serving.certificates(options)
    except (OSError, ValueError) as error:
        yield Finding(
            CHECK,
            "fail",
            f"who may read the scrape server cannot be set up as asked, and it will not start: {serving.why(error)}",
            "correct the OTEL_LLM_ROUTER_SCRAPE_TOKEN, _TOKEN_FILE, _USERS_FILE and _TLS_ options",
        )
        return
    if access is None and not options.scrape_tls_client_ca:
        if not serving.is_loopback(host):
            yield Finding(
                CHECK,
                "warn",
                f"the scrape server listens on {host or 'every address'}, beyond this machine, and asks for no "
                "authentication: whoever reaches it reads /metrics",
                "set OTEL_LLM_ROUTER_SCRAPE_TOKEN_FILE or OTEL_LLM_ROUTER_SCRAPE_USERS_FILE, or "
                "OTEL_LLM_ROUTER_SCRAPE_HOST=127.0.0.1",
            )
    elif tls is None and not serving.is_loopback(host):
        yield Finding(
            CHECK,
            "warn",
            f"the scrape server listens on {host or 'every address'} without TLS: tokens and passwords pass readably",
            "set OTEL_LLM_ROUTER_SCRAPE_TLS_CERT, or let a proxy on this machine speak TLS",
        )
    else:
        yield Finding(CHECK, "ok", "the scrape server asks who its clients are")


def _address(host: str, port: int) -> Finding:
    where = f"{host}:{port}"
    try:
        server.listen(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(host, port)
        return Finding(
            CHECK,
            "fail",
            f"{where} cannot be listened on: {error.strerror or type(error).__name__}",
            "set OTEL_LLM_ROUTER_SCRAPE_HOST to an address of this machine and OTEL_LLM_ROUTER_SCRAPE_PORT to a port "
            "above 1023",
        )
    if port == 0:
        return Finding(CHECK, "ok", f"a free port of {host} will be taken, and the log says which")
    return Finding(CHECK, "ok", f"{where} is free")


def _taken(host: str, port: int) -> Finding:
    where = f"{host}:{port}"
    if _is_ours(host, port):
        return Finding(
            CHECK,
            "ok",
            f"{where} is served by an application under otel-llm-router that runs already; another process of the same "
            "service joins it, and another service would have no /metrics",
            "for another service, set OTEL_LLM_ROUTER_SCRAPE_PORT to another port there",
        )
    return Finding(
        CHECK,
        "fail",
        f"{where} is taken by something else{_holder(port)}: there will be no /metrics and no /health",
        "set OTEL_LLM_ROUTER_SCRAPE_PORT to a free port, or stop what has this one (Prometheus's own default is 9090)",
    )


def _is_ours(host: str, port: int) -> bool:
    """Whether what listens there calls itself by our name."""
    connection = http.client.HTTPConnection(_reached_at(host), port, timeout=ASKING_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read(64).startswith(b"otel-llm-router")
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _reached_at(host: str) -> str:
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound


def _holder(port: int) -> str:
    """Return what process has the port, where the system says so."""
    import psutil  # noqa: PLC0415  # for a taken port only

    try:
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f" (process {one.pid}, {psutil.Process(one.pid).name()})"
    except (psutil.Error, OSError, AttributeError):
        return ""
    return ""
