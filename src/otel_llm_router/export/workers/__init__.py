"""One truthful scrape for all processes of a service on one host.

Room: `export.workers`. Each process says what it counted to whoever asks at its socket in a private directory, and
leaves it there in a file. One of them has the port: at a scrape it asks all the others and adds up. What ended
processes counted stays, in one file.
"""

from otel_llm_router._file_locks import AVAILABLE
from otel_llm_router.export.workers._directory import DirectoryError, key, network, private
from otel_llm_router.export.workers._gather import Gathered
from otel_llm_router.export.workers._group import Workers

__all__ = ["AVAILABLE", "DirectoryError", "Gathered", "Workers", "key", "network", "private"]
