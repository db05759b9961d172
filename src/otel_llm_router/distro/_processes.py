"""This process among those of its service: what it is, and when it changes or ends.

Room: `distro`. Servers that start worker processes are told from those that serve by looking at them from outside.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from otel_llm_router._otel_compat import resource_of
from otel_llm_router.distro.resource import identity
from otel_llm_router.distro.settings import Settings
from otel_llm_router.export import workers
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.export.server import ScrapeServer
from otel_llm_router.export.workers import Workers
from otel_llm_router.telemetry.instrumenting import guard, when_stopped

_logger = logging.getLogger("otel_llm_router")

_TRACKER: Final = "from multiprocessing.resource_tracker import main"
_FORKSERVER: Final = "from multiprocessing.forkserver import main"

_SUPERVISORS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "uvicorn.supervisors.multiprocess": (("Multiprocess", "run"),),
    "uvicorn.supervisors.basereload": (("BaseReload", "run"),),
    "gunicorn.arbiter": (("Arbiter", "run"),),
}
"""Methods in which a process starts and stops others and does nothing else, by module: class and method."""


def is_helper() -> bool:
    """Return whether this process is one that `multiprocessing` keeps its books with."""
    return any(_TRACKER in argument for argument in sys.orig_argv)


def join(options: Settings, reader: ScrapeReader | None, server: ScrapeServer | None, provider: Any) -> Workers | None:
    """Take part in one scrape of all processes of the service; return None where this one is to be alone.

    Args:
        options: What is wanted.
        reader: What this process counts; None where nothing is scraped.
        server: Serves the scrape when it is this process' turn; None where nobody listens.
        provider: Knows what service this is.
    """
    # A port of its own for each process is no port to share.
    if not options.workers or not workers.AVAILABLE or (options.scrape_port == 0 and server is not None):
        return None
    try:
        directory = workers.private(_key(options, provider), options.runtime_dir)
        found = Workers(directory, reader, server, supervisor=any(_FORKSERVER in one for one in sys.orig_argv))
        if reader is not None:
            reader.show(found.gather)
        found.start()
    except OSError as error:
        if reader is not None:
            reader.show(None)
        _logger.warning(
            "otel-llm-router: worker processes of this service do not find each other, and each serves itself: %s",
            error,
        )
        return None
    with guard("worker processes"):
        _watch(found)
    return found


def _key(options: Settings, provider: Any) -> str:
    who = identity(resource_of(provider).attributes)
    return workers.key(*who, options.scrape_host, str(options.scrape_port), workers.network())


def _watch(found: Workers) -> None:
    import wrapt  # noqa: PLC0415  # the instrumentors import it next

    for module, places in _SUPERVISORS.items():
        for owner, method in places:
            wrapt.when_imported(module)(partial(_before, owner, method, found.manage))
    wrapt.when_imported("hypercorn.run")(partial(_before_hypercorn, found.manage))
    when_stopped(found.leave_behind)  # the process may end by a signal that nobody handles
    wrapt.when_imported("multiprocessing.util")(partial(_at_exit, found.leave_behind))


def _before(owner: str, method: str, manage: Callable[[], None], module: Any) -> None:
    with guard("worker processes"):
        found = getattr(module, owner)
        original = getattr(found, method)

        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            with guard("worker processes"):
                manage()
            return original(self, *args, **kwargs)

        setattr(found, method, run)


def _before_hypercorn(manage: Callable[[], None], module: Any) -> None:
    with guard("worker processes"):
        original = module.run

        def run(config: Any, *args: Any, **kwargs: Any) -> Any:
            with guard("worker processes"):
                if getattr(config, "workers", 0) or getattr(config, "use_reloader", False):
                    manage()
            return original(config, *args, **kwargs)

        module.run = run


def _at_exit(leave_behind: Callable[[], None], module: Any) -> None:
    """Leave behind what was counted when a process of `multiprocessing` ends, which runs no other exit handlers."""

    def register(_: object) -> None:
        with guard("worker processes"):
            module.Finalize(None, leave_behind, exitpriority=-100)

    with guard("worker processes"):
        register(None)
        module.register_after_fork(leave_behind.__self__, register)  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
