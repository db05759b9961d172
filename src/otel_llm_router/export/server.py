"""The scrape server: ``/metrics`` and the health endpoints, in a thread of its own.

Room: `export`. A reader and a health checker come in; HTTP answers go out. A port that is taken is
one warning and costs nothing else.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from otel_llm_router.export import _bodies, _runner
from otel_llm_router.export._messages import Request, Response
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.health import STATES, Checker

if TYPE_CHECKING:
    from otel_llm_router.export._access import Access
    from otel_llm_router.export._tls import Contexts

_logger = logging.getLogger("otel_llm_router")

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

METRICS_PATHS: Final = ("/metrics", "/metrics/json")
HEALTH_PATHS: Final = ("/health", "/health/live", "/health/ready")

PROFILE_PATHS: Final = ("/debug/profile/cpu", "/debug/profile/memory")

ANSWER_SECONDS: Final = 20.0
"""How long an answer may take: a collection asks the application's callbacks, which may hang."""
MAX_ANSWERS: Final = 16
"""Answers under way at once; the ones that hang are among them."""


_WAIT_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 0.5


class Endpoints:
    """The answers of the server.

    Args:
        reader: What ``/metrics`` shows; None where there is none.
        checker: What the health endpoints answer from; None where there is none.
        access: Who may read; None for everyone.
        cache: Seconds for which ``/metrics`` is good; 0 renders each time.
        debug: What ``/debug`` shows; None where there is none.
        profile: Answers what is under ``/debug/profile``, for those who have shown who they are.
        metrics_path: Path in place of ``/metrics``.
        health_path: Path in place of ``/health``.
    """

    def __init__(
        self,
        reader: ScrapeReader | None,
        checker: Checker | None,
        *,
        access: Access | None = None,
        cache: float = 0.0,
        debug: Callable[[], Any] | None = None,
        profile: Callable[[Request], Response] | None = None,
        metrics_path: str = "/metrics",
        health_path: str = "/health",
    ) -> None:
        self._reader = reader
        self._checker = checker
        self._access = access
        self._debug = debug
        self._profile = profile if access is not None and access.asked else None
        self._cache = cache
        self._bodies = _bodies.Bodies(cache)
        paths = (
            *(METRICS_PATHS if reader else ()),
            *(HEALTH_PATHS if checker else ()),
            *(("/debug",) if debug else ()),
            *(PROFILE_PATHS if self._profile else ()),
        )
        self._canonical = {
            path.replace("/metrics", metrics_path, 1).replace("/health", health_path, 1): path for path in paths
        }
        self._slots = threading.BoundedSemaphore(MAX_ANSWERS)
        self._gather_health: Callable[[], Mapping[str, Any]] | None = None

    def gather_health(self, gather: Callable[[], Mapping[str, Any]]) -> None:
        """Answer for all processes of the service: ``gather`` returns what each says of its health, None if nothing."""
        self._gather_health = gather

    def restart(self) -> None:
        """Begin again in a forked child, where nobody answers what its parent was asked."""
        self._slots = threading.BoundedSemaphore(MAX_ANSWERS)
        self._bodies = _bodies.Bodies(self._cache)
        if self._reader is not None:
            self._reader.restart()

    async def __call__(self, request: Request) -> Response:
        """Answer one request; checks and collection run beside the server's own loop."""
        import asyncio  # noqa: PLC0415  # there is a loop by now; a server that nobody asks has none

        waited = 0.0
        while not self._slots.acquire(blocking=False):
            if waited >= ANSWER_SECONDS:
                return Response(503, b"too many requests are being answered\n", TEXT)
            waited += _WAIT_SECONDS
            await asyncio.sleep(_WAIT_SECONDS)
        answered: Future[Response] = Future()
        # A daemon thread: one of an executor's that hangs would keep the process from ending.
        threading.Thread(
            target=self._answer_into, args=(answered, request), name="otel-llm-router-answer", daemon=True
        ).start()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answered), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            _logger.warning("otel-llm-router: no answer to %s within %g s", request.path, ANSWER_SECONDS)
            return Response(503, b"the answer takes too long; a callback of the application may hang\n", TEXT)

    def _answer_into(self, answered: Future[Response], request: Request) -> None:
        try:
            response = self.answer(request)
        finally:
            self._slots.release()
        if answered.set_running_or_notify_cancel():
            answered.set_result(response)

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path.rstrip("/")
        # What an option has moved is nowhere else.
        request = replace(request, path=self._canonical.get(path, "") if path else "/")
        refusal = self._access.refusal(request) if self._access is not None else None
        if refusal is not None:
            return refusal
        if request.method not in {"GET", "HEAD"}:
            return Response(405, b"only GET and HEAD are answered here\n", TEXT, {"allow": "GET, HEAD"})
        try:
            response = self._found(request, path)
        except Exception as error:  # the server outlives any one answer
            _logger.warning("otel-llm-router: %s while answering %s", type(error).__name__, path)
            _logger.debug("while answering %s", path, exc_info=error)
            return Response(500, b"the answer could not be made; the application's log says why\n", TEXT)
        if _bodies.takes_gzip(request.headers.get("accept-encoding", ""), response.body):
            headers = {**response.headers, "content-encoding": "gzip", "vary": "accept-encoding"}
            return replace(response, body=self._bodies.gzipped(response.body), headers=headers)
        return response

    def _found(self, request: Request, asked: str) -> Response:
        reader, path = self._reader, request.path
        if path == "/metrics" and reader is not None:
            accept = request.headers.get("accept", "")
            return Response(200, *self._bodies.get(reader.format_of(accept), lambda: reader.render(accept)))
        if path == "/metrics/json" and reader is not None:
            return Response(200, *self._bodies.get(JSON, lambda: (reader.render_json(), JSON)))
        if path in HEALTH_PATHS and self._checker is not None:
            return self._health(path, self._checker)
        if path == "/debug" and self._debug is not None:
            return Response(200, _json(self._debug()), JSON)
        if path in PROFILE_PATHS and self._profile is not None:
            return self._profile(request)
        if path == "/":
            return Response(200, "\n".join(["otel-llm-router", "", *self._canonical, ""]).encode(), TEXT)
        if reader is None and asked in METRICS_PATHS:
            return Response(404, b"no metrics here: OTEL_METRICS_EXPORTER is without prometheus\n", TEXT)
        return Response(404, b"not found; / lists what there is\n", TEXT)

    def _health(self, path: str, checker: Checker) -> Response:
        if path == "/health/live":
            return Response(200, _json({"status": "alive"}), JSON)
        report = checker.report()
        if self._gather_health is not None:
            report = _of_all(report, self._gather_health())
        answer = report if path == "/health" else {"status": report["status"]}
        return Response(503 if report["status"] == "critical" else 200, _json(answer), JSON)


def _of_all(report: dict[str, Any], workers: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report that is as bad as the worst process; one that does not answer is degraded."""
    if len(workers) < 2:  # noqa: PLR2004  # nobody but this one
        return report
    silent = {"status": "degraded", "failed": {"worker": "no answer from this process"}}
    each = {name: silent if said is None else said for name, said in workers.items()}
    worst = max((report["status"], *(said["status"] for said in each.values())), key=STATES.index)
    return {**report, "status": worst, "workers": each}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, default=str).encode() + b"\n"


listen = _runner.listen


class ScrapeServer:
    """Serves `Endpoints` on one address from a daemon thread.

    Args:
        endpoints: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        tls: Makes the context of each connection; None for plain HTTP.
    """

    def __init__(self, endpoints: Endpoints, *, host: str, port: int, tls: Contexts | None = None) -> None:
        self._endpoints = endpoints
        self._host = host
        self._port = port
        self._tls = tls
        self._runner: _runner.Runner | None = None
        self._thread: threading.Thread | None = None
        self._warned = False
        self._stopped = threading.Event()

    def insist(self) -> str | None:
        """Begin to serve as `start` does; where the port is not to be had, try again until it is, or `stop`."""
        self._stopped.clear()
        url = self.start()
        if url is None:
            threading.Thread(target=self._try_again, name="otel-llm-router-port", daemon=True).start()
        return url

    def _try_again(self) -> None:
        while not self._stopped.wait(_RETRY_SECONDS):
            if self.start() is not None:
                if self._stopped.is_set():
                    self.stop()
                return

    def start(self) -> str | None:
        """Begin to serve; return the URL, or None (said once in the log) when the port is not to be had.

        It may be tried again, and started again after it was stopped.
        """
        try:
            listening = _runner.listen(self._host, self._port)
            self._runner = _runner.Runner(self._endpoints, listening, self._tls)
        except OSError as error:
            if self._warned:
                return None
            self._warned = True
            _logger.warning(
                "otel-llm-router: no scrape endpoint: %s:%s cannot be listened on (%s). The application, OTLP and "
                "instrumentation go on, and it is tried again. Set OTEL_LLM_ROUTER_SCRAPE_PORT to a free port, or "
                "OTEL_LLM_ROUTER_SCRAPE=false to do without.",
                self._host,
                self._port,
                error.strerror or error,
            )
            return None
        host, port = listening.getsockname()[:2]
        self._thread = threading.Thread(
            target=self._serve, args=(self._runner,), name="otel-llm-router-scrape", daemon=True
        )
        self._thread.start()
        scheme = "http" if self._tls is None else "https"
        url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        if self._warned:
            _logger.info("otel-llm-router: the scrape endpoint's port is to be had now: metrics at %s/metrics", url)
        return url

    @staticmethod
    def _serve(runner: _runner.Runner) -> None:
        try:
            runner.run()
        except Exception as error:  # a thread of ours: nobody else would hear of it
            _logger.warning("otel-llm-router: the scrape server stopped: %s", type(error).__name__)
            _logger.debug("the scrape server stopped", exc_info=error)

    def stop(self, timeout: float = 1.0) -> None:
        """Stop serving and free the port, within ``timeout`` seconds."""
        self._stopped.set()
        if self._runner is not None:
            self._runner.stop()
        if self._thread is not None:
            self._thread.join(timeout)
        self._runner = self._thread = None

    def abandon(self) -> None:
        """Close what a forked child has of a server that goes on in its parent; the port is the parent's alone."""
        if self._runner is not None:
            self._runner.abandon()
        self._runner = self._thread = None
        self._endpoints.restart()
