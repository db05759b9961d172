"""One call of a provider's SDK, which may try several times: its tries are one request.

Room: `telemetry`. An instrumentation that sees the SDK's call says where it begins and ends; a request that was
begun below for one of its tries does not end with that try's failure, but with the next one, or with the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_llm_router.signals import attributes
from otel_llm_router.telemetry import _context, _guard
from otel_llm_router.telemetry._block import Block

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt
    from otel_llm_router.telemetry._request import Request


class SdkCall(Block):
    """One call of an SDK, as a context manager around it; what it begins inside belongs together."""

    def __init__(self) -> None:
        self._request: Request | None = None
        self._failed: tuple[str, str, int] | None = None
        self._ended = False
        self._inside = self._outside = _context.current()

    def again(self) -> Request | None:
        """Return the request whose last try has failed, for the next one to be its attempt."""
        request = self._request
        self._request = None
        return request if request is not None and not request.ended else None

    def keeps(self, request: Request, attempt: Attempt, now: int) -> bool:
        """Whether ``request`` goes on although ``attempt`` ended at ``now``: the SDK may try again."""
        if self._ended or attempt.outcome != attributes.ERROR:
            return False
        self._request, self._failed = request, (attempt.outcome, attempt.error_type, now)
        return True

    def _begin(self) -> None:
        with _guard.guard("sdk_call.enter"):
            self._inside = _context.with_sdk_call(self, self._outside)
            _context.enter(self._inside)

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002  # what failed, the tries have said
        with _guard.guard("sdk_call.exit"):
            _context.leave(self._inside, self._outside)
            self._inside = self._outside
            self._ended = True
            request = self.again()
            if request is not None and self._failed is not None:
                outcome, error_type, at = self._failed
                request.end(outcome, error_type, at=at)
