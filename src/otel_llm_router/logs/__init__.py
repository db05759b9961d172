"""Log records as lines: streams, formats, files.

Room: `logs`. OpenTelemetry log records come in, from whatever emits them; lines of JSON, or of text for a terminal, go out.

**How a record gets into a stream.** A record is an OpenTelemetry log record, emitted once on the logger provider; from there it
leaves over OTLP and is written to the files, each where that is asked for. It belongs to exactly one stream:

- `access`, `audit`, `metrics`: by the event that it is. Declare it in `otel_llm_router.signals.events` with ``stream="audit"``, and emit
  it with ``telemetry.instrumenting.recorder().emit(events.MINE, {attributes.X: value}, context)``. Events that are called
  ``llm_router.audit.*`` belong to `audit` whether they are declared or not.
- `error`: any other record from severity ERROR on, of the application's own as well.
- `application`: all the rest.

`stream_of` says which. `Streams.divert` gives the records of one stream to a function, as the fields that the line would have had, in
the thread that writes, in place of the stream's file; for what has to be on disk before its cause goes on, write first and emit then.
"""

from otel_llm_router.logs._formats import Format, as_json, pretty
from otel_llm_router.logs._places import STANDARD, Place, is_directory, place
from otel_llm_router.logs._processor import Accounts, Streams
from otel_llm_router.logs._streams import AUDIT, STREAMS, stream_of

__all__ = [
    "AUDIT",
    "STANDARD",
    "STREAMS",
    "Accounts",
    "Format",
    "Place",
    "Streams",
    "as_json",
    "is_directory",
    "place",
    "pretty",
    "stream_of",
]
