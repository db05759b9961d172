"""The hooks around ``llama_cpp.Llama``.

Room: `instrumentation`. Objects that hold a model come in; loads and unloads go out.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any, Final

from otel_llm_router import telemetry
from otel_llm_router.telemetry.instrumenting import guard, model_format, model_loaded, model_name, size_on_disk

_FORMAT: Final = "gguf"
"""What llama.cpp loads, whatever the file is called."""


class Hooks:
    """Hooks, and what is to be done when a model is closed."""

    def __init__(self) -> None:
        self._open: weakref.WeakKeyDictionary[Any, Callable[[], None]] = weakref.WeakKeyDictionary()

    def made(self, wrapped: Callable[..., None], instance: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        """``Llama.__init__``."""
        began = time.perf_counter_ns()
        path = str(args[0] if args else kwargs.get("model_path", ""))
        name, kind = model_name(path) or "unknown", model_format(path) or _FORMAT
        try:
            wrapped(*args, **kwargs)
        except BaseException as error:
            with guard("llama_cpp.failed"):
                telemetry.model_load(name, format=kind).__exit__(type(error), error, error.__traceback__)
            raise
        with guard("llama_cpp.made"):
            seconds = (time.perf_counter_ns() - began) / 1e9
            size = _size(instance, path)
            self._open[instance] = model_loaded(instance, name, format=kind, size_bytes=size, seconds=seconds)

    def close(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """``Llama.close``, which collecting it calls too."""
        closed = wrapped(*args, **kwargs)
        with guard("llama_cpp.close"):
            gone = self._open.pop(instance, None)
            if gone is not None:
                gone()
        return closed


def _size(instance: Any, path: str) -> float | None:
    """Return the bytes of all tensors as llama.cpp counts them, else of the file."""
    inner: Any = getattr(instance, "_model", None)
    found = inner.size() if callable(getattr(inner, "size", None)) else None
    return found or size_on_disk(path)
