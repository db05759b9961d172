"""Puts the scrape server together: what it answers, who may read it, TLS.

Room: `distro`. Access that cannot be set up as asked opens no door: it stays shut, and the log says why.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING

from otel_llm_router.distro import _debug
from otel_llm_router.export import asgi
from otel_llm_router.export.server import Endpoints, ScrapeServer
from otel_llm_router.signals import options as declared

if TYPE_CHECKING:
    from otel_llm_router.distro.settings import Settings
    from otel_llm_router.export._access import Access
    from otel_llm_router.export._messages import Request, Response
    from otel_llm_router.export._tls import Contexts
    from otel_llm_router.export.scrape import ScrapeReader
    from otel_llm_router.health import Checker

_logger = logging.getLogger("otel_llm_router")


def build(
    settings: Settings, reader: ScrapeReader | None, checker: Checker | None
) -> tuple[Endpoints | None, ScrapeServer | None]:
    """Return the answers, and what serves them on the port and is yet to be started.

    `otel_llm_router.export.asgi.application` serves the answers too. No answers when who may read them cannot be set up
    as asked, which the log says; no server without answers, or when nobody is to listen.
    """
    try:
        asked, tls = access(settings), certificates(settings)
    except (OSError, ValueError) as error:
        _logger.warning(
            "otel-llm-router: no scrape endpoint: who may read it cannot be set up as asked, and it is not opened to "
            "everybody: %s",
            why(error),
        )
        return None, None
    if settings.profiler and asked is None:
        _logger.warning(
            "otel-llm-router: %s is on and stays without effect: nobody is asked who they are. Set %s or %s.",
            declared.PROFILER.env,
            declared.SCRAPE_TOKEN_FILE.env,
            declared.SCRAPE_USERS_FILE.env,
        )
    answers = Endpoints(
        reader,
        checker,
        access=asked,
        cache=settings.scrape_cache,
        debug=lambda: _debug.state(settings),
        profile=_profile if settings.profiler else None,
        metrics_path=settings.scrape_path,
        health_path=settings.health_path,
    )
    asgi.serve(answers)
    if not settings.scrape_listen:
        return answers, None
    if asked is None and not settings.scrape_tls_client_ca and not is_loopback(settings.scrape_host):
        _logger.warning(
            "otel-llm-router: the scrape endpoint listens on %s, and whoever reaches this machine reads it: nobody is asked "
            "who they are. Set %s or %s, or leave %s at 127.0.0.1.",
            settings.scrape_host,
            declared.SCRAPE_TOKEN_FILE.env,
            declared.SCRAPE_USERS_FILE.env,
            declared.SCRAPE_HOST.env,
        )
    return answers, ScrapeServer(answers, host=settings.scrape_host, port=settings.scrape_port, tls=tls)


def _profile(request: Request) -> Response:
    from otel_llm_router.export import _profiling  # noqa: PLC0415  # off by default

    return _profiling.answer(request)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def access(settings: Settings) -> Access | None:
    """Return who may read the server; None for everybody.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file's content is wrong, or options contradict each other.
    """
    token, token_file, users = settings.scrape_token, settings.scrape_token_file, settings.scrape_users_file
    if not (token or token_file or users):
        return None
    from otel_llm_router.export._access import Access  # noqa: PLC0415  # loads what compares secrets

    return Access(token=token, token_file=token_file, users_file=users)


def certificates(settings: Settings) -> Contexts | None:
    """Return what makes TLS contexts; None for plain HTTP.

    Raises:
        OSError: a file cannot be read, or does not hold what it should.
        ValueError: options contradict each other.
    """
    if not settings.scrape_tls_cert:
        if settings.scrape_tls_key or settings.scrape_tls_client_ca:
            raise ValueError(f"{declared.SCRAPE_TLS_CERT.env} is not set, but a key or a CA for clients is")
        return None
    from otel_llm_router.export._tls import Certificates, Contexts  # noqa: PLC0415  # loads ssl

    return Contexts(Certificates(settings.scrape_tls_cert, settings.scrape_tls_key, settings.scrape_tls_client_ca))


def why(error: OSError | ValueError) -> str:
    """Return what is wrong in words, with the file's name and nothing of its content."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else (error.strerror or str(error))
    return str(error)
