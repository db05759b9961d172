"""TLS of the scrape server: its certificate, and those that clients must have.

Room: `export`. Files that change are loaded again for the connections that come after.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from otel_llm_router.export._files import Watching


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

    def paths(self) -> list[str]:
        """Return those that are there."""
        return [path for path in (self.certificate, self.key, self.client_ca) if path]

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


class Contexts(Watching[ssl.SSLContext]):
    """The context for the next connection, a new one when a file has changed.

    Args:
        certificates: The files.

    Raises:
        OSError: a file cannot be read, or does not hold what it should.
    """

    def __init__(self, certificates: Certificates) -> None:
        super().__init__(certificates.paths(), certificates.context)
