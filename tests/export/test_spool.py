"""What waits on disk while the collector takes nothing: over real sockets, files and processes."""

# protobuf's messages have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from accounts import Accounts
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.faults.collectors import HttpCollector
from otel_llm_router.export import _delivery, _outbox, _spool
from otel_llm_router.export._ending import Ending
from otel_llm_router.export._own_directory import DirectoryError
from otel_llm_router.export._pushing import Pushing
from otel_llm_router.export._reporter import Reporter
from otel_llm_router.export._spool import Spool

LIMIT = 64 * 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]


class Sdk:
    """Providers with a spool; each record has a name of its own."""

    def __init__(self, endpoint: str, directory: Path, limit: int = LIMIT, memory: int = 32 * 1024 * 1024) -> None:
        self.accounts, self.ending, problems = Accounts(), Ending(), list[str]()
        self.spool = Spool(directory, limit, self.accounts)
        pushing = Pushing(
            Reporter(self.accounts), lambda _name: nullcontext(), self.ending, limit=memory, spool=self.spool
        )
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(pushing.spans(OTLPSpanExporter(endpoint + "/v1/traces"), problems, "own"))
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(pushing.logs(OTLPLogExporter(endpoint + "/v1/logs"), problems))
        reader = pushing.metrics(OTLPMetricExporter(endpoint + "/v1/metrics"), problems)
        assert reader is not None
        self.meters = MeterProvider([reader], shutdown_on_exit=False)
        self._number = 0

    def emit(self, number: int, **attributes: Any) -> None:
        tracer, logger = self.tracers.get_tracer("own"), self.loggers.get_logger("l")
        for _ in range(number):
            tracer.start_span(str(self._number), attributes=attributes).end()
            logger.emit(LogRecord(body=str(self._number), attributes=attributes))
            self._number += 1

    def flush(self, seconds: float = 20) -> bool:
        return all(one.force_flush(int(seconds * 1000)) for one in (self.tracers, self.loggers))

    def close(self, seconds: float = 2) -> None:
        self.ending.begin(seconds)
        for one in (self.tracers, self.loggers, self.meters):
            one.shutdown()


@pytest.fixture
def collector() -> Generator[HttpCollector]:
    made = HttpCollector()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def endpoint(collector: HttpCollector) -> str:
    return f"http://127.0.0.1:{collector.port}"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return _spool.directory(str(tmp_path / "spool"), "0123456789abcdef")


@pytest.fixture
def to(directory: Path) -> Generator[Callable[..., Sdk]]:
    made: list[Sdk] = []

    def make(endpoint: str, **limits: Any) -> Sdk:
        made.append(Sdk(endpoint, directory, **limits))
        return made[-1]

    yield make
    for one in made:
        one.close(0)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses: what is waited for is the same."""
    monkeypatch.setattr(_delivery, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(_delivery, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(_spool, "LOOK_SECONDS", 0.05)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def exactly_once(collector: HttpCollector, number: int) -> bool:
    wanted = dict.fromkeys(map(str, range(number)), 1)
    return collector.taken.span_names() == wanted and collector.taken.log_bodies() == wanted


def files(directory: Path) -> list[Path]:
    return [one for one in directory.rglob("*") if one.is_file() and one.name != _outbox.LOCK]


def on_disk(sdk: Sdk, number: int) -> bool:
    return sdk.spool.waiting() == {"traces": number, "logs": number, "metrics": 0}


def test_an_outage_goes_to_disk_and_comes_back_once(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk]
) -> None:
    sdk = to(endpoint)
    sdk.emit(10)
    assert sdk.flush()
    assert not files(directory)
    collector.stop()
    sdk.emit(700)
    until(lambda: on_disk(sdk, 700))
    assert files(directory)
    assert sdk.accounts.balanced(traces=700, logs=700)
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in directory.rglob("*") if one.is_file())
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o700 for one in directory.rglob("*") if one.is_dir())
    assert sdk.spool._used() == sum(  # pyright: ignore[reportPrivateUsage]
        -(-one.stat().st_size // 4096) * 4096 for one in files(directory)
    )
    collector.start()
    assert sdk.flush()
    assert exactly_once(collector, 710)
    assert not files(directory)
    assert sdk.accounts.balanced()
    assert not sdk.accounts.lost
    sdk.close()
    assert not list(directory.iterdir()), "nothing is left of a process that has delivered all"


def test_what_hangs_is_on_disk_as_well(collector: HttpCollector, endpoint: str, to: Callable[..., Sdk]) -> None:
    collector.mode = "hang"
    sdk = to(endpoint)
    sdk.emit(3)
    until(lambda: on_disk(sdk, 3))
    collector.mode = "ok"
    assert sdk.flush()
    assert exactly_once(collector, 3)
    assert sdk.accounts.balanced()


def test_what_is_left_at_the_end_is_delivered_by_the_next(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk], caplog: pytest.LogCaptureFixture
) -> None:
    collector.stop()
    first = to(endpoint)
    first.meters.get_meter("m").create_counter("c").add(7)
    first.emit(20)
    first.close(1)
    assert first.accounts.balanced(traces=20, logs=20)
    assert not first.accounts.lost
    assert any("20 records of traces on disk" in one.getMessage() for one in caplog.records)
    collector.start()
    second = to(endpoint)
    until(lambda: second.accounts.arrived == {"traces": 20, "logs": 20})
    assert exactly_once(collector, 20)
    assert second.accounts.found == {"traces": 20, "logs": 20, "metrics": 0}
    assert second.accounts.balanced()
    second.meters.get_meter("m").create_counter("d").add(1)
    assert second.meters.force_flush()
    assert collector.taken.sums("c") == {(): 7}
    until(lambda: not files(directory))


def test_only_the_last_metrics_wait(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk]
) -> None:
    collector.stop()
    sdk = to(endpoint)
    counter = sdk.meters.get_meter("m").create_counter("c")
    for _ in range(3):
        counter.add(1)
        sdk.meters.force_flush(200)
    assert len(files(directory)) == 1
    collector.start()
    assert sdk.meters.force_flush()
    assert collector.taken.sums("c") == {(): 3}
    assert not files(directory)


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
import test_spool
sdk = test_spool.Sdk(sys.argv[1], Path(sys.argv[2]))
sdk.emit(100)
while not test_spool.on_disk(sdk, 100):
    time.sleep(0.01)
print("there", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_had_is_delivered_by_one_that_lives(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk]
) -> None:
    collector.stop()
    living = to(endpoint)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, endpoint, str(directory), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        collector.start()
        living.tracers.get_tracer("own").start_span("mine").end()
        assert living.flush()
        assert collector.taken.span_names() == {"mine": 1}, "what a living process has is its own"
        collector.stop()
        process.send_signal(signal.SIGKILL)
        process.wait()
    collector.start()
    until(lambda: living.accounts.arrived == {"traces": 101, "logs": 100})
    assert collector.taken.span_names() == {"mine": 1, **{str(number): 1 for number in range(100)}}
    assert living.accounts.balanced()


def test_a_forked_child_has_its_own_and_leaves_its_parents(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk]
) -> None:
    collector.stop()
    sdk = to(endpoint)
    sdk.emit(5)
    until(lambda: on_disk(sdk, 5))
    child = os.fork()
    if not child:
        try:
            sdk.tracers.get_tracer("own").start_span("child").end()
            until(lambda: sdk.spool.waiting()["traces"] == 1)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    collector.start()
    until(lambda: sdk.accounts.arrived == {"traces": 6, "logs": 5})
    assert collector.taken.span_names() == {"child": 1, **{str(number): 1 for number in range(5)}}
    assert sdk.accounts.found["traces"] == 1
    assert sdk.accounts.balanced()


def settled(sdk: Sdk) -> bool:
    """Whether all that was emitted is on disk or lost."""
    accounts, number = sdk.accounts, sdk._number  # pyright: ignore[reportPrivateUsage]
    lost, waiting = sum(accounts.lost.values()), sum(sdk.spool.waiting().values())
    return accounts.left == {"traces": number, "logs": number} and lost + waiting == 2 * number


def test_beyond_the_bound_the_oldest_go(collector: HttpCollector, endpoint: str, to: Callable[..., Sdk]) -> None:
    collector.stop()
    sdk = to(endpoint, limit=64 * 1024)
    for _ in range(12):
        sdk.emit(5, noise=os.urandom(3000).hex())
        until(lambda: settled(sdk))
    assert sdk.spool._used() <= 64 * 1024  # pyright: ignore[reportPrivateUsage]
    waiting = sdk.spool.waiting()
    assert 5 <= waiting["traces"] < 60
    assert set(sdk.accounts.lost) == {("traces", "spool_full"), ("logs", "spool_full")}
    collector.start()
    assert sdk.flush()
    arrived = collector.taken.span_names()
    assert "59" in arrived
    assert "0" not in arrived
    assert len(arrived) == waiting["traces"]
    assert sdk.accounts.balanced()


def test_what_is_damaged_is_set_aside_and_counted(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk], caplog: pytest.LogCaptureFixture
) -> None:
    collector.stop()
    first = to(endpoint)
    first.emit(2)
    first.close(1)
    first_spans = next(one for one in files(directory) if ".traces." in one.name)
    torn = first_spans.read_bytes()
    first_spans.write_bytes(torn[:-3])
    (first_spans.parent / "000000000009.part").write_bytes(b"half")
    empty = first_spans.parent / "000000000010.traces.4"
    empty.write_bytes(b"")
    collector.start()
    second = to(endpoint)
    until(lambda: second.accounts.arrived["logs"] == 2 and second.accounts.lost[("traces", "spool_damaged")] == 6)
    assert second.accounts.balanced()
    until(lambda: {one.parent.name for one in files(directory)} == {"damaged"})
    until(lambda: sum("damaged and lost" in one.getMessage() for one in caplog.records) == 2)
    second.emit(3)
    assert second.flush()
    assert collector.taken.span_names() == {"0": 1, "1": 1, "2": 1}


def test_a_disk_that_takes_nothing_costs_what_memory_has_no_room_for(
    collector: HttpCollector, endpoint: str, directory: Path, to: Callable[..., Sdk], caplog: pytest.LogCaptureFixture
) -> None:
    directory.chmod(0o500)
    try:
        collector.stop()
        sdk = to(endpoint, memory=400_000)
        if os.geteuid() == 0:  # whom no mode keeps out
            directory.chmod(0o700)
            directory.rmdir()
            directory.write_text("no directory")
        for _ in range(20):
            sdk.emit(10, large="x" * 2000)
            time.sleep(0.02)
        until(lambda: sdk.accounts.lost[("traces", "queue_full")])
        collector.start()
        assert sdk.flush()
    finally:
        directory.chmod(0o700)
    assert "199" in collector.taken.span_names()
    assert set(sdk.accounts.lost) == {("traces", "queue_full"), ("logs", "queue_full")}
    assert sdk.accounts.balanced()
    assert sum("takes nothing" in one.getMessage() for one in caplog.records if one.levelname == "WARNING") == 1


def test_requests_that_are_too_large_are_halved_on_disk(
    collector: HttpCollector, endpoint: str, to: Callable[..., Sdk]
) -> None:
    collector.stop()
    sdk = to(endpoint)
    sdk.emit(8)
    until(lambda: on_disk(sdk, 8))
    collector.mode = "413"
    collector.start()
    assert sdk.flush()
    assert sdk.accounts.lost == {("traces", "too_large"): 8, ("logs", "too_large"): 8}
    assert sdk.accounts.balanced()


def test_others_cannot_look_in(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(DirectoryError, match="OTEL_LLM_ROUTER_SPOOL_DIR"):
        _spool.directory(str(open_to_all), "a")
