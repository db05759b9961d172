"""All processes of a service as one snapshot.

Room: `export.workers`. Any process can gather; only the one that has the port folds in the dead, one process at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from otel_llm_router.aggregation import Description, GaugePoint, Labels, Merger, Numbers, Point, Snapshot, numbers
from otel_llm_router.export.workers import _calls, _members
from otel_llm_router.export.workers._ended import Ended, counted
from otel_llm_router.export.workers._state import Reader, State, UnreadableError
from otel_llm_router.signals import Merge
from otel_llm_router.signals.instruments import self_telemetry

_logger = logging.getLogger("otel_llm_router")

SNAPSHOT: Final = "snapshot"
"""The question for all that a process has to say."""

WORKER_LABEL: Final = "worker"

_WORKERS: Final = self_telemetry.WORKERS
_STATES: Final = Description(
    name=_WORKERS.name,
    shape="gauge",
    unit=_WORKERS.unit,
    description=_WORKERS.description,
    merge=_WORKERS.merge.value,
)


class Gathered(NamedTuple):
    """What a scrape shows."""

    snapshot: Snapshot
    """All processes together."""
    resource: Mapping[str, str]
    """What all of them say of who is sending."""
    states: Mapping[str, int]
    """How many processes are in which state."""


class _Sibling:
    """What is known of another process."""

    def __init__(self) -> None:
        self.reader = Reader()
        self.state: State | None = None

    def take(self, data: bytes) -> bool:
        """Take what it says, unless something newer is known; return whether it could be read."""
        try:
            found = self.reader.read(data)
        except UnreadableError:
            return False
        if self.state is None or found.about["number"] >= self.state.about["number"]:
            self.state = found
        return True


class Gatherer:
    """Gathers again and again; not for several threads at once.

    Args:
        directory: Where the processes find each other.
        own: Id of this one.
        folds: Whether it folds in those that have ended, which only one process may.
    """

    def __init__(self, directory: Path, own: str, *, folds: bool = True) -> None:
        self._directory = directory
        self._own = own
        self._folds = folds
        self._ended = Ended(directory / _members.ENDED)
        self._merger = Merger()
        self._siblings: dict[str, _Sibling] = {}
        self._differing: set[str] = set()
        self._several = False
        self._said = False

    def fold(self) -> list[str]:
        """Fold in those that have ended; return the ids of those that live."""
        living, dead = _members.others(self._directory, self._own)
        if dead:
            states = {one: self._last_of(one) for one in dead if one not in self._ended.folded}
            try:
                self._ended.fold(states, dead, self._alive)
            except OSError as error:
                # They stay as they are, and are shown from what they left.
                self._say("what ended processes counted cannot be written: %s", error.strerror or type(error).__name__)
                return living
            _members.remove(self._directory, dead)
        for one in [one for one in self._siblings if one not in living]:
            del self._siblings[one]
        return living

    def gather(self, own: State) -> Gathered:
        """Return all processes as one.

        Args:
            own: What this process says.
        """
        living = self.fold() if self._folds else self._visit()
        answers = _calls.ask({one: self._path(one, _members.SOCKET) for one in living}, SNAPSHOT)
        states: dict[str, int] = dict.fromkeys(_WORKERS.attributes[0].values, 0)
        states["ended"] = self._ended.count
        found: list[State] = [own]
        _count(states, own, "live")
        for one in living:
            sibling = self._siblings.setdefault(one, _Sibling())
            answered = one in answers and sibling.take(answers[one])
            if not answered:
                self._last_of(one)
            if sibling.state is not None:
                found.append(sibling.state)
                _count(states, sibling.state, "live" if answered else "unresponsive")
            elif not answered:
                states["unresponsive"] += 1
        # The dead whose counts could not be written; the others are in the file.
        found += [State(one.about, counted(one.live), one.ended) for one in self._unfolded(living)]
        self._several = self._several or len(found) > 1 or bool(self._ended.count)
        return self._merged(found, states)

    def _visit(self) -> list[str]:
        """Look at those that have ended while another process folds them in; return the ids of those that live.

        What they left is read ahead of the file that they are folded into: whoever was folded in between stands there.
        """
        living, dead = _members.others(self._directory, self._own)
        for one in dead:
            self._last_of(one)
        self._ended = Ended(self._directory / _members.ENDED)
        for one in [one for one in self._siblings if one in self._ended.folded or one not in (*living, *dead)]:
            del self._siblings[one]
        return [one for one in living if one not in self._ended.folded]

    def _merged(self, found: list[State], states: dict[str, int]) -> Gathered:
        shown = [self._shown(one) for one in found]
        shown.append(self._ended.snapshot())
        dropped = [one.ended for one in found if one.ended] + [self._ended.dropped()]
        snapshot = dict(self._merger.merge(*shown, *_still_there(dropped, shown)))
        snapshot[_STATES] = {
            ((_WORKERS.attributes[0].key, state),): GaugePoint(number) for state, number in states.items()
        }
        return Gathered(snapshot, self._resource(found), states)

    def _shown(self, state: State) -> Snapshot:
        if state.about["supervisor"]:
            return counted(state.live)
        shown = {one: points for one, points in state.live.items() if one.name != _WORKERS.name}
        if self._several:
            label = (WORKER_LABEL, str(state.about["pid"]))
            for one, points in shown.items():
                if one.merge == Merge.PER_WORKER.value:
                    shown[one] = Numbers([(*labels, label) for labels in points], [*numbers(points)])
        return shown

    def _resource(self, found: Iterable[State]) -> Mapping[str, str]:
        """Return what all say alike, and never said otherwise: a process comes and goes."""
        told: list[Mapping[str, str]] = [one.about["resource"] for one in found if "resource" in one.about]
        for one in told[1:]:
            self._differing.update(key for key in told[0].keys() | one.keys() if told[0].get(key) != one.get(key))
        return {key: value for key, value in told[0].items() if key not in self._differing}

    def _last_of(self, identity: str) -> State | None:
        """Return the last that a process said or wrote."""
        sibling = self._siblings.setdefault(identity, _Sibling())
        try:
            data = self._path(identity, _members.STATE).read_bytes()
        except OSError:
            return sibling.state
        if not sibling.take(data):
            self._say("what process %s left cannot be read: another version wrote it", identity)
        return sibling.state

    def _unfolded(self, living: list[str]) -> list[State]:
        return [one.state for identity, one in self._siblings.items() if identity not in living and one.state]

    def _alive(self) -> Snapshot:
        alive: dict[Description, dict[Labels, Point]] = {}
        for sibling in self._siblings.values():
            if sibling.state is not None:
                for one, points in sibling.state.live.items():
                    alive.setdefault(one, {}).update(points)
        return alive

    def _path(self, identity: str, suffix: str) -> Path:
        return self._directory / f"{identity}{suffix}"

    def _say(self, message: str, *arguments: object) -> None:
        if not self._said:
            self._said = True
            _logger.warning(f"otel-llm-router: {message} (said once; see docs/workers.md)", *arguments)  # noqa: G004  # a constant


def _count(states: dict[str, int], state: State, answered: str) -> None:
    states["supervisor" if state.about["supervisor"] else answered] += 1


def _still_there(dropped: Iterable[Snapshot], shown: Iterable[Snapshot]) -> list[Snapshot]:
    """Return what one process has dropped of series that another one has still, or has again.

    What nobody has is not shown: it has made room everywhere.
    """
    found: list[Snapshot] = []
    have: dict[Description, set[tuple[tuple[str, str], ...]]] = {}
    kept = list(shown)
    for snapshot in dropped:
        there: dict[Description, dict[Labels, Point]] = {}
        for one, points in snapshot.items():
            if one not in have:
                have[one] = {tuple(sorted(labels)) for each in kept for labels in each.get(one, ())}
            if some := {labels: point for labels, point in points.items() if labels in have[one]}:
                there[one] = some
        if there:
            found.append(there)
    return found
