"""Folders for the bytes of chunks: many pipelines of many installations share one temporary directory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from compute.backfill import scratch
from compute.backfill.scratch import ScratchFolder


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_YOUNG_SECONDS", 0.0)
    return tmp_path


def test_two_pipelines_never_share_a_folder_nor_remove_each_others() -> None:
    first = ScratchFolder("copy")
    (first.path / "chunk").write_bytes(b"row")
    second = ScratchFolder("copy")
    assert first.path != second.path
    assert (first.path / "chunk").read_bytes() == b"row"
    assert second.path.stat().st_mode & 0o777 == 0o700


def test_what_a_process_that_is_gone_left_is_removed(shared: Path) -> None:
    left = shared / "copy-left"
    left.mkdir()
    (left / "chunk").write_bytes(b"row")
    other = shared / "another"
    other.mkdir()
    ScratchFolder("copy")
    assert not left.exists()
    assert other.exists()


def test_a_folder_that_is_only_just_made_is_left_alone(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_YOUNG_SECONDS", 60.0)
    (shared / "copy-young").mkdir()
    ScratchFolder("copy")
    assert (shared / "copy-young").exists()


def test_a_link_is_not_followed(shared: Path) -> None:
    precious = shared / "precious"
    precious.mkdir()
    (shared / "copy-link").symlink_to(precious)
    ScratchFolder("copy")
    assert precious.exists()


def test_a_folder_goes_when_it_is_empty_and_stays_while_a_chunk_is_in_it() -> None:
    folder = ScratchFolder("copy")
    chunk = folder.path / "chunk"
    chunk.write_bytes(b"row")
    folder.close()
    assert chunk.exists()
    chunk.unlink()
    folder.close()
    folder.close()
    assert not folder.path.exists()
