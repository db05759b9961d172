"""The distribution: what ``opentelemetry-instrument`` loads when this package is installed.

Room: `distro`. The only place that assembles: options become an SDK with two doors, and each
instrumentor is loaded so that one that fails does not stop the others.
"""

from otel_llm_router.distro._configurator import Configurator
from otel_llm_router.distro._distro import Distro

__all__ = ["Configurator", "Distro"]
