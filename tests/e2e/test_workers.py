"""Services of several processes: one scrape that shows exactly what their clients did, whoever ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from running import BIN, HERE, environment, free_port
from services import FAILURES, LIGHT, Service, get, running, until

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="worker processes are merged where there are sockets with paths"
)

UVICORN = "uvicorn counting:app --port {port} --workers 2 --timeout-worker-healthcheck 10 --no-access-log"
GUNICORN = "gunicorn counting:wsgi --bind 127.0.0.1:{port} --workers 2"


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A directory of the test's own, with a path that is short enough for a socket."""
    found = Path(tempfile.mkdtemp(prefix="llmr-", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(found))
    yield found
    shutil.rmtree(found)


def shows_all(service: Service) -> None:
    """Wait until the scrape shows what was answered, and no more."""
    until(lambda: (service.counted() or 0) >= service.answered, lambda: f"{service.counted()}: {service.said()}")
    assert service.counted() == service.answered


def two_are_live(service: Service) -> None:
    until(lambda: service.states().get("live") == 2, lambda: f"{service.states()}: {service.said()}")


@pytest.mark.parametrize(
    ("command", "kills"),
    [
        (UVICORN, 1),  # it looks for dead workers too seldom to wait for
        ("gunicorn counting:app --bind 127.0.0.1:{port} --workers 2 --worker-class uvicorn_worker.UvicornWorker", 2),
        (GUNICORN + " --worker-class gthread --threads 2 --preload", 2),
    ],
    ids=["uvicorn", "gunicorn-uvicorn", "gunicorn-gthread-preload"],
)
def test_whoever_is_killed_the_scrape_shows_what_clients_did(
    runtime_dir: Path, tmp_path: Path, command: str, kills: int
) -> None:
    with running(command, tmp_path) as service:
        two_are_live(service)
        with service.scraped():
            service.traffic(40)
            shows_all(service)
            for killed in range(1, kills + 1):  # whoever has the port, then whoever has it next
                holder = service.holder()
                assert holder is not None
                assert holder != service.process.pid
                os.kill(holder, signal.SIGKILL)
                until(lambda gone=holder: service.holder() not in {None, gone}, service.said)
                if killed < kills:
                    two_are_live(service)
                service.traffic(20)
                shows_all(service)
        states = service.states()
        assert (states["supervisor"], states["ended"], states["unresponsive"]) == (1, kills, 0)
        cost = service.scrape().sum("llm_router_cost_usd_total")
        assert cost == pytest.approx(service.answered / 10, rel=1e-12)
        assert service.fell == []


def test_killed_under_traffic_no_counter_falls(runtime_dir: Path, tmp_path: Path) -> None:
    with running(GUNICORN, tmp_path) as service:
        two_are_live(service)
        failed = 0
        with service.scraped():
            for round_number in range(3):
                victims = sorted(service.traffic(10))
                os.kill(victims[round_number % len(victims)], signal.SIGKILL)
                failed += sum(not service.answers() for _ in range(20))
            two_are_live(service)
        shown = service.counted()
        assert shown is not None
        assert 0 < shown <= service.answered + failed
        assert service.fell == []


def test_workers_that_are_recycled_all_the_time_leave_exact_counts_and_no_files(
    runtime_dir: Path, tmp_path: Path
) -> None:
    with running(GUNICORN + " --max-requests 4", tmp_path) as service:
        with service.scraped():
            service.traffic(60)
            shows_all(service)
        assert service.states()["ended"] >= 10
        assert service.fell == []
        two_are_live(service)
        until(lambda: len(list(runtime_dir.rglob("*.member"))) == 3, lambda: str(list(runtime_dir.rglob("*"))))
        assert sum(one.stat().st_size for one in runtime_dir.rglob("*")) < 200_000
        service.kill()
    assert list(runtime_dir.rglob("*.member"))
    with running(GUNICORN, tmp_path) as service:  # nobody of the earlier life is left
        shows_all(service)


def test_health_is_that_of_the_worst_worker(runtime_dir: Path, tmp_path: Path) -> None:
    with running(GUNICORN, tmp_path) as service:
        two_are_live(service)

        def report() -> dict[str, Any]:
            try:
                return json.loads(get(service.scrape_port, "/health"))
            except FAILURES:  # the one that has the port was killed
                return {"status": ""}

        until(lambda: report()["status"] == "healthy" and len(report().get("workers", ())) >= 2, service.said)
        sick = int(get(service.port, "/sick"))
        until(lambda: report()["status"] == "degraded", lambda: f"{report()}")
        (failed,) = (one for one in report()["workers"].values() if one["failed"])
        assert (failed["pid"], failed["failed"]) == (sick, {"sick": "the check says no"})
        os.kill(sick, signal.SIGKILL)
        until(lambda: report()["status"] == "healthy", lambda: f"{report()}")


def test_the_last_one_to_leave_leaves_nothing_behind(runtime_dir: Path, tmp_path: Path) -> None:
    with running("uvicorn counting:app --port {port}", tmp_path) as service:
        shows_all(service)
        assert list(runtime_dir.rglob("*.member"))
    assert {one.name for one in runtime_dir.rglob("*") if one.is_file()} == {"join.lock", "port.lock"}


def test_hypercorn(runtime_dir: Path, tmp_path: Path) -> None:
    with running("hypercorn counting:app --bind 127.0.0.1:{port} --workers 2", tmp_path) as service:
        two_are_live(service)
        service.traffic(20)
        shows_all(service)
        assert service.holder() not in {None, service.process.pid}
        assert service.states()["supervisor"] == 1


def test_a_reload_goes_on_counting(runtime_dir: Path, tmp_path: Path) -> None:
    application = tmp_path / "counting.py"
    shutil.copy(HERE / "counting.py", application)
    command = "uvicorn counting:app --port {port} --reload --reload-delay 0.1"
    with running(command, tmp_path, PYTHONPATH=str(tmp_path)) as service:
        first = service.call()
        shows_all(service)
        assert service.holder() == first
        application.write_text(application.read_text() + "\n")
        until(lambda: service.call() != first, service.said)
        shows_all(service)
        assert service.holder() not in {None, service.process.pid}


def test_services_do_not_mix_and_a_stopped_worker_holds_nobody_up(runtime_dir: Path, tmp_path: Path) -> None:
    with running(GUNICORN, tmp_path, name="one") as one, running(GUNICORN, tmp_path, name="other") as other:
        one.traffic(30)
        other.traffic(10)
        shows_all(one)
        shows_all(other)
        two_are_live(one)
        stopped = (one.traffic(20) - {one.holder()}).pop()
        shows_all(one)
        os.kill(stopped, signal.SIGSTOP)
        try:
            until(lambda: one.states().get("unresponsive") == 1, one.said)
            assert one.counted() == one.answered
        finally:
            os.kill(stopped, signal.SIGCONT)
        two_are_live(one)
        assert one.fell == []
        assert other.counted() == other.answered


METHODS = """
import concurrent.futures, json, multiprocessing, os, sys, time, urllib.request
from otel_llm_router import telemetry as router

def work(model):
    with router.request(model):
        pass
    return os.getpid()

def scrape():
    text = urllib.request.urlopen("http://127.0.0.1:" + os.environ["OTEL_LLM_ROUTER_SCRAPE_PORT"] + "/metrics").read()
    found = {}
    for line in text.decode().splitlines():
        if line.startswith("llm_router_inference_total"):
            found[line.partition('model="')[2].partition('"')[0]] = float(line.split()[-1])
    return found

if __name__ == "__main__":
    expected = {}
    for method in ("fork", "forkserver", "spawn"):
        context = multiprocessing.get_context(method)
        processes = [context.Process(target=work, args=(method,)) for _ in range(2)]
        for one in processes:
            one.start()
        for one in processes:
            one.join()
        expected[method] = 2.0
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, ["pool"] * 20, chunksize=1)
        pool.close()
        pool.join()
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        list(pool.map(work, ["executor"] * 10))
    expected |= {"pool": 20.0, "executor": 10.0}
    deadline = time.monotonic() + 30
    found = {}
    while found != expected and time.monotonic() < deadline:
        try:
            found = scrape()
        except OSError:
            pass
        time.sleep(0.05)
    print(json.dumps({"found": found, "expected": expected}))
"""


def test_whatever_way_processes_are_started(runtime_dir: Path, tmp_path: Path) -> None:
    program = tmp_path / "methods.py"
    program.write_text(METHODS)
    exporters = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    done = subprocess.run(
        [BIN / "opentelemetry-instrument", sys.executable, program],
        env=environment(OTEL_LLM_ROUTER_SCRAPE_PORT=str(free_port()), PYTHONWARNINGS="ignore", **exporters, **LIGHT),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["found"] == seen["expected"], done.stderr


def test_switched_off_each_process_is_alone(runtime_dir: Path, tmp_path: Path) -> None:
    with running(GUNICORN, tmp_path, OTEL_LLM_ROUTER_WORKERS="false") as service:
        service.traffic(5)
        assert service.counted() == 0  # the master's own numbers
        assert not list(runtime_dir.rglob("*.member"))


def test_a_directory_that_is_anybodys_is_refused(runtime_dir: Path, tmp_path: Path) -> None:
    own = runtime_dir / f"otel-llm-router-{os.geteuid()}"
    own.mkdir()
    own.chmod(0o777)
    with running("uvicorn counting:app --port {port}", tmp_path) as service:
        shows_all(service)
        assert "is not a directory of this user's alone" in service.said()
        assert psutil.pid_exists(service.process.pid)
