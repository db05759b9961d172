"""What the benchmarks of the Collector find, in small: nothing that was acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.collector import disk, kills, mixture, throughput


def test_nothing_acknowledged_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    found = kills.run(tmp_path, kills=5)
    assert found["acknowledged"] >= 500
    assert found["lost, OTLP back end"] == 0
    assert found["lost, Elasticsearch that came and went"] == 0
    assert found["documents beyond one for each record"] == 0


def test_a_full_disk_answers_503_and_loses_nothing(tmp_path: Path) -> None:
    try:
        found = disk.run(tmp_path)
    except disk.NoSmallDiskError as error:
        pytest.skip(f"no small file system can be mounted here: {error}")
    assert found["answered 503 when it was full"]
    assert found["acknowledged before it was full"] > 0
    assert found["lost"] == 0
    assert found["takes records again"]


def test_throughput_is_counted_by_answers(tmp_path: Path) -> None:
    found = throughput.run(tmp_path, seconds=0.5, rates=(1_000,))
    assert [one["shape"] for one in found] == list(throughput.SHAPES)
    found += mixture.run(tmp_path / "mixture", seconds=0.5, rates=(1_000,))
    assert [one.get("files") for one in found[len(throughput.SHAPES) :]] == list(mixture.SHAPES)
    assert all(one["records/s"] > 100 and one["refused"] == 0 and one["memory, MB"] > 10 for one in found)
