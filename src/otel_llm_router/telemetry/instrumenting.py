"""What instrumentations need beside the public API: the guard and the measuring of streams.

Room: `telemetry`. For code in `otel_llm_router.instrumentation`, and for instrumentations that live
elsewhere and want the same care.
"""

from collections.abc import Callable

from otel_llm_router.telemetry import _below, _context
from otel_llm_router.telemetry._attempt import Attempt, Reason, Target
from otel_llm_router.telemetry._below import joined
from otel_llm_router.telemetry._below import owner as owner_of_call
from otel_llm_router.telemetry._caller import key_hash
from otel_llm_router.telemetry._chunks import unlike
from otel_llm_router.telemetry._context import (
    attached,
    current,
    current_attempt,
    joined_request,
    step_back,
    step_in,
    step_out,
    stray,
    with_decision,
)
from otel_llm_router.telemetry._deferred import defer
from otel_llm_router.telemetry._drive import Observer, async_driver, sync_driver
from otel_llm_router.telemetry._errors import classify, of_status
from otel_llm_router.telemetry._guard import guard, guarded, state
from otel_llm_router.telemetry._inbound import Inbound
from otel_llm_router.telemetry._log_events import Access, shares
from otel_llm_router.telemetry._model_files import model_format, model_name, size_on_disk
from otel_llm_router.telemetry._recorder import SCOPE, Recorder
from otel_llm_router.telemetry._request import Request
from otel_llm_router.telemetry._sdk_call import SdkCall
from otel_llm_router.telemetry._streams import PROBE, StreamProbe, carry, is_stream, probe_of, track
from otel_llm_router.telemetry._tally import Tally
from otel_llm_router.telemetry._usage import Usage
from otel_llm_router.telemetry._usage import get as field
from otel_llm_router.telemetry._usage import read as read_usage


def recorder() -> Recorder:
    """Return what the default telemetry records on, for signals that no router event carries."""
    from otel_llm_router import telemetry  # noqa: PLC0415  # the package imports its modules first

    return telemetry.default.recorder


def inbound(model: Callable[[], str]) -> Inbound:
    """Begin an HTTP request to the router on the default telemetry; see `Inbound`."""
    from otel_llm_router import telemetry  # noqa: PLC0415  # the package imports its modules first

    return telemetry.default.inbound(model)


def begin_call(target: Target, *, reason: Reason | None = None) -> Attempt:
    """Begin an attempt for a call that was noticed below the application, where `owner_of_call` knows of none.

    It belongs to the request in flight, or to one of its own that ends with it. Where another instrumentation's
    span of the call is current, it makes none. A call made while a decision
    is open is made in order to decide, whatever ``reason`` says.

    Args:
        target: What is called.
        reason: Why, where the caller knows; ``retry`` counts only outside a request, which knows better.
    """
    from otel_llm_router import telemetry  # noqa: PLC0415  # the package imports its modules first

    return _below.begin(telemetry.default, target, reason=reason)


def claimed(request: Request) -> Attempt | None:
    """Return the attempt of a call that has been answered, if a layer below noticed it and nobody has claimed it yet."""
    return _below.claim(request, failed=False)


def deciding() -> bool:
    """Whether what is called here and now is called in order to decide."""
    return _context.current_decision() is not None


def reading_owner() -> Attempt | None:
    """Return the current attempt if its owner reads the answer itself, usage included, and streams too."""
    attempt = _context.current_attempt()
    return attempt if attempt is not None and attempt.reads_answer else None


def model_loaded(
    model: object,
    name: str,
    *,
    format: str,  # noqa: A002  # the label's name
    size_bytes: float | None,
    seconds: float,
) -> Callable[[], None]:
    """Account for a model that lives in ``model``, until that is collected or what is returned is called.

    Several objects that hold a model of one name are one loaded model, whose memory is that of all of them.
    """
    from otel_llm_router import telemetry  # noqa: PLC0415  # the package imports its modules first

    return telemetry.default.models.hold(model, name, format=format, size_bytes=size_bytes, seconds=seconds)


def set_strict(*, strict: bool) -> None:
    """Let errors of ours be raised (for tests) or counted."""
    state.strict = strict


__all__ = [
    "PROBE",
    "SCOPE",
    "Access",
    "Attempt",
    "Inbound",
    "Observer",
    "Reason",
    "Recorder",
    "SdkCall",
    "StreamProbe",
    "Tally",
    "Target",
    "Usage",
    "async_driver",
    "attached",
    "begin_call",
    "carry",
    "claimed",
    "classify",
    "current",
    "current_attempt",
    "deciding",
    "defer",
    "field",
    "guard",
    "guarded",
    "inbound",
    "is_stream",
    "joined",
    "joined_request",
    "key_hash",
    "model_format",
    "model_loaded",
    "model_name",
    "of_status",
    "owner_of_call",
    "probe_of",
    "read_usage",
    "reading_owner",
    "recorder",
    "set_strict",
    "shares",
    "size_on_disk",
    "step_back",
    "step_in",
    "step_out",
    "stray",
    "sync_driver",
    "track",
    "unlike",
    "with_decision",
]
