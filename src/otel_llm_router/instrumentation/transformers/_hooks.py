"""The hook around ``PreTrainedModel.from_pretrained``.

Room: `instrumentation`. Names and paths of models come in, and what was loaded; loads and unloads go out.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from otel_llm_router import telemetry
from otel_llm_router.telemetry.instrumenting import guard, model_loaded, model_name, size_on_disk

_FILES: Final = (
    ("safetensors", "model.safetensors"),
    ("safetensors", "model.safetensors.index.json"),
    ("pytorch", "pytorch_model.bin"),
    ("pytorch", "pytorch_model.bin.index.json"),
)


class Hooks:
    """The hook; a model that loads parts of itself the same way is one."""

    def __init__(self) -> None:
        self._here = threading.local()

    def from_pretrained(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """``PreTrainedModel.from_pretrained``."""
        if getattr(self._here, "loading", False):
            return wrapped(*args, **kwargs)
        given = args[0] if args else kwargs.get("pretrained_model_name_or_path")
        path = str(given) if given else ""
        name, began = model_name(path) or getattr(instance, "__name__", "unknown"), time.perf_counter_ns()
        self._here.loading = True
        try:
            loaded: Any = wrapped(*args, **kwargs)
        except BaseException as error:
            with guard("transformers.failed"):
                telemetry.model_load(name, format=_format(path, kwargs)).__exit__(
                    type(error), error, error.__traceback__
                )
            raise
        finally:
            self._here.loading = False
        with guard("transformers.from_pretrained"):
            seconds = (time.perf_counter_ns() - began) / 1e9
            # With output_loading_info it comes with a dictionary.
            model: object = cast("tuple[Any, ...]", loaded)[0] if isinstance(loaded, tuple) else loaded
            model_loaded(model, name, format=_format(path, kwargs), size_bytes=_size(model, path), seconds=seconds)
        return cast("Any", loaded)


def _size(model: Any, path: str) -> float | None:
    """Return the bytes of all parameters and buffers, else of the files."""
    footprint: Any = getattr(model, "get_memory_footprint", None)
    return size_on_disk(path) if footprint is None else float(footprint())


def _format(path: str, given: dict[str, Any]) -> str:
    """Return the format of the files that a model is loaded from: in a directory, or in the hub's cache."""
    if given.get("gguf_file"):
        return "gguf"
    safe = given.get("use_safetensors") is not False
    place = Path(path, given.get("subfolder") or "") if path and Path(path).is_dir() else None
    for kind, name in _FILES:
        if kind == "safetensors" and not safe:
            continue
        if (place / name).exists() if place is not None else _in_cache(path, name, given):
            return kind
    return "unknown"


def _in_cache(path: str, name: str, given: dict[str, Any]) -> bool:
    hub: Any = sys.modules.get("huggingface_hub")  # with transformers, it is there
    if hub is None or not path:
        return False
    try:
        found = hub.try_to_load_from_cache(path, name, cache_dir=given.get("cache_dir"), revision=given.get("revision"))
    except ValueError:  # it is no name of the hub's
        return False
    return isinstance(found, str)
