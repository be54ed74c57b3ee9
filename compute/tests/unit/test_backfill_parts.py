"""The parts of a copy that need no server: scratch files, budgets, watermarks, landings."""

from __future__ import annotations

import resource
import threading
from functools import partial
from pathlib import Path

import pytest

from compute.backfill.flight import Budget, Landed, Landings, Pending, PendingChunk, Watermarks, combined
from compute.backfill.ports import CopyProgress
from compute.backfill.scratch import Scratch, last_line, values_of
from rosetta.errors import DataError, OutageError


def test_small_data_comes_back_as_bytes_and_the_file_is_used_again(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, inline_bytes=10)
    scratch.begin().write(b"1\tabcdef\n")
    assert scratch.take() == b"1\tabcdef\n"
    scratch.begin().write(b"2\tx\n")
    assert scratch.take() == b"2\tx\n"
    assert len(list(tmp_path.iterdir())) == 1
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_large_data_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, inline_bytes=10)
    scratch.begin().write(b"1\tabcdefghi\n")
    first = scratch.take()
    scratch.begin().write(b"2\tx\n")
    assert isinstance(first, Path)
    assert first.read_bytes() == b"1\tabcdefghi\n"
    assert scratch.take() == b"2\tx\n"
    scratch.close()
    assert list(tmp_path.iterdir()) == [first]
    assert first.stat().st_mode & 0o077 == 0


def test_a_file_without_room_is_given_up_and_the_next_one_is_used(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, inline_bytes=10)
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, allowed[1]))
    try:
        with pytest.raises(OutageError) as caught, scratch.room("reading"):
            scratch.begin().write(b"x" * 3_000_000)
        assert caught.value.code == "SCRATCH_DISK"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert list(tmp_path.iterdir()) == []
    scratch.begin().write(b"2\tx\n")
    assert scratch.take() == b"2\tx\n"
    scratch.close()


@pytest.mark.parametrize("length", [1, 100, 65_535, 65_536, 65_537, 300_000, 2_000_000])
def test_last_line_of_bytes_and_files(tmp_path: Path, length: int) -> None:
    wanted = b"9\t" + b"y" * length
    path = tmp_path / "rows"
    for data in (wanted + b"\n", b"1\tfirst\n2\tsecond\n" + wanted + b"\n"):
        path.write_bytes(data)
        assert last_line(data) == last_line(path) == wanted


def test_values_of_a_line_are_unescaped() -> None:
    line = b"a\\\\\\tb\\nc\t\\\\N\tx\\b\\f\\r\\vy\tl\xc3\xa4\t\x01"
    assert values_of(line, (1, 0, 2, 3, 4)) == ("\\N", "a\\\tb\nc", "x\b\f\r\vy", "lä", "\x01")


def test_budget_lets_one_oversize_chunk_through() -> None:
    budget = Budget(100)
    assert budget.try_take(500)
    assert not budget.try_take(1)
    budget.give_back(500)
    assert budget.try_take(60)
    assert not budget.try_take(60)
    assert budget.try_take(40)


def _pending(number: int) -> PendingChunk:
    return PendingChunk(number, None, lambda _: None, lambda _: None)  # type: ignore[arg-type]


def test_a_watermark_releases_its_chunk_once() -> None:
    marks = Watermarks()
    marks.expect("a", "chunk:1", lambda: [_pending(1)])
    assert marks.take("chunk:of another process") == []
    assert [pending.destination_id for pending in marks.take("chunk:1")] == [1]
    assert marks.take("chunk:1") == []


def _released(number: int) -> list[Pending]:
    return [_pending(number)]


def test_forgetting_returns_what_was_not_released() -> None:
    marks = Watermarks()
    for number in (1, 2, 3):
        marks.expect("a" if number < 3 else "b", f"chunk:{number}", partial(_released, number))
    marks.take("chunk:1")
    assert [pending.destination_id for pending in marks.forget("a")] == [2]
    assert marks.take("chunk:2") == []
    assert len(marks.take("chunk:3")) == 1


def test_landings_add_up_to_the_last_cursor() -> None:
    landings = Landings()
    for number in (1, 2):
        landings.launched()
        landings.landed(Landed((str(number),), 10 * number, 100))
    assert landings.in_flight == 0
    first = landings.take()
    assert first == CopyProgress(("2",), 2, 30, 200)
    assert landings.take() is None
    landings.launched()
    landings.landed(Landed(None, 1, 1))
    assert combined(first, landings.take()) == CopyProgress(("2",), 3, 31, 201)


def test_the_end_of_the_table_keeps_the_cursor_before_it() -> None:
    landings = Landings()
    for cursor in (("1",), ("2",), None):
        landings.launched()
        landings.landed(Landed(cursor, 10, 100))
    assert landings.take() == CopyProgress(("2",), 3, 30, 300)


def test_a_failure_stays() -> None:
    landings = Landings()
    landings.launched()
    landings.launched()
    landings.failed(DataError("first"))
    landings.failed(DataError("second"))
    assert str(landings.failure) == "first"
    assert landings.in_flight == 0


def test_a_nudge_before_the_wait_is_not_lost() -> None:
    landings = Landings()
    landings.nudge()
    waiter = threading.Thread(target=landings.wait, args=(60.0,))
    waiter.start()
    waiter.join(5.0)
    assert not waiter.is_alive()
