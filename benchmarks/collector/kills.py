"""Kill the Collector with SIGKILL again and again under load, and look for what it had acknowledged."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from benchmarks.collector.backends import Backend
from benchmarks.collector.running import eventually, kill, running, settings
from benchmarks.collector.sending import Sender

RATE = 1_000


def run(directory: Path, *, kills: int, seed: int = 1) -> dict[str, Any]:
    """Kill it ``kills`` times at random moments, with three back ends: one that is well, one that comes and goes, one
    that is never there.

    Returns:
        The figures: records acknowledged, lost for each back end, repeated, and how long a start took.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    starts: list[float] = []
    with Backend("otlp") as well, Backend("elasticsearch") as coming:
        chosen = settings(directory, ("loki", "elasticsearch", "traces", "collector"), {
            "LLM_ROUTER_COLLECTOR_LOKI": well.url,
            "LLM_ROUTER_COLLECTOR_ELASTICSEARCH": coming.url,
            "LLM_ROUTER_COLLECTOR_FORWARD_TO": "http://127.0.0.1:9",
        })
        sender = Sender(chosen.otlp_http, RATE)
        for number in range(kills):
            began = time.monotonic()
            with running(chosen, directory / "log") as collector:
                starts.append(time.monotonic() - began)
                time.sleep(chance.uniform(0.05, 1.0))
                kill(collector)
            coming.start() if number % 4 else coming.stop()
        coming.start()
        with running(chosen, directory / "log"):
            # Some more after the last kill, so that the last start is shown to work.
            sent = len(sender.acknowledged)
            eventually(lambda: len(sender.acknowledged) > sent, 30)
            sender.stop()
            acknowledged = sender.acknowledged
            began = time.monotonic()
            eventually(lambda: acknowledged <= well.ids() and acknowledged <= coming.ids(), 120)
            drained = time.monotonic() - began
        return {
            "kills": kills,
            "records/s": RATE,
            "acknowledged": len(acknowledged),
            "lost, OTLP back end": len(acknowledged - well.ids()),
            "lost, Elasticsearch that came and went": len(acknowledged - coming.ids()),
            "sent again to the OTLP back end": well.repeated(),
            "documents beyond one for each record": coming.documents() - len(coming.ids()),
            "ready after, s, median": round(sorted(starts)[len(starts) // 2], 2),
            "all delivered after the last start, s": round(drained, 1),
        }
