"""The scrape server: ``/metrics`` and the health endpoints, in a thread of its own.

Room: `export`. A reader and a health checker come in; HTTP answers go out. A port that is taken is
one warning and costs nothing else.
"""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import Future
from typing import Any, Final

from otel_llm_router.export import _runner
from otel_llm_router.export._messages import Request, Response
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.health import Checker

_logger = logging.getLogger("otel_llm_router")

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

HEALTH_PATHS: Final = ("/health", "/health/live", "/health/ready")

ANSWER_SECONDS: Final = 20.0
"""How long an answer may take: a collection asks the application's callbacks, which may hang."""
MAX_ANSWERS: Final = 16
"""Answers under way at once; the ones that hang are among them."""


_WAIT_SECONDS: Final = 0.02


class Endpoints:
    """The answers of the server.

    Args:
        reader: What ``/metrics`` shows; None where there is none.
        checker: What the health endpoints answer from; None where there is none.
    """

    def __init__(self, reader: ScrapeReader | None, checker: Checker | None) -> None:
        self._reader = reader
        self._checker = checker
        self._paths = (*(("/metrics",) if reader else ()), *(HEALTH_PATHS if checker else ()))
        self._slots = threading.BoundedSemaphore(MAX_ANSWERS)

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
        if request.method not in {"GET", "HEAD"}:
            return Response(405, b"only GET and HEAD are answered here\n", TEXT, {"allow": "GET, HEAD"})
        path = request.path.rstrip("/") or "/"
        try:
            if path == "/metrics" and self._reader is not None:
                body, content_type = self._reader.render(request.headers.get("accept", ""))
                return Response(200, body, content_type)
            if path in HEALTH_PATHS and self._checker is not None:
                return self._health(path, self._checker)
        except Exception as error:  # the server outlives any one answer
            _logger.warning("otel-llm-router: %s while answering %s", type(error).__name__, path)
            _logger.debug("while answering %s", path, exc_info=error)
            return Response(500, b"the answer could not be made; the application's log says why\n", TEXT)
        if path == "/":
            return Response(200, "\n".join(["otel-llm-router", "", *self._paths, ""]).encode(), TEXT)
        if path == "/metrics":
            return Response(404, b"no metrics here: OTEL_METRICS_EXPORTER is without prometheus\n", TEXT)
        return Response(404, b"not found; / lists what there is\n", TEXT)

    @staticmethod
    def _health(path: str, checker: Checker) -> Response:
        if path == "/health/live":
            return Response(200, _json({"status": "alive"}), JSON)
        report = checker.report()
        answer = report if path == "/health" else {"status": report["status"]}
        return Response(503 if report["status"] == "critical" else 200, _json(answer), JSON)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, default=str).encode() + b"\n"


listen = _runner.listen


class ScrapeServer:
    """Serves `Endpoints` on one address from a daemon thread.

    Args:
        endpoints: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(self, endpoints: Endpoints, *, host: str, port: int) -> None:
        self._endpoints = endpoints
        self._host = host
        self._port = port
        self._runner: _runner.Runner | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str | None:
        """Begin to serve; return the URL, or None (said once in the log) when the port is not to be had."""
        try:
            listening = _runner.listen(self._host, self._port)
            self._runner = _runner.Runner(self._endpoints, listening)
        except OSError as error:
            _logger.warning(
                "otel-llm-router: no scrape endpoint: %s:%s cannot be listened on (%s). The application, OTLP and "
                "instrumentation go on. Set OTEL_LLM_ROUTER_SCRAPE_PORT to a free port, or "
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
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @staticmethod
    def _serve(runner: _runner.Runner) -> None:
        try:
            runner.run()
        except Exception as error:  # a thread of ours: nobody else would hear of it
            _logger.warning("otel-llm-router: the scrape server stopped: %s", type(error).__name__)
            _logger.debug("the scrape server stopped", exc_info=error)

    def stop(self, timeout: float = 1.0) -> None:
        """Stop serving and free the port, within ``timeout`` seconds."""
        if self._runner is not None:
            self._runner.stop()
        if self._thread is not None:
            self._thread.join(timeout)
