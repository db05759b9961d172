"""What the configuration is, and what is another than at the start before.

Room: `logs`. Names and values come in, without secrets; changes in words go out. The last configuration is kept beside
the audit file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from otel_llm_router import _whole_files

SUFFIX: Final = ".config"
MAX_CHANGES: Final = 100


def changes(path: Path, configuration: Mapping[str, str]) -> tuple[list[str], str]:
    """Return what has changed since the last call for this audit file by any process, and a hash of what is now.

    Raises:
        OSError: what is now cannot be kept.
    """
    kept = path.with_name(path.name + SUFFIX)
    before = _read(kept)
    text = json.dumps(configuration, sort_keys=True)
    if before != configuration:
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = kept.with_name(f"{kept.name}.{os.getpid()}")
        _whole_files.replace(kept, text.encode(), beside=draft)
    found = [
        f"{name}: {before.get(name, 'not set')} -> {configuration.get(name, 'not set')}"
        for name in sorted({*before, *configuration})
        if before.get(name) != configuration.get(name)
    ]
    return found[:MAX_CHANGES], hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        found: Any = json.loads(path.read_text())
        if isinstance(found, dict):
            return {str(name): str(value) for name, value in cast("dict[str, Any]", found).items()}
    return {}
