"""The one place that states the version of the installed distribution."""

from importlib import metadata

DISTRIBUTION = "otel-llm-router"
"""Name of the distribution, also the instrumentation scope's and the distro's name in telemetry."""

try:
    __version__ = metadata.version(DISTRIBUTION)
except metadata.PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0.0.0"
