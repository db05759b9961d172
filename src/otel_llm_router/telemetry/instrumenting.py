"""What instrumentations need beside the public API: the guard and the measuring of streams.

Room: `telemetry`. For code in `otel_llm_router.instrumentation`, and for instrumentations that live
elsewhere and want the same care.
"""

from otel_llm_router.telemetry._chunks import unlike
from otel_llm_router.telemetry._context import (
    attached,
    current,
    current_attempt,
    step_back,
    step_in,
    step_out,
    stray,
)
from otel_llm_router.telemetry._deferred import defer
from otel_llm_router.telemetry._drive import Observer, async_driver, sync_driver
from otel_llm_router.telemetry._errors import classify, of_status
from otel_llm_router.telemetry._guard import guard, guarded, state
from otel_llm_router.telemetry._recorder import SCOPE, Recorder
from otel_llm_router.telemetry._streams import PROBE, StreamProbe, carry, is_stream, probe_of, track
from otel_llm_router.telemetry._tally import Tally
from otel_llm_router.telemetry._usage import Usage
from otel_llm_router.telemetry._usage import get as field


def recorder() -> Recorder:
    """Return what the default telemetry records on, for signals that no router event carries."""
    from otel_llm_router import telemetry  # noqa: PLC0415  # the package imports its modules first

    return telemetry.default.recorder


def set_strict(*, strict: bool) -> None:
    """Let errors of ours be raised (for tests) or counted."""
    state.strict = strict


__all__ = [
    "PROBE",
    "SCOPE",
    "Observer",
    "Recorder",
    "StreamProbe",
    "Tally",
    "Usage",
    "async_driver",
    "attached",
    "carry",
    "classify",
    "current",
    "current_attempt",
    "defer",
    "field",
    "guard",
    "guarded",
    "is_stream",
    "of_status",
    "probe_of",
    "recorder",
    "set_strict",
    "step_back",
    "step_in",
    "step_out",
    "stray",
    "sync_driver",
    "track",
    "unlike",
]
