"""Opens the audit trail: the file, who this process is, what its configuration is.

Room: `distro`. A trail that cannot be opened as asked is said, and the application goes on without.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otel_llm_router import redaction, telemetry
from otel_llm_router._version import __version__
from otel_llm_router.distro import _debug, _processes
from otel_llm_router.export import _access, _files
from otel_llm_router.signals import Attribute, Instrument, LogEvent, Option, events, options
from otel_llm_router.signals import attributes as a
from otel_llm_router.telemetry.instrumenting import guard, recorder

if TYPE_CHECKING:
    from otel_llm_router.distro.settings import Settings
    from otel_llm_router.logs.audit import Trail

_logger = logging.getLogger("otel_llm_router")

DOCUMENTATION: Final = "docs/audit.md"

_STANDARD: Final = "OTEL_"
_WHO: Final = {
    "service": ("service.name",),
    "version": ("service.version",),
    "environment": ("deployment.environment.name", "deployment.environment"),
}


def begin(settings: Settings, resource: Mapping[str, Any]) -> Trail | None:
    """Begin the audit trail that the options ask for; None where they ask for none, or it cannot be had.

    Args:
        settings: The options.
        resource: Attributes of what is sending.
    """
    if not settings.audit_file or _processes.is_helper():
        return None
    from otel_llm_router.logs import audit  # noqa: PLC0415  # off by default

    try:
        seal = audit.Seal(Path(settings.audit_key_file).read_bytes().strip() if settings.audit_key_file else None)
    except (OSError, ValueError) as error:
        _refuse(
            options.AUDIT_KEY_FILE, settings.audit_key_file, (isinstance(error, OSError) and error.strerror) or error
        )
        return None
    if not audit.AVAILABLE:
        _refuse(options.AUDIT_FILE, settings.audit_file, "there are no file locks on this system")
        return None
    who = {name: next((str(resource[key]) for key in keys if key in resource), "") for name, keys in _WHO.items()}
    trail = audit.Trail(
        Path(settings.audit_file).absolute(),
        seal,
        limit=settings.audit_file_bytes,
        who={**who, "host": str(resource.get("host.name", "")) or socket.gethostname()},
        wanted=frozenset(settings.audit_events.split(",")),
        record=_record,
        emit=_emit,
        export=settings.audit_export,
    )
    telemetry.default.audit_sink = partial(_put, trail, audit.Event)
    tell = partial(_tell, trail, audit.Event)
    _files.watchers.append(partial(_changed, tell))
    _access.watchers.append(partial(_seen, tell))
    trail.configured(partial(_configuration, settings))
    return trail


def end(trail: Trail, settle: Callable[[], object], seconds: float, then: Callable[[], object]) -> None:
    """End the trail with what requests have left, and only then what carries its checkpoint away."""
    with guard("audit"):
        settle()
        trail.close(seconds)
    then()


def _refuse(option: Option, value: str, why: object) -> None:
    _logger.warning(
        "otel-llm-router: no audit trail: %s=%s cannot be used: %s (see %s)", option.env, value, why, DOCUMENTATION
    )


def _put(
    trail: Trail,
    make: Callable[..., Any],
    event: LogEvent,
    attributes: Mapping[Attribute, Any],
    at: int,
    *rest: Any,
) -> None:
    trail.put(make(event, attributes, at, *rest))


def _record(instrument: Instrument, value: int, labels: tuple[str, ...]) -> None:
    with guard("audit"):
        recorder().record(instrument, value, *labels)


def _emit(event: LogEvent, attributes: Mapping[Attribute, Any]) -> None:
    with guard("audit"):
        recorder().emit(event, attributes)


def _tell(trail: Trail, make: Callable[..., Any], event: LogEvent, attributes: Mapping[Attribute, Any]) -> None:
    with guard("audit"):
        trail.put(make(event, attributes, time.time_ns()))


Tell = Callable[[LogEvent, Mapping[Attribute, Any]], None]


def _changed(tell: Tell, path: Path, usable: bool) -> None:
    """Put on record that a file with secrets has changed."""
    action = "reload" if usable else "reload_failed"
    tell(events.AUDIT_CONFIGURATION, {a.AUDIT_ACTION: action, a.AUDIT_RESOURCE: path.name})


def _seen(tell: Tell, path: str, user: str, reason: str) -> None:
    """Put on record who came to the scrape server."""
    found = {
        a.AUDIT_ACTOR: user or None,
        a.AUDIT_RESOURCE: f"scrape server {path}",
        a.AUDIT_OUTCOME: "failure" if reason else "success",
        a.AUDIT_REASON: reason or None,
    }
    tell(events.AUDIT_AUTHENTICATION, found)


def _configuration(settings: Settings, hashed: Callable[[str], str]) -> dict[str, str]:
    """Return the options, the standard variables and versions; secrets as hashes."""
    found = {f"version of {name}": version for name, version in _debug.versions().items()}
    found["version of otel-llm-router"] = __version__
    for option in options.OPTIONS:
        value = getattr(settings, option.name)
        if value != option.default:
            hide = option.secret or (isinstance(value, str) and "@" in value)
            found[option.env] = f"(hash {hashed(str(value))})" if hide else redaction.text(str(value))
    for name, value in sorted(os.environ.items()):
        if name.startswith(_STANDARD) and not name.startswith(options.PREFIX) and value:
            plain = redaction.value(name, value)
            hide = plain != value or "HEADERS" in name or "KEY" in name
            found[name] = f"(hash {hashed(value)})" if hide else value
    return found
