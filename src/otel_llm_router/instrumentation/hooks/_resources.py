"""Hooked caches, queues, connections, models, errors, limits and money.

Room: `instrumentation`.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.hooks import _guesses
from otel_llm_router.instrumentation.hooks._actions import Action, Told
from otel_llm_router.instrumentation.hooks._calls import Call
from otel_llm_router.signals import attributes
from otel_llm_router.telemetry.instrumenting import attached, model_format, model_name, size_on_disk


class CacheAction(Told):
    """One look-up in a cache."""

    def end(self, value: Any) -> Any:
        """Count a hit or a miss."""
        call = self.call
        cache = telemetry.cache(call.text("name") or call.place.name)
        near = call.number("similarity")
        hit = call.truth("hit") if call.has("hit") else value is not None
        if not hit:
            cache.miss(similarity=near)
        elif call.has("answers") and not call.truth("answers"):
            with attached(Context()):  # a hit, and nothing to the request
                cache.hit(None, similarity=near, saved_usd=call.number("saved_usd"))
        else:
            cache.hit(value, model=call.text("model") or None, similarity=near, saved_usd=call.number("saved_usd"))
        return value


class EvictionAction(Told):
    """Entries thrown out of a cache."""

    def end(self, value: Any) -> Any:
        """Count them."""
        number = self.call.number("entries") if self.call.has("entries") else 1
        if number is not None and number > 0:
            telemetry.cache(self.call.text("name") or self.call.place.name).evicted(int(number))
        return value


class QueueAction(Action):
    """One wait."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._wait = telemetry.queue(call.text("name") or call.place.name).wait(None)

    def begin(self) -> Context | None:
        """Join the queue."""
        self._wait.join()
        return None

    def end(self, value: Any) -> Any:
        """Leave it, served; a lock that could not be had says False."""
        self._wait.leave(served=value is not False)
        return value

    def fail(self, error: BaseException) -> None:  # noqa: ARG002  # it was not served, whatever it was
        """Leave it."""
        self._wait.leave(served=False)


class ConnectionAction(Action):
    """One connection."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._connection = telemetry.connection(call.text("type") or "http", call.text("protocol") or "http/1.1")

    def begin(self) -> Context | None:
        """Open it."""
        self._connection.open()
        return None

    def end(self, value: Any) -> Any:
        """Close it."""
        self._connection.close()
        return value

    def fail(self, error: BaseException) -> None:  # noqa: ARG002  # a connection that failed is closed too
        """Close it."""
        self._connection.close()


class ModelLoadAction(Action):
    """The loading of a model."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._path = call.text("name") or _guesses.loaded_model(call)
        format = call.text("format") or model_format(self._path) or attributes.UNKNOWN  # noqa: A001
        self._load = telemetry.model_load(model_name(self._path) or attributes.UNKNOWN, format=format)

    def begin(self) -> Context | None:
        """Begin to load."""
        self._load.__enter__()  # left in `end` or `fail`
        return None

    def end(self, value: Any) -> Any:
        """Account for a model that was loaded."""
        size = self.call.number("size_bytes")
        self._load.size_bytes = size if size is not None else size_on_disk(self._path)
        self._load.__exit__(None, None, None)
        return value

    def fail(self, error: BaseException) -> None:
        """Account for a model that was not."""
        self._load.__exit__(type(error), error, error.__traceback__)


class ModelUnloadAction(Told):
    """The unloading of a model."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        # Before the call: afterwards the object may not know any more what it was.
        self._path = call.text("name") or _guesses.loaded_model(call)

    def end(self, value: Any) -> Any:
        """Account for it."""
        if self._path:
            telemetry.model_unloaded(model_name(self._path))
        return value


class ErrorAction(Told):
    """An error that the application handles itself."""

    def end(self, value: Any) -> Any:
        """Count it."""
        call = self.call
        given = (one for one in call.args.given() if isinstance(one, BaseException))
        error = call.value("error") if call.has("error") else next(given, None)
        if isinstance(error, BaseException):
            telemetry.error(error, component=call.text("component") or "application")
        elif call.truth("error"):
            telemetry.error("internal", component=call.text("component") or "application")
        return value


class RateLimitedAction(Told):
    """A client turned away over its limit."""

    def end(self, value: Any) -> Any:
        """Count it."""
        telemetry.rate_limited(self.call.text("scope") or attributes.UNKNOWN, kind=self.call.text("type") or "requests")
        return value


class AuthFailureAction(Told):
    """A client turned away for its credentials."""

    def end(self, value: Any) -> Any:
        """Count it."""
        telemetry.auth_failure(self.call.text("reason") or "invalid")
        return value


class BudgetAction(Told):
    """A budget stated."""

    def end(self, value: Any) -> Any:
        """State it."""
        call = self.call
        telemetry.budget(
            call.text("scope") or attributes.UNKNOWN,
            limit_usd=call.number("limit_usd"),
            spent_usd=call.number("spent_usd"),
        )
        return value


class SavedAction(Told):
    """Money that was not spent."""

    def end(self, value: Any) -> Any:
        """Count it."""
        call = self.call
        telemetry.saved(call.number("usd"), by=call.text("by") or "routing", model=call.text("model") or None)
        return value
