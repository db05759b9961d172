"""The one place that states the version; the build reads it from here.

Asking the installed distribution's metadata instead would cost every start the import of
`importlib.metadata` and a search of the path.
"""

from typing import Final

DISTRIBUTION: Final = "otel-llm-router"
"""Name of the distribution, also the instrumentation scope's and the distro's name in telemetry."""

__version__ = "0.1.0"
