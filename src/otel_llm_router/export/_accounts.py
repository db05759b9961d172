"""Who is told what becomes of records.

Room: `export`. For each signal, and to the record: emitted + recovered = delivered + dropped, once nothing waits any
more, in memory or on disk.
"""

from __future__ import annotations

from typing import Protocol


class Accounts(Protocol):
    """Counts what happens to records, and to the requests that they are sent in."""

    def emitted(self, signal: str, records: int) -> None:
        """Count records that the application left to be exported."""
        ...

    def delivered(self, signal: str, records: int) -> None:
        """Count records that the collector took."""
        ...

    def dropped(self, signal: str, reason: str, records: int) -> None:
        """Count records that are lost."""
        ...

    def resent(self, signal: str, records: int) -> None:
        """Count records that are sent again although they may have arrived: nobody answered."""
        ...

    def failed(self, signal: str, reason: str) -> None:
        """Count an attempt that did not succeed."""
        ...

    def recovered(self, signal: str, records: int) -> None:
        """Count records that a process had left on disk that has ended, and that this one delivers."""
        ...
