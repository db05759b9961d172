"""What waits on disk for the collector, of all processes of one service.

Room: `export`. Encoded requests come in while they cannot be delivered, and go out again to be sent, by this process
or, when it has ended, by another of the service: an outbox belongs to who holds its lock, and the lock falls with its
process. At least once: a request is removed when the collector has taken it, and one that is taken by a collector
while its process is killed is sent again by the next.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from otel_llm_router.export import _outbox, _requests
from otel_llm_router.export._accounts import Accounts
from otel_llm_router.export._fork_gate import ForkGate
from otel_llm_router.export._forks import restarted_in_children
from otel_llm_router.export._outbox import DamagedError, Kept, Outbox
from otel_llm_router.export._own_directory import own_directory

_logger = logging.getLogger("otel_llm_router")

LOOK_SECONDS: Final = 5.0
"""How often to look for what processes have left that ended."""
AGAIN_SECONDS: Final = 1.0
"""How long to leave a disk alone that takes nothing."""
FORK_SECONDS: Final = 1.0
"""How long a fork waits for a lock that is being taken: a child would hold it as long as it lives."""
DOCUMENTATION: Final = "docs/exporting.md"
_DAMAGED: Final = "damaged"
_MAX_DAMAGED: Final = 16
_TRIES: Final = 5

_locking: Final = ForkGate(lambda: FORK_SECONDS)


def signal_of(lane: str) -> str:
    """Return the signal of a lane: ``traces`` of ``traces`` and of ``traces-2``."""
    return lane.partition("-")[0]


def directory(base: str, service: str) -> Path:
    """Return where the requests of a service wait, made if need be, for this user only.

    Args:
        base: See option ``spool_dir``.
        service: Tells it from every other.

    Raises:
        DirectoryError: it cannot be used.
    """
    return own_directory(
        Path(base),
        f"otel-llm-router-{os.geteuid()}",
        service,
        make_root=True,
        instead=f"set OTEL_LLM_ROUTER_SPOOL_DIR to a directory of your own (see {DOCUMENTATION})",
    )


def _joins(taken: Sequence[Kept], one: Kept, records: int) -> bool:
    """Return whether a request goes with those that are taken."""
    return not (taken[0].alone or one.alone) and sum(kept.count for kept in taken) + one.count <= records


class Spool:
    """Requests on disk.

    Args:
        path: Where; see `directory`.
        limit: Bytes of disk that they may take, of all processes of the service together.
        accounts: Told what is lost, and what is taken over.
    """

    def __init__(self, path: Path, limit: int, accounts: Accounts) -> None:
        self._path = path
        self._limit = limit
        self._accounts = accounts
        self._boxes: list[Outbox] = []
        self._lanes: set[str] = set()
        self._begin()
        restarted_in_children(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._own: Outbox | None = None
        self._boxes = []
        self._foreign: set[str] = set()
        self._records: dict[str, int] = dict.fromkeys(self._lanes, 0)
        self._look_next = 0.0
        self._write_next = 0.0
        self._left: set[str] = set()
        self._closed = False

    def restart(self) -> None:
        """Begin again with nothing; for a forked process, whose parent goes on with what there is."""
        for box in self._boxes:
            box.abandon()
        self._begin()

    def lane(self, signal: str) -> str:
        """Return a name for who delivers a signal's requests, the same in each process with the same exporters."""
        number = sum(signal_of(one) == signal for one in self._lanes)
        name = f"{signal}-{number + 1}" if number else signal
        self._lanes.add(name)
        self._records.setdefault(name, 0)  # what is there may have been found already
        self._foreign.clear()
        return name

    def waiting(self) -> dict[str, int]:
        """Return how many records this process has on disk, by signal; never waits."""
        found: dict[str, int] = {}
        for lane, records in tuple(self._records.items()):
            found[signal_of(lane)] = found.get(signal_of(lane), 0) + records
        return found

    def waits(self, lane: str) -> int:
        """Return how many records of a lane this process has on disk; never waits."""
        return self._records.get(lane, 0)

    # --- in -----------------------------------------------------------------------------------------

    def write(self, lane: str, content: bytes, count: int) -> Kept | None:
        """Write a request, in place of the oldest when there is no room; it is nobody's turn to send it until `put`.

        Returns:
            It, or None when it cannot be written.
        """
        with self._lock:
            now = time.monotonic()
            if self._closed or now < self._write_next:
                return None
            try:
                kept = self._written(lane, content, count)
            except OSError as error:
                _logger.log(
                    logging.DEBUG if self._write_next else logging.WARNING,
                    "otel-llm-router: %s takes nothing (%s): what cannot be delivered waits in memory alone, and what "
                    "that has no room for is lost, the oldest first (OTEL_LLM_ROUTER_SPOOL_DIR; see %s)",
                    self._path,
                    error.strerror or type(error).__name__,
                    DOCUMENTATION,
                )
                kept = None
            self._write_next = 0.0 if kept is not None else now + AGAIN_SECONDS
            if kept is not None:
                self._count(kept, 1)
            return kept

    def _written(self, lane: str, content: bytes, count: int) -> Kept | None:
        own = self._own or self._new()
        data, size = own.reserve(content)
        while self._used() + size > self._limit:
            if not self._push_out():
                own.give_up()
                return None
        return own.write(data, size, lane, count)

    def _new(self) -> Outbox:
        for _ in range(_TRIES):
            path = self._path / secrets.token_hex(8)
            with suppress(FileNotFoundError), _locking.lock:  # another process found it empty, and removed it
                path.mkdir(mode=0o700)
                own = _outbox.opened(path, _requests.MAX_REQUEST)
                if own is not None:
                    self._own = own
                    self._boxes.append(own)
                    return own
        raise OSError("no directory could be made")

    def _used(self) -> int:
        """Return the bytes that all processes have, but for what this one is about to write."""
        ours = {box.path.name: box.used for box in self._boxes}
        return sum(ours.values()) + sum(
            _outbox.announced(self._path / name) for name in self._names() if name not in ours
        )

    def _names(self) -> list[str]:
        return [entry.name for entry in os.scandir(self._path) if entry.name != _DAMAGED and entry.is_dir()]

    def _push_out(self) -> bool:
        """Lose the oldest of what this process could send; return whether there was any."""
        for box in sorted(self._boxes, key=lambda one: one is self._own):
            waiting = [requests[0] for requests in box.lanes.values() if requests]
            if waiting:
                oldest = min(waiting, key=lambda one: one.number)
                box.lanes[oldest.lane].popleft()
                self._forget(oldest)
                self._accounts.dropped(signal_of(oldest.lane), "spool_full", oldest.count)
                return True
        return False

    def put(self, requests: Sequence[Kept], *, first: bool = False) -> None:
        """Let requests wait for their turn, before or behind the others."""
        with self._lock:
            for one in reversed(requests) if first else requests:
                one.box.put(one, first=first)

    # --- out ----------------------------------------------------------------------------------------

    def take(self, lane: str, records: int) -> tuple[bytes, list[Kept]] | None:
        """Take the oldest requests of a lane to send them as one: their bytes put together are one.

        Args:
            lane: Whose.
            records: About how many at most.

        Returns:
            The request and what it is made of, until `remove` or `put`; None when there is none.
        """
        with self._lock:
            self._look()
            parts: list[bytes] = []
            taken: list[Kept] = []
            room = _requests.MAX_REQUEST
            for box in tuple(self._boxes):
                waiting = box.lanes.get(lane)
                while waiting and (not taken or _joins(taken, waiting[0], records)):
                    content = self._content(waiting[0])
                    if content is not None and len(content) > room:
                        return b"".join(parts), taken
                    one = waiting.popleft()
                    if content is None:
                        self._set_aside(one)
                        continue
                    room -= len(content)
                    parts.append(content)
                    taken.append(one)
            return (b"".join(parts), taken) if taken else None

    @staticmethod
    def _content(one: Kept) -> bytes | None:
        try:
            return one.box.read(one)
        except (DamagedError, OSError):
            return None

    def _set_aside(self, one: Kept) -> None:
        """Keep what is damaged where nobody sends it, a few at most."""
        place = self._path / _DAMAGED
        to = None
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            if len(os.listdir(place)) < _MAX_DAMAGED:  # noqa: PTH208  # names
                to = place / f"{one.box.path.name}-{one.path.name}"
        self._forget(one, to)
        self._accounts.dropped(signal_of(one.lane), "spool_damaged", one.count)
        _logger.warning(
            "otel-llm-router: %d records of %s that waited on disk are damaged and lost%s",
            one.count,
            signal_of(one.lane),
            f"; what is left of them is {to}" if to else "",
        )

    def remove(self, requests: Sequence[Kept]) -> None:
        """Forget requests that the collector has taken, or never will."""
        with self._lock:
            for one in requests:
                self._forget(one)

    def _forget(self, one: Kept, to: Path | None = None) -> None:
        one.box.remove(one, to)
        self._count(one, -1)
        if not one.box.requests and one.box is not self._own:
            self._boxes.remove(one.box)
            one.box.close()

    def _count(self, one: Kept, sign: int) -> None:
        self._records[one.lane] = self._records.get(one.lane, 0) + sign * one.count

    def _look(self) -> None:
        """Take over what processes have left that ended."""
        now = time.monotonic()
        if self._closed or now < self._look_next:
            return
        self._look_next = now + LOOK_SECONDS
        with suppress(OSError):
            have = {box.path.name for box in self._boxes} | self._foreign
            for name in self._names():
                if name not in have:
                    self._take_over(self._path / name)

    def _take_over(self, path: Path) -> None:
        with suppress(OSError):
            with _locking.lock:
                box = _outbox.opened(path, _requests.MAX_REQUEST)
                if box is None:
                    return
                if box.requests and not set(box.lanes) & self._lanes:
                    self._foreign.add(path.name)  # of exporters that this process does not have
                if not set(box.lanes) & self._lanes:
                    box.close()
                    return
                self._boxes.insert(0, box)
            for lane, requests in box.lanes.items():
                for one in requests:
                    self._count(one, 1)
                self._accounts.recovered(signal_of(lane), sum(one.count for one in requests))

    def leave(self, lane: str) -> None:
        """Deliver no more of a lane; with the last one, other processes can have what is left."""
        with self._lock:
            self._left.add(lane)
            if self._left >= self._lanes:
                self._closed = True
                for box in self._boxes:
                    box.close()
                self._boxes, self._own = [], None
