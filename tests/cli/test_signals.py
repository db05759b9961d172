"""`otel-llm-router signals`: the catalogue for a person, for a page and for a script."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from otel_llm_router import signals
from otel_llm_router.cli.signals import signals as command
from tests.e2e.running import BIN, environment

COMMAND = [BIN / "otel-llm-router", "signals"]
PAGE = Path(__file__).parents[2] / "docs" / "signals.md"

KEYS = {
    "name",
    "prometheus_name",
    "kind",
    "unit",
    "buckets",
    "attributes",
    "merge",
    "stability",
    "source",
}


def on_a_terminal(columns: int) -> list[str]:
    """What a terminal of that width shows, line by line, without its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    kept = {name: value for name, value in environment(TERM="xterm").items() if name not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(COMMAND, env=kept, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        while piece := _read(ours):
            text += piece
    os.close(ours)
    assert process.returncode == 0
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).splitlines()]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux answers once the other side is closed
        return b""


def words(one: signals.Instrument) -> list[str]:
    labels = [attribute.key for attribute in one.attributes]
    return [one.prometheus_name, *one.kind.value.split("_"), *labels, one.stability.value]


def answer(*arguments: str) -> Any:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.mark.parametrize("columns", ["20", "80", "500"])
def test_piped_each_metric_is_one_whole_line_whatever_the_width(columns: str) -> None:
    done = subprocess.run(COMMAND, env=environment(COLUMNS=columns), capture_output=True, text=True, check=True)
    header, *rows = [line.split() for line in done.stdout.splitlines()]
    assert header == ["Prometheus", "name", "kind", "labels", "stability"]
    assert rows[: len(signals.INSTRUMENTS)] == [words(one) for one in signals.INSTRUMENTS]
    assert f"{len(signals.INSTRUMENTS)} metrics, {len(signals.SPANS)} kinds of spans" in done.stdout
    assert done.stderr == ""


def test_a_terminal_of_80_columns_cuts_nothing_off() -> None:
    lines = on_a_terminal(80)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    text = " ".join(" ".join(lines).split())
    for one in signals.INSTRUMENTS:
        assert one.prometheus_name in lines
        labels = " ".join(attribute.key for attribute in one.attributes)
        about = f"{one.kind.value.replace('_', ' ')}, {one.stability.value}{': ' if labels else ''}{labels}"
        assert f"{one.prometheus_name} {about}" in text


def test_a_wide_terminal_has_a_table() -> None:
    header, *rows = [line.split() for line in on_a_terminal(250)]
    assert header == ["Prometheus", "name", "kind", "labels", "stability"]
    assert rows[: len(signals.INSTRUMENTS)] == [words(one) for one in signals.INSTRUMENTS]


def test_markdown_is_the_page_in_the_documentation() -> None:
    done = subprocess.run([*COMMAND, "--markdown"], env=environment(), capture_output=True, check=True)
    assert done.stdout == PAGE.read_bytes()


def test_json_has_one_object_for_each_metric() -> None:
    entries = answer("--json")
    assert [entry["prometheus_name"] for entry in entries] == [one.prometheus_name for one in signals.INSTRUMENTS]
    for entry, one in zip(entries, signals.INSTRUMENTS, strict=True):
        assert entry == {
            "name": one.name,
            "prometheus_name": one.prometheus_name,
            "kind": one.kind.value,
            "unit": one.unit,
            "buckets": list(one.buckets),
            "attributes": [attribute.key for attribute in one.attributes],
            "merge": one.merge.value,
            "stability": one.stability.value,
            "source": one.source,
        }


def test_json_keeps_its_keys_and_types() -> None:
    for entry in answer("--json"):
        assert set(entry) == KEYS
        assert entry["kind"] in {kind.value for kind in signals.Kind}
        assert entry["stability"] in {"stable", "development"}
        assert entry["source"]
        buckets = entry["buckets"]
        assert bool(buckets) is (entry["kind"] == "histogram")
        assert buckets == sorted(set(buckets))
        assert all(isinstance(attribute, str) for attribute in entry["attributes"])


def test_json_has_the_buckets_that_dashboards_depend_on() -> None:
    buckets = {entry["prometheus_name"]: entry["buckets"] for entry in answer("--json")}
    assert buckets["llm_router_http_request_duration_seconds"] == [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30]
    assert buckets["llm_router_process_gc_pause_seconds"] == [0.001, 0.01, 0.1, 1, 2, 5]
    assert buckets["llm_router_inference_total"] == []


def test_two_forms_at_once_are_refused() -> None:
    result = CliRunner().invoke(command, ["--markdown", "--json"])
    assert result.exit_code == 2
    assert "Error: --markdown and --json cannot go together" in result.output


@pytest.mark.parametrize("argument", ["--jsn", "metrics"])
def test_a_slip_is_named(argument: str) -> None:
    result = CliRunner().invoke(command, [argument])
    assert result.exit_code == 2
    assert argument in result.output


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    for expected in ("--markdown", "--json", "\n  Example:\n    otel-llm-router signals\n"):
        assert expected in result.output
