"""Who calls: the address, and a hash of the key that came along.

Room: `instrumentation`. Asked only where it belongs on record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from otel_llm_router.telemetry.instrumenting import Visitor, key_hash

_KEYS: Final = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"x-litellm-api-key")
"""Headers in which clients of the known protocols send a key; LiteLLM's has the last word there."""


def of(client: Any, headers: Iterable[tuple[bytes, bytes]]) -> Visitor:
    """Return who calls, by the scope's ``client`` and ``headers``."""
    found = {name: value for name, value in ((name.lower(), value) for name, value in headers) if name in _KEYS}
    sent = next((found[name] for name in reversed(_KEYS) if name in found), b"")
    scheme, _, rest = sent.decode("latin-1").strip().partition(" ")
    key = rest.strip() if scheme.lower() in {"bearer", "basic"} else sent.decode("latin-1").strip()
    return (str(client[0]) if client else "", key_hash(key) if key else "")
