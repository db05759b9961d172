"""Values as text.

Room: `export`.
"""

from __future__ import annotations

import json
from typing import Any


def text_of(value: Any) -> str:
    """Return a value as text that can be encoded."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    # A lone surrogate in one label would make every later scrape fail.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
