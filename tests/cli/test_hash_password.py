"""``otel-llm-router hash-password``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from otel_llm_router.cli import main
from otel_llm_router.export import _passwords


def test_a_line_for_the_file_of_users(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["hash-password", "prometheus", "--password", "pa:ss"])
    assert done.exit_code == 0
    (name, stored), *others = _passwords.users(done.output.encode()).items()
    assert (name, others) == ("prometheus", [])
    assert _passwords.verified("pa:ss", stored)
    assert "pa:ss" not in done.output


@pytest.mark.parametrize("user", ["", "a:b", " a"])
def test_what_is_no_user(user: str) -> None:
    done = CliRunner().invoke(main, ["hash-password", user, "--password", "x"])
    assert done.exit_code == 2
    assert "a user's name" in done.output
