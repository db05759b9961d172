"""Files that appear as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_llm_router import _whole_files


def test_a_file_is_replaced_and_is_this_users_alone(tmp_path: Path):
    path, beside = tmp_path / "kept", tmp_path / "draft"
    path.write_bytes(b"longer than what follows")
    _whole_files.replace(path, b"new", beside=beside)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_left_of_an_earlier_try_is_written_over(tmp_path: Path):
    path, beside = tmp_path / "kept", tmp_path / "draft"
    beside.write_bytes(b"half of somethi")
    _whole_files.replace(path, b"new", beside=beside)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_is_there_still_and_nothing_else(tmp_path: Path):
    path, beside = tmp_path / "kept", tmp_path / "draft"
    path.mkdir()
    with pytest.raises(OSError, match="kept"):
        _whole_files.replace(path, b"new", beside=beside)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_drafts_place_is_not_followed(tmp_path: Path):
    path, beside, others = tmp_path / "kept", tmp_path / "draft", tmp_path / "others"
    others.write_bytes(b"not ours")
    beside.symlink_to(others)
    with pytest.raises(OSError, match="draft"):
        _whole_files.replace(path, b"new", beside=beside)
    assert others.read_bytes() == b"not ours"
    assert not path.exists()
