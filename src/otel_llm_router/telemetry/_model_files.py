"""What the place that a model is loaded from tells about it.

Room: `telemetry`. A path, or a name of a model hub's, comes in; name, format and size go out.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path, PurePath
from typing import Final

MAX_FILES: Final = 1000
"""Most files of a model whose sizes are added up."""

_MODEL_FILE: Final = re.compile(r".+\.(gguf|ggml|safetensors|onnx|bin|pt|pth|mlmodel|tflite|engine)", re.IGNORECASE)


def model_name(path: str) -> str:
    """Return the name of a model by its path: of a file or an absolute path the last part, else all of it."""
    pure = PurePath(path)
    return pure.name if pure.is_absolute() or path.startswith(".") or _MODEL_FILE.fullmatch(path) else path


def model_format(path: str) -> str:
    """Return the format that a model file's name tells, or an empty text."""
    match = _MODEL_FILE.fullmatch(path)
    return match[1].lower() if match is not None else ""


def size_on_disk(path: str) -> float | None:
    """Return the bytes of a file, or of the files of a directory; None when there is neither."""
    place = Path(path) if path else None
    if place is None or not place.exists():
        return None
    if place.is_file():
        return float(place.stat().st_size)
    deadline, total = time.monotonic() + 1, 0
    for number, entry in enumerate(os.scandir(place)):
        if number >= MAX_FILES or time.monotonic() > deadline:
            return None
        if entry.is_file():
            total += entry.stat().st_size
    return float(total) if total else None
