"""What the checks look at.

Room: `cli`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._installed import Installed, as_the_application_sees_it
from otel_llm_router.distro import settings
from otel_llm_router.distro.settings import Settings
from otel_llm_router.signals import options

CONFIG_FILE = "OTEL_CONFIG_FILE"


@dataclass(frozen=True)
class Situation:
    """An environment and an installation.

    Args:
        environ: The variables, as they are set.
        installed: The distributions.
        settings: Our options, as they are read from the variables.
        problems: What is wrong with our options.
    """

    environ: Mapping[str, str]
    installed: Installed
    settings: Settings
    problems: tuple[str, ...]

    def effective(self, variable: str) -> str:
        """Return a variable's value, or its default under our distribution; by the specification, empty means unset."""
        return self.environ.get(variable, "") or options.STANDARD_DEFAULTS.get(variable, "")

    @property
    def off(self) -> bool:
        """Whether a kill switch is on."""
        return self.settings.disabled or settings.sdk_disabled(self.environ)

    @property
    def config_file(self) -> str:
        """Path of the declarative configuration, if one is used."""
        return self.environ.get(CONFIG_FILE, "")

    def disabled_instrumentations(self) -> list[str]:
        """Return the names of instrumentations that are switched off."""
        names = self.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
        return [name.strip() for name in names if name.strip()]


Check = Callable[[Situation], Iterable[Finding]]


def here() -> Situation:
    """Return the situation of this process, which is an application's in the same shell."""
    read, problems = settings.read()
    return Situation(dict(os.environ), as_the_application_sees_it(), read, tuple(problems))
