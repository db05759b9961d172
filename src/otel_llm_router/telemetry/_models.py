"""Models that a router loads and unloads itself.

Room: `telemetry`. Loads and unloads come in; load times, loaded models and their memory go out.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, events
from otel_llm_router.signals.instruments import requests, resources
from otel_llm_router.telemetry import _deferred, _errors, _guard
from otel_llm_router.telemetry._block import Block

if TYPE_CHECKING:
    from otel_llm_router.telemetry._holdings import Holdings

SMALL: Final = 1e9
MEDIUM: Final = 10e9
LARGE: Final = 50e9


def size_category(size_bytes: float) -> str:
    """Return the size category of requirement A1 for a model of ``size_bytes``."""
    if size_bytes < SMALL:
        return "small"
    if size_bytes < MEDIUM:
        return "medium"
    return "large" if size_bytes < LARGE else "xlarge"


class Models:
    """The models that are loaded now."""

    def __init__(self, telemetry: Holdings) -> None:
        self._telemetry = telemetry
        self._loaded: dict[str, tuple[str, str]] = {}
        self._held: dict[str, dict[object, float]] = {}
        self._lock = threading.RLock()  # a finaliser may come by in the thread that holds it

    def loaded(self, name: str, *, format: str, size_bytes: float | None, seconds: float | None) -> None:  # noqa: A002  # the label's name
        """Account for a model that was loaded."""
        telemetry, size = self._telemetry, _sanitize.finite(size_bytes)
        name, format = _sanitize.text(name), _sanitize.text(format or attributes.UNKNOWN)  # noqa: A001
        telemetry.recorder.bounds.vouch(attributes.MODEL, name)
        if seconds is not None:
            telemetry.recorder.record(resources.MODEL_LOAD_DURATION, max(0, seconds), name, format)
        self.unloaded(name, quietly=True)
        category = size_category(size or 0)
        with self._lock:
            self._loaded[name] = (format, category)
        telemetry.gauges.add(resources.MODELS_LOADED, 1, format, category)
        telemetry.gauges.set(resources.MODEL_MEMORY, size, name, format)
        telemetry.recorder.emit(events.MODEL_LOADED, {attributes.MODEL: name, attributes.FORMAT: format})

    def unloaded(self, name: str, *, quietly: bool = False) -> None:
        """Account for a model that was unloaded; a model that was not loaded is ignored."""
        telemetry, name = self._telemetry, _sanitize.text(name)
        with self._lock:
            known = self._loaded.pop(name, None)
        if known is None:
            return
        format, category = known  # noqa: A001
        # The count stays as a series at 0, so that "no models loaded" can be alerted on.
        telemetry.gauges.add(resources.MODELS_LOADED, -1, format, category)
        telemetry.gauges.remove(resources.MODEL_MEMORY, name, format)
        if not quietly:
            telemetry.recorder.emit(events.MODEL_UNLOADED, {attributes.MODEL: name, attributes.FORMAT: format})

    def hold(
        self,
        model: object,
        name: str,
        *,
        format: str,  # noqa: A002
        size_bytes: float | None,
        seconds: float | None,
    ) -> Callable[[], None]:
        """Account for a model until the object that holds it is collected, or what is returned is called.

        Objects that hold a model of the same name are one model, whose memory is that of all of them.
        """
        name, format, size = _sanitize.text(name), _sanitize.text(format), _sanitize.finite(size_bytes)  # noqa: A001
        token = object()
        with self._lock:
            held = self._held.setdefault(name, {})
            held[token] = size or 0
            total = sum(held.values())
        self.loaded(name, format=format, size_bytes=total or None, seconds=seconds)
        # Not at exit: a process that ends has not unloaded anything.
        gone = weakref.finalize(model, _deferred.defer, partial(self._let_go, name, format, token))
        gone.atexit = False
        return lambda: gone() and None

    def _let_go(self, name: str, format: str, token: object) -> None:  # noqa: A002
        with self._lock:
            held = self._held.get(name, {})
            held.pop(token, None)
            total = sum(held.values())
            if not held:
                self._held.pop(name, None)
        if held:
            self._telemetry.gauges.set(resources.MODEL_MEMORY, total, name, format)
        else:
            self.unloaded(name)

    def failed(self, name: str, *, format: str, error: BaseException) -> None:  # noqa: A002
        """Account for a model that could not be loaded."""
        recorder, error_type = self._telemetry.recorder, _errors.classify(error)
        recorder.record(requests.ERRORS, 1, error_type, "model", "error")
        recorder.emit(
            events.MODEL_LOAD_FAILED,
            {attributes.MODEL: name, attributes.FORMAT: format, attributes.ERROR_TYPE_SPAN: error_type},
        )


class ModelLoad(Block):
    """The loading of one model, as a context manager around it.

    Set `size_bytes` inside the block once the size is known.
    """

    def __init__(self, models: Models, name: str, format: str) -> None:  # noqa: A002
        self.size_bytes: float | None = None
        self._models = models
        self._name = name
        self._format = format
        self._began = 0

    def _begin(self) -> None:
        self._began = time.perf_counter_ns()

    def _finish(self, error: BaseException | None) -> None:
        with _guard.guard("model_load"):
            if error is not None:
                self._models.failed(self._name, format=self._format, error=error)
                return
            self._models.loaded(
                self._name,
                format=self._format,
                size_bytes=self.size_bytes,
                seconds=(time.perf_counter_ns() - self._began) / 1e9,
            )
