"""Counts what exporters say becomes of records."""

from __future__ import annotations

from collections import Counter


class Accounts:
    """Counts of everything that is said."""

    def __init__(self) -> None:
        self.left: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.arrived: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        self.lost: Counter[tuple[str, str]] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()

    def emitted(self, signal: str, records: int) -> None:
        self.left[signal] += records

    def delivered(self, signal: str, records: int) -> None:
        self.arrived[signal] += records

    def dropped(self, signal: str, reason: str, records: int) -> None:
        self.lost[signal, reason] += records

    def resent(self, signal: str, records: int) -> None:
        self.again[signal] += records

    def failed(self, signal: str, reason: str) -> None:
        self.failures[signal, reason] += 1

    def recovered(self, signal: str, records: int) -> None:
        self.found[signal] += records

    def balanced(self, **on_disk: int) -> bool:
        """Whether all that was emitted or taken over was delivered or dropped, or waits on disk."""
        lost = {signal: sum(n for (of, _), n in self.lost.items() if of == signal) for signal in self.left | self.found}
        return all(
            self.left[signal] + self.found[signal] == self.arrived[signal] + lost[signal] + on_disk.get(signal, 0)
            for signal in self.left | self.found
        )
