"""Health: named checks, each with a time-out, and the overall state they add up to.

Room: `health`. Functions that check something come in; a report and a gauge go out.
"""

from otel_llm_router.health._builtin import builtin_checks
from otel_llm_router.health._checker import Check, Checker, Result

__all__ = ["Check", "Checker", "Result", "builtin_checks"]
