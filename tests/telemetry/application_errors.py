"""What applications, providers and consumers raise, as no code of ours would."""

from __future__ import annotations


class ConsumerError(Exception):
    """What a consumer raises between two chunks."""


class BrokenStreamError(ConnectionError):
    """What a provider's stream raises when its connection breaks."""


class ProviderError(Exception):
    """What a provider's SDK raises; its status code says what went wrong."""

    def __init__(self, status_code: int) -> None:
        super().__init__("secret prompt text")
        self.status_code = status_code


class TroubleError(Exception):
    """What a consumer throws in."""


class OtherError(Exception):
    """What a body makes of it."""
