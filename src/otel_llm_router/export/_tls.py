"""TLS of the scrape server: its certificate, and those that clients must have.

Room: `export`. Files that change are loaded again for the connections that come after.
"""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from otel_llm_router.export._files import LOOK_SECONDS

_logger = logging.getLogger("otel_llm_router")


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files.

    Args:
        certificate: The server's certificate chain.
        key: Its private key; empty where it is in the same file.
        client_ca: Certificates of those who sign clients' certificates; empty where clients need none.
    """

    certificate: str
    key: str = ""
    client_ca: str = ""

    def stamp(self) -> tuple[tuple[int, int], ...]:
        """Return what is another one when a file has changed."""
        found = (Path(path).stat() for path in (self.certificate, self.key, self.client_ca) if path)
        return tuple((one.st_mtime_ns, one.st_ino) for one in found)

    def context(self) -> ssl.SSLContext:
        """Return a context that serves with them.

        Raises:
            OSError: a file cannot be read, or does not hold what it should (`ssl.SSLError`).
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key or None)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Contexts:
    """The context for the next connection.

    Args:
        certificates: The files.

    Raises:
        OSError: a file cannot be read, or does not hold what it should.
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._stamp = certificates.stamp()
        self._context = certificates.context()
        self._looked = time.monotonic()

    def __call__(self) -> ssl.SSLContext:
        """Return the context, a new one when a file has changed."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                stamp = self._certificates.stamp()
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._context = self._certificates.context()
            except OSError as error:
                _logger.warning(
                    "otel-llm-router: the certificates of the scrape server have changed and cannot be used; those from "
                    "before go on to serve: %s",
                    error.strerror or type(error).__name__,
                )
        return self._context
