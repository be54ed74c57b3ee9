"""Messages of transactions that are sent while they are in progress (protocol version 2; "Stream" in the manual).

They come in pieces, each between a Stream Start and a Stream Stop, among other transactions. In a piece every message
that changes something names the transaction it is of, which may be one within the other: a subtransaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error
from typing import Final

from compute.engine.pgoutput import protocol
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.protocol import EPOCH_MICROS

START, STOP, COMMIT, ABORT = b"SEcA"
# What in a piece has the transaction's id behind its kind.
OWNED: Final = frozenset(protocol.ROWS) | {protocol.RELATION, protocol.TYPE, protocol.TRUNCATE, protocol.MESSAGE}

_START: Final = Struct(">cI?")
_COMMIT: Final = Struct(">cIBqqq")
_ABORT: Final = Struct(">cII")
_OWNER: Final = Struct(">cI")
_BEGIN: Final = Struct(">cqqI")
_END: Final = Struct(">cBqqq")


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A piece of transaction `xid` begins, the first one or a further one."""

    xid: int
    is_first: bool


@dataclass(frozen=True, slots=True)
class StreamCommit:
    """What came of `xid` holds; see `protocol.Begin` and `protocol.Commit`."""

    xid: int
    commit_lsn: int
    end_lsn: int
    micros: int

    def begin(self) -> bytes:
        """The message that begins such a transaction where it is sent whole."""
        return _BEGIN.pack(b"B", self.commit_lsn, self.micros - EPOCH_MICROS, self.xid)

    def end(self) -> bytes:
        """The message that ends it there."""
        return _END.pack(b"C", 0, self.commit_lsn, self.end_lsn, self.micros - EPOCH_MICROS)


@dataclass(frozen=True, slots=True)
class StreamAbort:
    """What came of `subxid`, a part of `xid` or all of it, and everything that came of it since, is void."""

    xid: int
    subxid: int


def stream_start(payload: bytes) -> StreamStart:
    _, xid, is_first = _unpacked(_START, payload)
    return StreamStart(xid, bool(is_first))


def stream_commit(payload: bytes) -> StreamCommit:
    _, xid, _, commit_lsn, end_lsn, micros = _unpacked(_COMMIT, payload)
    return StreamCommit(xid, commit_lsn, end_lsn, micros + EPOCH_MICROS)


def stream_abort(payload: bytes) -> StreamAbort:
    _, xid, subxid = _unpacked(_ABORT, payload)
    return StreamAbort(xid, subxid)


def owned(payload: bytes) -> tuple[int, bytes]:
    """Whose a message in a piece is, and the message as it is where transactions are sent whole."""
    _, xid = _unpacked(_OWNER, payload)
    return xid, payload[:1] + payload[5:]


def _unpacked(layout: Struct, payload: bytes) -> tuple[int, ...]:
    try:
        return layout.unpack_from(payload)
    except error:
        raise StreamError(
            f"a message of kind {chr(payload[0])!r} with {len(payload)} bytes is not what pgoutput sends"
        ) from None
