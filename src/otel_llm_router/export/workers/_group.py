"""This process among those of its service, and the thread in which it takes part.

Room: `export.workers`. The thread sleeps until it is asked something, and looks twice a second whether the port has
become free. A process that is alone writes nothing. A forked child takes part for itself, from zero.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

from otel_llm_router.export._pause import in_forked_child
from otel_llm_router.export.workers import _calls, _members
from otel_llm_router.export.workers._gather import SNAPSHOT, Gathered, Gatherer
from otel_llm_router.export.workers._members import Member
from otel_llm_router.export.workers._port import Port, Server
from otel_llm_router.export.workers._voice import Source, Voice

_logger = logging.getLogger("otel_llm_router")

LOOK_SECONDS: Final = 0.5
"""How often to look whether the port is free, and who has ended."""

FOLD_SECONDS: Final = 5.0
"""How often to look who has ended while nobody scrapes and nobody comes or goes."""

_GATHERING_SECONDS: Final = 1.0
"""How long to wait for a scrape under way before the port is given up: it may wait for a callback that hangs."""

LOOK: Final = "look"
"""The question that wants no answer but that one looks at once."""

_QUIET: Final = ("llm_router.process.", "llm_router.telemetry.", "llm_router.health.", "llm_router.instrumentation.")
"""What a process counts that does nothing but start others."""


class Workers:
    """The processes of one service, seen from this one.

    Args:
        directory: Where they find each other; see `private`.
        source: What this process counts; None where nothing is scraped.
        server: Listens on the port when it is this process' turn; None where nobody listens.
        supervisor: Whether this process is known to do nothing but start and stop others.
    """

    def __init__(
        self, directory: Path, source: Source | None, server: Server | None, *, supervisor: bool = False
    ) -> None:
        self._directory = directory
        self._source = source
        self._questions: dict[str, Callable[[], Any]] = {}
        self._supervisor = supervisor
        self._port = Port(directory, server)
        self._started = False
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._gathering = threading.Lock()
        self._member: Member | None = None
        self._voice: Voice | None = None
        self._gatherer: Gatherer | None = None
        self._visitor: Gatherer | None = None
        self._states: Mapping[str, int] = {}
        self._others: list[str] = []
        self._wanted = False
        self._fold_next = 0.0
        self._yielded = False
        self._closed = False

    @property
    def url(self) -> str | None:
        """Where this process serves the scrape; None if another one does, or nobody can."""
        return self._port.url

    def states(self) -> Mapping[str, int]:
        """Return how many processes were in which state at the last scrape of this one."""
        return self._states if self._port.ours else {}

    def question(self, name: str, answer: Callable[[], Any]) -> None:
        """Let the others ask this process for ``name``: ``answer`` returns what JSON can hold, and takes little time."""
        self._questions[name] = answer

    def ask(self, name: str) -> dict[str, Any]:
        """Return what every process answers to a question, by its id; None for those that do not answer in time."""
        member = self._member
        if member is None:
            return {}
        living, _ = _members.others(self._directory, member.identity)
        answers = _calls.ask({one: self._socket(one) for one in living}, f"ask {name}")
        found: dict[str, Any] = {one: json.loads(answers[one]) if answers.get(one) else None for one in living}
        own = self._answered(f"ask {name}")
        return {**found, member.identity: json.loads(own) if own else None}

    def start(self) -> None:
        """Take part from now on.

        Raises:
            OSError: the directory cannot be used after all.
        """
        if self._source is not None:
            self._source.keep_ended()
        with self._lock:
            self._enter()
            self._look()
        self._started = True
        self._start_thread()

    def manage(self) -> None:
        """Say that this process does nothing but start and stop others: it never has the port."""
        with self._lock:
            self._supervisor = True
            if self._voice is not None and self._member is not None:
                self._voice.supervisor = True
                self._member.describe(supervisor=True)
            self._give_up()

    def gather(self) -> Gathered:
        """Return all processes as one.

        Raises:
            RuntimeError: this process takes no part, or not yet.
        """
        with self._gathering:
            member, voice = self._member, self._voice
            if member is None or voice is None:
                raise RuntimeError("this process takes no part in the scrape of all workers")
            gatherer = self._gatherer
            if gatherer is None:  # asked through an application that it is mounted into, not at the port
                gatherer = self._visitor = self._visitor or Gatherer(self._directory, member.identity, folds=False)
            own, _ = voice.say(keep=bool(self._others))
            found = gatherer.gather(own)
            self._states = found.states
            return found

    def leave_behind(self) -> None:
        """Write what was counted so far, for when this process is gone; it may go on."""
        if not self._closed:
            self._leave_behind()

    def _leave_behind(self) -> None:
        with contextlib.suppress(OSError):
            with self._lock:
                self._enter()
            if self._voice is not None:
                self._voice.say(observe=False)

    def close(self) -> None:
        """Leave what was counted, and let another process have the port."""
        self._closed = True
        self._leave_behind()
        with self._lock:
            self._give_up()
            if self._member is not None:
                self._member.leave()
                self._member.abandon()  # from now on it is one of the dead

    # --- the thread -----------------------------------------------------------------------------

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name="otel-llm-router-workers", daemon=True).start()

    def _run(self) -> None:
        try:
            with self._lock:
                self._enter()
            member = self._member
            if member is None:
                return
            with selectors.DefaultSelector() as waiting:
                waiting.register(member.socket, selectors.EVENT_READ)
                due = time.monotonic()
                while not self._closed:
                    if waiting.select(max(0.0, due - time.monotonic())):
                        _calls.answer(member.socket, self._answer)
                    if time.monotonic() >= due or self._wanted:
                        self._wanted = False
                        self._tick()
                        due = time.monotonic() + LOOK_SECONDS
        except Exception as error:  # a thread of ours: nobody else would hear of it
            _logger.warning(
                "otel-llm-router: this process takes no part in the scrape of all workers any more (%s); see "
                "docs/workers.md",
                type(error).__name__,
            )
            _logger.debug("no part in the scrape of all workers", exc_info=error)

    def _tick(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._look()
        if self._others and self._voice is not None and not self._closed:
            self._voice.keep_up()

    def _enter(self) -> None:
        if self._member is None:
            self._member = Member(self._directory, supervisor=self._supervisor)
            self._voice = Voice(self._member, self._source, supervisor=self._supervisor)

    def _look(self) -> None:
        """See who is there, and take the port if it is this process' turn; callers hold the lock."""
        member = self._member
        if member is None:
            return
        before, now = self._others, time.monotonic()
        self._others = [one for one in _members.members(self._directory) if one != member.identity]
        if self._port.ours:
            if self._others and (self._others != before or now >= self._fold_next) and self._yields():
                self._yielded = True
                self._give_up()
                return
        elif self._supervisor or (self._yielded and self._has_fellows()):
            return
        self._yielded = False
        if self._port.take():
            self._gatherer = Gatherer(self._directory, member.identity)
        elif not self._port.ours:
            self._gatherer = None

    def _give_up(self) -> None:
        if not self._port.ours:
            return
        waited = self._gathering.acquire(timeout=_GATHERING_SECONDS)
        try:
            self._gatherer = None
            self._port.give_up()
        finally:
            if waited:
                self._gathering.release()
        member = self._member
        if member is not None:
            living, _ = _members.others(self._directory, member.identity)
            _calls.ask({one: self._socket(one) for one in living}, LOOK, seconds=0.05)

    def _yields(self) -> bool:
        """Fold in the dead; return whether this process only started others, one of which can have the port."""
        if self._gatherer is None or not self._gathering.acquire(blocking=False):
            return False
        try:
            living = self._gatherer.fold()
        finally:
            self._gathering.release()
        self._fold_next = time.monotonic() + FOLD_SECONDS
        return self._has_children(living) and not self._busy()

    def _has_children(self, living: list[str]) -> bool:
        """Return whether one of the others was started by this process."""
        return any(card.get("parent") == os.getpid() and not card.get("supervisor") for card in self._read(living))

    def _has_fellows(self) -> bool:
        """Return whether another process lives that can have the port."""
        member = self._member
        living = _members.others(self._directory, member.identity)[0] if member is not None else []
        return any(not card.get("supervisor") for card in self._read(living))

    def _read(self, living: list[str]) -> list[Mapping[str, Any]]:
        return [_members.card(self._directory, one) for one in living]

    def _busy(self) -> bool:
        """Return whether this process has counted anything that is not about itself."""
        if self._source is None:
            return False
        live, _ = self._source.local(observe=False)
        return any(not one.name.startswith(_QUIET) for one in live if one.shape != "gauge")

    # --- questions ------------------------------------------------------------------------------

    def _answer(self, question: str) -> bytes:
        if question == SNAPSHOT and self._voice is not None:
            return self._voice.say()[1]
        if question == LOOK:
            self._wanted = True
            return b""
        return self._answered(question)

    def _answered(self, question: str) -> bytes:
        answer = self._questions.get(question.removeprefix("ask "))
        return json.dumps(answer()).encode() if answer is not None else b""

    def _socket(self, identity: str) -> Path:
        return self._directory / f"{identity}{_members.SOCKET}"

    # --- forks ----------------------------------------------------------------------------------

    def in_child(self) -> None:
        """Take part as a process of its own, in a forked child."""
        member, closed = self._member, self._closed
        self._port.abandon()
        if member is not None:
            member.abandon()
        if self._source is not None:
            self._source.restart()
        self._supervisor = False
        self._begin()
        if self._started and not closed:
            self._start_thread()


_all: WeakSet[Workers] = WeakSet()


def _in_child() -> None:
    for workers in list(_all):
        try:
            workers.in_child()
        except Exception:  # noqa: PERF203  # the application's fork must not fail
            _logger.debug("a forked child takes no part in the scrape of all workers", exc_info=True)


in_forked_child(_in_child)
