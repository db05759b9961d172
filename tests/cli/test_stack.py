"""`otel-llm-router stack` where things go wrong; the engines are programs that do as they are told, over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from otel_llm_router.cli.stack._running import stop
from otel_llm_router.cli.stack._state import Running, State

MAIN = "import sys; sys.modules['go'] = None; from otel_llm_router.cli.stack.command import stack; stack(prog_name='stack')"
ENGINE = """#!{python}
import http.server, signal, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(print("engine, version {version} (branch: none)"))
{first}
address = next(one for one in sys.argv if one.startswith("--web.listen-address=")).partition("=")[2]
host, port = address.split(":")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
http.server.HTTPServer((host, int(port)), Ready).serve_forever()
"""
COLLECTOR = """#!{python}
import http.server, os, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(print("otelcol version 0.145.0"))
if sys.argv[1] == "validate":
    sys.exit()
host, port = os.environ["LLM_ROUTER_COLLECTOR_HEALTH"].split(":")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer((host, int(port)), Ready).serve_forever()
"""
MAVEN = """#!/bin/sh
for argument in "$@"; do
    case "$argument" in -DoutputDirectory=*) libraries="${{argument#*=}}" ;; esac
done
{does}
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory to be on PATH."""
    directory = tmp_path / "tools"
    directory.mkdir()
    return directory


def write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def engine(tools: Path, name: str, *, version: str = "3.99.0", first: str = "") -> None:
    write(tools / name, ENGINE.format(python=sys.executable, version=version, first=first))


@pytest.fixture
def command(tmp_path: Path, tools: Path) -> Generator[Command]:
    """Run the command with an empty cache, and PATH as the test says; what it started ends with the test."""
    data = tmp_path / "data"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("LLM_ROUTER_")}
        env |= {"PATH": f"{tools}:/usr/bin:/bin", "LLM_ROUTER_CACHE_DIR": str(tmp_path / "cache")}
        line = [sys.executable, "-c", MAIN, *arguments]
        if arguments[0] != "build":
            line += ["--data-dir", str(data)]
        return subprocess.run(line, env=env, capture_output=True, text=True, timeout=60, check=False)

    yield run
    for one in State.read(data).engines.values():
        if (process := one.process()) is not None:
            process.kill()


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return {one["engine"]: one for one in json.loads(done.stdout)}


def runs(pid: int) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


UP = ("up", "--only", "prometheus,alertmanager", "--free-ports", "--json")


class TestUp:
    def test_what_is_ready_runs_on_and_a_second_call_leaves_it_alone(self, command: Command, tools: Path) -> None:
        for name in ("prometheus", "alertmanager"):
            engine(tools, name)
        first = told(command(*UP))
        assert all(runs(one["pid"]) for one in first.values())
        assert told(command(*UP)) == first
        assert command("status").returncode == 0

    def test_what_has_ended_starts_again_on_its_port(self, command: Command, tools: Path) -> None:
        for name in ("prometheus", "alertmanager"):
            engine(tools, name)
        first = told(command(*UP))
        os.kill(first["prometheus"]["pid"], signal.SIGKILL)
        assert command("status").returncode == 3
        second = told(command(*UP))
        assert second["alertmanager"] == first["alertmanager"]
        assert second["prometheus"]["pid"] != first["prometheus"]["pid"]
        assert second["prometheus"]["ports"] == first["prometheus"]["ports"]

    def test_what_is_to_run_differently_starts_again_and_no_other(self, command: Command, tools: Path) -> None:
        for name in ("prometheus", "alertmanager"):
            engine(tools, name)
        first = told(command(*UP))
        second = told(command(*UP, "--scrape", "127.0.0.1:9464"))
        assert second["alertmanager"] == first["alertmanager"]
        assert second["prometheus"]["pid"] != first["prometheus"]["pid"]
        assert not runs(first["prometheus"]["pid"])

    def test_all_that_it_started_end_if_one_fails(self, command: Command, tools: Path, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        engine(tools, "alertmanager", first=f"import os; open({str(pid)!r}, 'w').write(str(os.getpid()))")
        engine(tools, "prometheus", first="sys.exit('the disk is full')")
        done = command(*UP)
        assert done.returncode == 1
        assert "Error: prometheus ended before it was ready:\nthe disk is full\n" in done.stderr
        assert not runs(int(pid.read_text()))
        assert command("status").returncode == 1

    def test_what_ran_before_goes_on_when_another_fails(self, command: Command, tools: Path) -> None:
        engine(tools, "alertmanager")
        engine(tools, "prometheus", first="sys.exit('the disk is full')")
        before = told(command("up", "--only", "alertmanager", "--free-ports", "--json"))
        assert command(*UP).returncode == 1
        assert runs(before["alertmanager"]["pid"])

    def test_one_that_ran_and_fails_now_keeps_its_port(self, command: Command, tools: Path) -> None:
        engine(tools, "prometheus")
        only = ("up", "--only", "prometheus", "--json")
        (before,) = told(command(*only, "--free-ports")).values()
        os.kill(before["pid"], signal.SIGKILL)
        engine(tools, "prometheus", first="sys.exit('the disk is full')")
        assert command(*only).returncode == 1
        assert "ended" in command("status").stdout
        engine(tools, "prometheus")
        (after,) = told(command(*only)).values()
        assert after["ports"] == before["ports"]

    def test_without_any_engine_it_says_how_to_get_each(self, command: Command) -> None:
        done = command("up", "--no-build", "--free-ports")
        assert done.returncode == 1
        assert [line.partition(":")[0] for line in done.stderr.splitlines()[:4]] == [
            "without opensearch",
            "without alertmanager",
            "without prometheus",
            "without collector",
        ]
        assert "Or put prometheus 3.0 or newer on PATH." in done.stderr
        assert done.stderr.endswith("Error: no engine is at hand; the lines above say how to get each\n")

    def test_one_that_is_named_may_not_be_left_out(self, command: Command) -> None:
        done = command("up", "--only", "prometheus", "--no-build")
        assert done.returncode == 1
        assert done.stderr.startswith(
            "Error: Prometheus is neither on PATH nor in the cache: `otel-llm-router stack build prometheus`"
        )

    def test_an_old_one_on_path_is_passed_over(self, command: Command, tools: Path) -> None:
        engine(tools, "prometheus", version="2.42.0")
        done = command("up", "--only", "prometheus", "--no-build")
        assert done.returncode == 1
        assert done.stderr.startswith(f"{tools / 'prometheus'} is 2.42.0; 3.0 or newer is needed\n")

    def test_a_port_that_is_named_and_taken_is_an_error(self, command: Command, tools: Path) -> None:
        engine(tools, "prometheus")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            done = command("up", "--only", "prometheus", "--port", f"prometheus={port}")
        assert done.returncode == 1
        assert done.stderr == f"Error: port {port} for prometheus is taken; --port prometheus=0 chooses a free one\n"

    @pytest.mark.parametrize("value", ["prometheus", "prometheus=x", "prometheus=70000", "grafana=1", "prometheus=-1"])
    def test_a_bad_port_lists_the_names(self, command: Command, value: str) -> None:
        done = command("up", "--port", value)
        assert done.returncode == 2
        assert f"{value!r} is not NAME=PORT with a name of otlp-http, " in done.stderr


class TestCollector:
    UP = ("up", "--only", "collector", "--no-build", "--free-ports", "--json")

    def test_one_on_path_needs_no_build(self, command: Command, tools: Path) -> None:
        write(tools / "otelcol", COLLECTOR.format(python=sys.executable))
        assert told(command(*self.UP))["collector"]["version"] == "0.145.0"

    def test_without_one_it_says_how_to_get_it(self, command: Command) -> None:
        done = command(*self.UP)
        assert done.returncode == 1
        assert "`otel-llm-router collector run --build-only` builds it" in done.stderr

    def test_a_damaged_queue_keeps_it_from_nothing(self, command: Command, tools: Path, tmp_path: Path) -> None:
        write(tools / "otelcol", COLLECTOR.format(python=sys.executable))
        queues = tmp_path / "data" / "collector" / "queues"
        queues.mkdir(parents=True)
        (queues / "exporter").write_text("no database at all")
        done = command(*self.UP)
        assert done.returncode == 0
        assert "a queue file is damaged and was set aside, with what waited in it: " in done.stderr
        assert sorted(path.name.partition(".")[0] for path in queues.iterdir()) == ["exporter", "reserve"]
        assert [path.suffix for path in queues.glob("exporter*")] == [".backup"]


class TestDown:
    def test_it_ends_all_and_purges_only_what_is_ours(self, command: Command, tools: Path, tmp_path: Path) -> None:
        for name in ("prometheus", "alertmanager"):
            engine(tools, name)
        started = told(command(*UP))
        (tmp_path / "data" / "mine.txt").write_text("mine")
        done = command("down", "--purge")
        assert done.stderr.splitlines() == ["prometheus ended", "alertmanager ended"]
        assert not any(runs(one["pid"]) for one in started.values())
        assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["mine.txt", "stack.lock"]
        assert command("down").returncode == 0

    def test_a_stranger_with_the_same_process_id_is_left_alone(
        self, command: Command, tools: Path, tmp_path: Path
    ) -> None:
        engine(tools, "prometheus")
        (started,) = told(command("up", "--only", "prometheus", "--free-ports", "--json")).values()
        os.kill(started["pid"], signal.SIGKILL)
        with subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        ) as stranger:
            state = tmp_path / "data" / "stack.json"
            content = json.loads(state.read_text())
            content["engines"][0]["pid"] = stranger.pid
            content["engines"][0]["started"] -= 3600
            state.write_text(json.dumps(content))
            assert command("status").returncode == 1
            assert "prometheus was not running" in command("down").stderr
            assert stranger.poll() is None
            stranger.communicate(b"")

    def test_what_does_not_end_is_killed(self) -> None:
        code = (
            "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); sys.stdin.read()"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            started = psutil.Process(process.pid).create_time()
            one = Running("prometheus", "1", process.pid, started, "", "", "", "", "", {})
            ended: list[bool] = []
            stop([one], lambda _engine, forced: ended.append(forced), seconds=0.2)
            assert ended == [True]
            assert process.wait(20) == -signal.SIGKILL

    def test_a_state_that_cannot_be_read_names_the_file(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "stack.json").write_text("{}")
        done = command("down")
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: {tmp_path / 'data' / 'stack.json'} does not say which engines run")
        (tmp_path / "data" / "stack.json").unlink()


class TestOpenSearch:
    @pytest.fixture(autouse=True)
    def java(self, tools: Path) -> None:
        write(tools / "java", "#!/bin/sh\n")
        write(tools / "javac", "#!/bin/sh\necho javac 17.0.1\n")

    def test_jars_that_are_others_are_not_used(self, command: Command, tools: Path, tmp_path: Path) -> None:
        does = 'mkdir "$libraries"; echo no jar > "$libraries/opensearch-2.19.6.jar"; echo > "$libraries/other.jar"'
        write(tools / "mvn", MAVEN.format(does=does))
        done = command("build", "opensearch")
        assert done.returncode == 1
        assert "these jars are not those of checksums.sha256: HdrHistogram-" in done.stderr
        assert "opensearch-2.19.6.jar, " in done.stderr
        assert "other.jar" in done.stderr
        left = [path.suffix for path in (tmp_path / "cache" / "engines" / "opensearch").iterdir()]
        assert sorted(left) == [".lock", ".log"]

    def test_without_a_registry_it_shows_what_maven_said(self, command: Command, tools: Path) -> None:
        write(tools / "mvn", MAVEN.format(does="echo '[ERROR] Could not transfer artifact'; exit 1"))
        done = command("build", "opensearch")
        assert done.returncode == 1
        assert (
            "OpenSearch cannot be resolved: mvn exited with 1:\n  [ERROR] Could not transfer artifact\n" in done.stderr
        )

    def test_an_old_jdk_is_none(self, command: Command, tools: Path) -> None:
        write(tools / "javac", "#!/bin/sh\necho javac 1.8.0_292\n")
        write(tools / "mvn", MAVEN.format(does="exit 1"))
        done = command("build", "opensearch")
        assert done.returncode == 1
        assert "says javac 1.8.0_292. It needs a JDK (11 or newer) and Maven" in done.stderr


class TestBuild:
    def test_an_unknown_name_lists_those_that_there_are(self, command: Command) -> None:
        done = command("build", "grafana")
        assert done.returncode == 2
        assert "'grafana' is none of collector, prometheus, promtool, alertmanager, opensearch" in done.stderr

    def test_offline_it_says_where_modules_come_from(self, command: Command, tools: Path) -> None:
        go = """#!/bin/sh
case "$1" in
env) echo go1.99.0; echo /goroot ;;
*) echo 'go: example.com/a@v1: Get "https://proxy.invalid/": dial tcp: lookup proxy.invalid: no such host' >&2; exit 1 ;;
esac
"""
        write(tools / "go", go)
        done = command("build", "prometheus")
        assert done.returncode == 1
        assert "Error: building Prometheus failed while downloading modules (go exited with 1):" in done.stderr
        assert "The modules come from Go's proxy (`go env GOPROXY`), which was not reached." in done.stderr
