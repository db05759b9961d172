"""The Collector's queues on disk: what waits there survives, and a file that is damaged keeps nothing from starting."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from urllib.request import urlopen

import pytest

from collector_command import Command
from dashboards.source.collector_series import SERIES
from otel_llm_router.cli._bolt_file import fault
from otel_llm_router.cli._collector_layers import files
from otel_llm_router.cli._collector_process import CollectorProcess
from otel_llm_router.cli._collector_settings import CollectorSettings
from otel_llm_router.cli._collector_storage import prepare, reserve
from test_collector_layers import eventually, logs, post, record

NOWHERE = "http://127.0.0.1:9"
PAGE = 4096
LEAF = b"\x02\x00"


@pytest.fixture(scope="session")
def queue(collector_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real queue file that a killed Collector left behind, with what Loki did not take."""
    directory = tmp_path_factory.mktemp("queue")
    chosen = CollectorSettings.on_free_ports(directory, configs=files(["loki"]))
    settings = replace(chosen, variables={"LLM_ROUTER_COLLECTOR_LOKI": NOWHERE})
    with CollectorProcess(collector_binary, settings, log=directory / "log") as collector:
        for _ in range(40):
            assert post(collector, "logs", logs(*(record("x", body="y" * 1000) for _ in range(5)))) == 200
        os.kill(collector.pid, signal.SIGKILL)
    return settings.storage / "exporter_otlp_http_loki_logs"


def zeroed_meta(content: bytearray) -> None:
    content[: 2 * PAGE] = bytes(2 * PAGE)


def one_bit_of_both_metas(content: bytearray) -> None:
    content[16 + 40] ^= 1
    content[PAGE + 16 + 40] ^= 1


def rubbish(content: bytearray) -> None:
    content[:] = random.Random(1).randbytes(len(content))


def truncated(content: bytearray) -> None:
    del content[len(content) // 8 :]


def one_page(content: bytearray) -> None:
    del content[PAGE:]


def text(content: bytearray) -> None:
    content[:] = b"this was a database\n"


def zeroed_pages(content: bytearray) -> None:
    content[2 * PAGE : len(content) // 2] = bytes(len(content) // 2 - 2 * PAGE)


def a_leaf_of_another_kind(content: bytearray) -> None:
    for start in range(2 * PAGE, len(content), PAGE):
        if bytes(content[start + 8 : start + 10]) == LEAF:
            content[start + 8] = 0x40


def too_many_elements(content: bytearray) -> None:
    for start in range(2 * PAGE, len(content), PAGE):
        if bytes(content[start + 8 : start + 10]) == LEAF:
            content[start + 10 : start + 12] = b"\xff\xff"


def pages_with_the_numbers_of_others(content: bytearray) -> None:
    for start in range(2 * PAGE, len(content), PAGE):
        content[start] ^= 0xFF


DAMAGES = [
    zeroed_meta,
    one_bit_of_both_metas,
    rubbish,
    truncated,
    one_page,
    text,
    zeroed_pages,
    a_leaf_of_another_kind,
    too_many_elements,
    pages_with_the_numbers_of_others,
]


class TestDamage:
    def test_a_whole_file_has_none(self, queue: Path, tmp_path: Path) -> None:
        assert fault(queue) is None
        (tmp_path / "new").touch()
        assert fault(tmp_path / "new") is None

    @pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
    def test_it_is_seen(self, queue: Path, tmp_path: Path, damage: Callable[[bytearray], None]) -> None:
        content = bytearray(queue.read_bytes())
        damage(content)
        (tmp_path / "damaged").write_bytes(content)
        assert fault(tmp_path / "damaged")

    def test_random_bytes_in_any_place_never_raise(self, queue: Path, tmp_path: Path) -> None:
        chance = random.Random(1)
        whole = queue.read_bytes()
        for _ in range(300):
            content = bytearray(whole)
            for _ in range(chance.choice((1, 8, 64))):
                content[chance.randrange(len(content))] = chance.randrange(256)
            (tmp_path / "file").write_bytes(content)
            fault(tmp_path / "file")

    def test_one_meta_page_is_enough(self, queue: Path, tmp_path: Path) -> None:
        found: list[str | None] = []
        for which in (0, 1):
            content = bytearray(queue.read_bytes())
            content[which * PAGE + 16 + 40] ^= 1
            (tmp_path / "file").write_bytes(content)
            found.append(fault(tmp_path / "file"))
        # Of the older one at least: in what it names, a transaction may have been under way.
        assert None in found


class TestSetAside:
    def test_a_damaged_file_goes_and_a_whole_one_stays(self, queue: Path, tmp_path: Path) -> None:
        (tmp_path / "whole").write_bytes(queue.read_bytes())
        (tmp_path / "damaged").write_bytes(queue.read_bytes()[:PAGE])
        (one,) = prepare(tmp_path)
        assert one.path.name.startswith("damaged.2")
        assert one.path.suffix == ".backup"
        assert "meta" in one.reason or "should have" in one.reason
        assert sorted(path.name for path in tmp_path.iterdir()) == [one.path.name, "whole"]
        assert prepare(tmp_path) == []

    def test_one_that_a_collector_holds_is_left_alone(self, tmp_path: Path) -> None:
        damaged = tmp_path / "damaged"
        damaged.write_text("no database at all")
        with damaged.open("rb+") as held:
            fcntl.flock(held.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert prepare(tmp_path) == []
        assert len(prepare(tmp_path)) == 1

    def test_the_reserve_is_given_back(self, tmp_path: Path) -> None:
        reserve(tmp_path)
        (file,) = tmp_path.iterdir()
        assert file.stat().st_blocks * 512 >= 1 << 20
        assert prepare(tmp_path) == []
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("collector_binary")
    def test_the_collector_starts_and_says_so_and_counts_it(
        self, command: Command, queue: Path, tmp_path: Path
    ) -> None:
        settings = CollectorSettings.on_free_ports(tmp_path / "data")
        settings.storage.mkdir(parents=True)
        own = tmp_path / "own.yaml"
        own.write_text(json.dumps({"exporters": {"otlp_http/loki": {"endpoint": NOWHERE}}}))
        (settings.storage / queue.name).write_bytes(queue.read_bytes()[: 3 * PAGE])
        process = self.started(command, settings, "--with=loki", "--with=prometheus", f"--config={own}")
        assert process.stderr is not None
        said = process.stderr.readline()
        while "is ready" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        (backup,) = settings.storage.glob("*.backup")
        assert f"a queue file is damaged and was set aside, with what waited in it: {backup} (" in said

        def counted() -> bool:
            with urlopen(f"http://{settings.prometheus}/metrics", timeout=5) as answer:
                return b"\notelcol_storage_files_set_aside{" in (text := answer.read()) and b'"} 1\n' in text

        assert eventually(counted)

    def started(self, command: Command, settings: CollectorSettings, *arguments: str) -> Popen[str]:
        return command(
            *("run", "--otlp-http", settings.otlp_http, "--otlp-grpc", settings.otlp_grpc),
            *("--prometheus", settings.prometheus, "--health", settings.health, "--telemetry", "none"),
            *("--data-dir", str(settings.data_dir), *arguments),
        )


class TestBackPressure:
    def test_a_full_queue_turns_senders_away_and_the_alerts_see_it(
        self, collector_binary: Path, tmp_path: Path
    ) -> None:
        chosen = CollectorSettings.on_free_ports(tmp_path, configs=files(["loki", "files"]))
        variables = {"LLM_ROUTER_COLLECTOR_LOKI": NOWHERE, "LLM_ROUTER_COLLECTOR_QUEUE_BYTES": "300000"}
        (telemetry,) = {CollectorSettings.on_free_ports(tmp_path).prometheus}
        settings = replace(chosen, variables=variables, telemetry=telemetry)
        with CollectorProcess(collector_binary, settings, log=tmp_path / "log") as collector:
            codes = [post(collector, "logs", logs(record("x", body="y" * 60_000))) for _ in range(8)]
            assert codes[0] == 200
            assert codes[-1] == 503
            # The others have what was turned away: a full queue is no reason to withhold it from them.
            assert collector.settings.logs_file.read_text().count("y" * 60_000) == 8
            with urlopen(f"http://{telemetry}/metrics", timeout=5) as answer:
                own = answer.read().decode()
        # The others are named alike, and are there once something came, or was given up. That of files is tested above.
        elsewhere = ("spans", "metric_points", "send_failed_log_records", "files_set_aside")
        missing = [name for name in SERIES if not name.endswith(elsewhere) and f"\n{name}{{" not in own]
        assert missing == []
