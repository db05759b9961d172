"""Checks of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_llm_router.health import _cgroup, builtin

LIMITED = {"memory.max": "1000", "memory.current": "900", "memory.stat": "anon 500\ninactive_file 200\n"}
FIRST = {
    "memory/memory.limit_in_bytes": "1000",
    "memory/memory.usage_in_bytes": "900",
    "memory/memory.stat": "total_inactive_file 100\n",
}


def test_they_need_no_router_and_say_value_and_threshold() -> None:
    for name, check in builtin.machine_checks(builtin.Limits()).items():
        result = check()
        threshold = {"cpu_usage": 80.0, "memory_usage": 85.0, "disk_space": 90.0, "network": 5.0}[name]
        assert result.details["threshold"] == threshold
        assert result.healthy is (result.details["value"] < threshold)


def test_limits_are_what_they_are_set_to() -> None:
    checks = builtin.machine_checks(builtin.Limits(memory=0.001, disk=0.001, cpu=101))
    assert not checks["memory_usage"]().healthy
    assert not checks["disk_space"]().healthy
    assert checks["cpu_usage"]().healthy


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (LIMITED, (700, 1000)),
        (FIRST, (800, 1000)),
        ({**LIMITED, "memory.max": "max"}, None),
        ({**FIRST, "memory/memory.limit_in_bytes": str(2**63 - 4096)}, None),
        ({"memory.max": "1000"}, None),
        ({}, None),
    ],
)
def test_a_containers_memory(tmp_path: Path, files: dict[str, str], expected: tuple[int, int] | None) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text + ("\n" if text.isdigit() else ""))
    assert _cgroup.memory(tmp_path) == expected
