"""Makes a stream of whole transactions of one with transactions in progress, at their commits."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from compute.engine.pgoutput import protocol, streamed
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.outbox import Outbox
from compute.engine.pgoutput.reader import StreamReader
from compute.engine.pgoutput.spool import Spool

_FRAME: Final = Struct(">BiBQ16xBI")  # see `swift`; and the id of the transaction that a message is of
_HEAD: Final = Struct(">Bi").pack
_FRONT: Final = Struct(">BiBQQq").pack
_DATA, _XLOG = b"dw"
_AT: Final = 30
_u32: Final = Struct(">I").unpack_from
_u64: Final = Struct(">Q").unpack_from


class Assembler:
    """Stands before a `StreamReader`: what is in progress goes to disk, and comes to the reader when it is committed.

    To the reader it is as if the transaction had been sent whole at its commit: order, positions and what it is told of
    relations are those of protocol version 1. So either may go on where the other stopped.
    """

    def __init__(self, reader: StreamReader, outbox: Outbox, chore: Callable[[], None]) -> None:
        """`chore` is done now and then while a transaction is read again; that ends when the outbox is closed."""
        self._reader = reader
        self._outbox = outbox
        self._chore = chore
        self._spools: dict[int, Spool] = {}
        self._open: Spool | None = None  # of the piece that is coming
        self._seen = 0
        # Of each relation the message that came last outside of what is in progress, and how many came before it.
        self._described: dict[bytes, tuple[int, bytes]] = {}
        self._descriptions = 0

    @property
    def seen(self) -> int:
        """See `Reader`."""
        return max(self._seen, self._reader.seen)

    def run(self, buffer: bytes, at: int) -> int:
        """See `Reader`."""
        if self._open is None:
            return self._reader.run(buffer, at)
        add, end, last = self._open.add, len(buffer), len(buffer) - _FRAME.size
        while at <= last:
            mark, size, letter, lsn, kind, xid = _FRAME.unpack_from(buffer, at)
            stop = at + 1 + size
            if stop > end or letter != _XLOG or mark != _DATA or kind not in protocol.ROWS:
                break
            add(xid, b"%b%b%b" % (_HEAD(_DATA, size - 4), buffer[at + 5 : at + _AT + 1], buffer[at + _AT + 5 : stop]))
            self._seen = lsn
            at = stop
        return at

    def read(self, payload: bytes, lsn: int) -> None:
        """See `Reader`.

        Raises:
            StreamError: the message, or what it says of a table, cannot be followed.
            OutageError: the disk takes nothing more.
        """
        self._seen = lsn
        kind = payload[0] if payload else None
        if self._open is not None:
            self._keep(self._open, payload, lsn)
        elif kind == streamed.START:
            self._open = self._spool(streamed.stream_start(payload))
        elif kind == streamed.COMMIT:
            self._commit(streamed.stream_commit(payload))
        elif kind == streamed.ABORT:
            self._abort(streamed.stream_abort(payload))
        else:
            if kind == protocol.RELATION:
                self._described[payload[1:5]] = self._numbered(), payload
            self._reader.read(payload, lsn)

    def close(self) -> None:
        """Drops what is in progress; it comes again at the next start."""
        for spool in self._spools.values():
            spool.close()
        self._spools, self._open = {}, None

    def _keep(self, spool: Spool, payload: bytes, lsn: int) -> None:
        kind = payload[0] if payload else None
        if kind == streamed.STOP:
            self._open = None
        elif kind in streamed.OWNED:
            xid, message = streamed.owned(payload)
            if kind == protocol.RELATION:
                spool.describe(self._numbered(), message)
            spool.add(xid, _FRONT(_DATA, len(message) + _AT - 1, _XLOG, lsn, lsn, 0) + message)
        elif kind != protocol.ORIGIN:
            raise StreamError(f"a message of kind {payload[:1]!r} came in a transaction in progress")

    def _spool(self, start: streamed.StreamStart) -> Spool:
        known = self._spools.get(start.xid)
        if start.is_first == (known is not None):
            raise StreamError("the pieces of a transaction in progress do not follow each other")
        if known is None:
            known = self._spools[start.xid] = Spool()
        return known

    def _abort(self, abort: streamed.StreamAbort) -> None:
        if abort.xid == abort.subxid:
            spool = self._spools.pop(abort.xid, None)
            if spool is not None:
                spool.close()
        elif abort.xid in self._spools:
            self._spools[abort.xid].drop(abort.subxid)

    def _commit(self, commit: streamed.StreamCommit) -> None:
        spool = self._spools.pop(commit.xid, None)
        if spool is None:
            raise StreamError("a transaction in progress was committed of which nothing came")
        try:
            self._reader.read(commit.begin(), commit.commit_lsn)
            for piece in spool.pieces():
                self._chore()
                self._reader.go_on()
                if self._outbox.closed:
                    return
                self._hand_on(piece)
            self._reader.read(commit.end(), commit.commit_lsn)
            self._settle(spool)
        finally:
            spool.close()

    def _hand_on(self, piece: bytes) -> None:
        at, end = 0, len(piece)
        while (at := self._reader.run(piece, at)) < end:
            stop = at + 1 + int(_u32(piece, at + 1)[0])
            self._reader.read(piece[at + _AT : stop], _u64(piece, at + 6)[0])
            at = stop

    def _settle(self, spool: Spool) -> None:
        """Has the reader know relations as the source believes it does: as it was told last, not as was read last."""
        for number, relation in spool.relations:
            newest, message = self._described.get(relation[1:5], (0, b""))
            if newest > number:
                self._reader.read(message, self._seen)
            else:
                self._described[relation[1:5]] = number, relation

    def _numbered(self) -> int:
        self._descriptions += 1
        return self._descriptions
