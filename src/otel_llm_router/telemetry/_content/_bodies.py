"""Bodies of requests that wait to be read, when the call has ended: held within a bound for the process.

Room: `telemetry`. Bytes come in and go out again, or None. They are the application's own object; to parse them
while it waits would hold it up.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes up to which a body is read."""

_SMALL: Final = 16 * 1024
"""Bytes that a body may have without counting."""

_UNIT: Final = 64 * 1024
_free: Final = deque([None] * 1024)
"""What larger bodies take one of for each unit of 64 KiB: together 64 MiB. Taking and giving back are atomic."""


class Body:
    """One body.

    Args:
        data: Its bytes or text.
    """

    def __init__(self, data: bytes | str) -> None:
        self._units = 0
        self._data: bytes | str | None = data if len(data) <= MAX_BODY and self._hold(len(data)) else None

    def _hold(self, size: int) -> bool:
        if size <= _SMALL:
            return True
        try:
            for _ in range(0, size, _UNIT):
                _free.pop()
                self._units += 1
        except IndexError:  # others hold it all
            self._release()
            return False
        return True

    def read(self) -> Any:
        """Return the JSON that it is, once; None when it is none or could not be held."""
        data, self._data = self._data, None
        try:
            return None if data is None else json.loads(data)
        except (ValueError, RecursionError):
            return None
        finally:
            self._release()

    def _release(self) -> None:
        while self._units:
            self._units -= 1
            _free.append(None)

    def __del__(self) -> None:
        self._release()
