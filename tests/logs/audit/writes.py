"""Puts actions on record for as long as it lives, and prints each that is on disk."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from otel_llm_router.logs.audit import Event, Seal, Trail
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals import events

trail = Trail(
    Path(sys.argv[1]),
    Seal(),
    limit=20_000,
    who={},
    wanted=frozenset(),
    record=lambda _instrument, _value, _labels: None,
    emit=lambda _event, _attributes: None,
)
waiting: deque[tuple[str, Future[bool]]] = deque()
for number in itertools.count():
    name, receipt = f"{os.getpid()}-{number}", Future[bool]()
    trail.put(Event(events.AUDIT_ACTION, {a.AUDIT_ACTION: name}, time.time_ns(), receipt=receipt))
    waiting.append((name, receipt))
    if len(waiting) > 5:
        first, told = waiting.popleft()
        if told.result():
            sys.stdout.write(first + "\n")
            sys.stdout.flush()
