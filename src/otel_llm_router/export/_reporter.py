"""Says what becomes of what is exported: to the counts each time, to people once.

Room: `export`.
"""

from __future__ import annotations

import logging
import re
import socket
from typing import Final
from urllib.parse import urlsplit

from otel_llm_router.export._accounts import Accounts

_logger = logging.getLogger("otel_llm_router")

_CODE: Final = re.compile(r"code: ([1-5]\d\d)|StatusCode\.([A-Z_]+)")

_EXPLANATIONS: Final = {
    "refused": "nothing listens there (connection refused) or the name cannot be resolved",
    "timeout": "no answer in time",
    "disconnected": "it closes the connection without an answer",
    "tls": "the TLS handshake failed; OTEL_EXPORTER_OTLP_CERTIFICATE names the file of certificates to trust",
    "rejected": "it does not accept them",
    "redirect": "it is sent elsewhere, as a proxy or a login page does, and that is not followed",
    "too_large": "it takes no request as large as one of them",
    "encoding": "they cannot be encoded",
    "endpoint": "the endpoint does not begin with http:// or https://",
}
_GO_WITHOUT: Final = (
    "Set OTEL_EXPORTER_OTLP_ENDPOINT to where a collector listens, or OTEL_TRACES_EXPORTER=none, "
    "OTEL_LOGS_EXPORTER=none and OTEL_METRICS_EXPORTER=prometheus to do without. (Said once until it answers.)"
)


class Reporter:
    """Says once what is wrong with each destination, and once that it is right again.

    Args:
        accounts: Counts.
        go_without: How to say where a collector listens, or to do without, for people.
    """

    def __init__(self, accounts: Accounts, go_without: str = _GO_WITHOUT) -> None:
        self.accounts = accounts
        self._go_without = go_without
        self._failing: set[str] = set()

    def failed(self, signal: str, destination: str, why: str, lost: int) -> None:
        """Account for an export that a standard exporter failed at; ``why`` is in its words."""
        reason = classify(why)
        if reason == "timeout" and "max retries" in why and not _listens(destination):
            reason = "refused"  # the exporter's last word is the same for both
        code = _CODE.search(why)
        self.accounts.failed(signal, reason)
        if lost:
            self.accounts.dropped(signal, reason, lost)
        self._say(
            signal,
            destination,
            "endpoint" if _without_scheme(destination, why) else reason,
            (code.group(1) or code.group(2)) if code else "",
            "what cannot be delivered is lost and counted in llm_router.telemetry.dropped",
        )

    def put_off(self, signal: str, destination: str, reason: str, code: str) -> None:
        """Account for an attempt that is made again later."""
        self.accounts.failed(signal, reason)
        what = (
            "metrics are sent again with the next ones"
            if signal == "metrics"
            else "it is sent again until it arrives; what the queue has no room for is lost, the oldest first, and "
            "counted in llm_router.telemetry.dropped"
        )
        self._say(signal, destination, reason, code, what)

    def refused(self, signal: str, destination: str, reason: str, code: str, lost: int) -> None:
        """Account for records that will never be taken."""
        self.accounts.failed(signal, reason)
        if lost:
            self.accounts.dropped(signal, reason, lost)
        self._say(signal, destination, reason, code, "what it does not take is counted in llm_router.telemetry.dropped")

    def left_behind(self, signal: str, destination: str, lost: int) -> None:
        """Account for records that the process ends with."""
        self.accounts.dropped(signal, "shutdown", lost)
        _logger.warning(
            "otel-llm-router: the process ends with %d records of %s that the collector at %s has not taken in time "
            "(OTEL_LLM_ROUTER_EXIT_BUDGET)",
            lost,
            signal,
            destination,
        )

    def left_on_disk(self, signal: str, destination: str, records: int) -> None:
        """Account for records that the next process of the service delivers."""
        _logger.warning(
            "otel-llm-router: the process ends with %d records of %s on disk that the collector at %s has not taken yet; "
            "the next process of this service delivers them (OTEL_LLM_ROUTER_SPOOL_DIR)",
            records,
            signal,
            destination,
        )

    def delivered(self, destination: str) -> None:
        """Account for a successful export."""
        if destination in self._failing:
            self._failing.discard(destination)
            _logger.warning("otel-llm-router: the collector at %s answers again", destination)

    def _say(self, signal: str, destination: str, reason: str, code: str, then: str) -> None:
        if destination in self._failing:
            return
        self._failing.add(destination)
        # Never an exporter's whole message, which may repeat a URL's credentials.
        why = _EXPLANATIONS.get(reason, "it failed") + (f" (answered {code})" if code else "")
        _logger.warning(
            "otel-llm-router: cannot deliver %s to the collector at %s: %s. The application goes on; %s. %s",
            signal,
            destination,
            why,
            then,
            self._go_without,
        )


def _without_scheme(destination: str, why: str) -> bool:
    """Whether an endpoint for HTTP was written as one for gRPC."""
    return "://" not in destination and "StatusCode" not in why and "No connection adapters" in why


def classify(why: str) -> str:
    """Return the reason label for a standard exporter's own words."""
    words = why.lower()
    if "code: 4" in words or "code: 5" in words:
        return "rejected"
    if "refused" in words or "resolve" in words or "name or service" in words or "unavailable" in words:
        return "refused"
    if "timed out" in words or "timeout" in words or "deadline" in words:
        return "timeout"
    return "encoding" if "encode" in words or "serializ" in words else "other"


def _listens(destination: str) -> bool:
    """Whether something accepts connections at a destination."""
    parts = urlsplit(destination if "://" in destination else f"//{destination}")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=0.2):
            return True
    except (OSError, ValueError):
        return False
