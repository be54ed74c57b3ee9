"""Takes a stream as a session does: swiftly as far as that goes, and message by message what it leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compute.core.batch import ChangeBatch
from compute.engine.pgoutput.assembly import Assembler
from compute.engine.pgoutput.native import library
from compute.engine.pgoutput.native.machine import NativeMachine
from compute.engine.pgoutput.outbox import Outbox
from compute.engine.pgoutput.reader import StreamReader
from compute.engine.pgoutput.swift import Machine

Way = Callable[[bytes, int], int]


def message_by_message(_buffer: bytes, at: int) -> int:
    """The way that leaves everything."""
    return at


def native() -> Machine:
    """The compiled machine; without a compiler the test fails."""
    found = library.load()
    if found is None:
        pytest.fail("no C compiler here; the accelerator cannot be tested")
    return NativeMachine(found)


def take(
    data: bytes,
    reader: StreamReader,
    outbox: Outbox,
    *,
    pieces: int = 1,
    intake: StreamReader | Assembler | None = None,
    way: Way | None = None,
) -> list[ChangeBatch]:
    """The batches that come of `data`, offered and acknowledged at the end of each of so many pieces.

    `intake`: what messages go to first, by default `reader`. `way`: another than its own for ordinary ones.
    """
    intake = intake or reader
    run = way or intake.run
    made, at = [], 0
    for piece in range(1, pieces + 1):
        end = len(data) * piece // pieces
        reader.go_on()
        while True:
            at = run(data[:end], at)
            if end - at < 5 or (stop := at + 1 + int.from_bytes(data[at + 1 : at + 5])) > end:
                break
            intake.read(data[at + 30 : stop], int.from_bytes(data[at + 6 : at + 14]))
            at = stop
        reader.offer()
        while (batch := outbox.take(0.0)) is not None:
            made.append(batch)
            outbox.acknowledge(batch.sequence)
    assert at == len(data)
    return made
