"""The standard variable by which content is asked for, and its values.

Room: `signals`. The variable is OpenTelemetry's, not an option of ours: other instrumentations read it too.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

Mode = Literal["NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
OFF: Final[Mode] = "NO_CONTENT"

LIMIT: Final = 10_000
"""Characters for each attribute, unless option ``content_limit`` says otherwise."""
