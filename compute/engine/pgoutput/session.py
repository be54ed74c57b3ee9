"""The stream of one slot: messages come, status updates go."""

from __future__ import annotations

import select
import ssl
import time
from struct import Struct
from typing import Final, Protocol

from compute.engine.base import EngineSource
from compute.engine.malloc import RETURNED_BYTES
from compute.engine.pgoutput.wire import Wire, WireError, frame, lost, server_error
from rosetta.dialects.postgres import literal, quoted
from rosetta.lsn import Lsn

# The source hears of us at least this often; its default patience is a minute.
_STATUS_SECONDS: Final = 2.0
# Each word wakes the source, which has to decode meanwhile.
_NEWS_SECONDS: Final = 0.05
_ASK_SECONDS: Final = 0.05
_END_SECONDS: Final = 3.0
_RECEIVE_BYTES: Final = RETURNED_BYTES // 2
_OBJECT_IN_USE: Final = "55006"
_HEAD_BYTES: Final = 5
_COPY_DATA, _XLOG_DATA, _KEEPALIVE, _ERROR = b"dwkE"
_NOTICES: Final = b"NSA"
_PAYLOAD_AT: Final = 30  # behind the frame's head, the kind, two LSNs and a time
_u32: Final = Struct(">I").unpack_from
_u64: Final = Struct(">Q").unpack_from
_STATUS: Final = Struct(">cQQQq?").pack
_EPOCH_SECONDS: Final = 946_684_800


class Reader(Protocol):
    """Who takes the messages."""

    @property
    def seen(self) -> int:
        """LSN of the newest message that was taken."""

    def run(self, buffer: bytes, at: int) -> int:
        """Takes as many whole frames from `at` on as are nothing special, perhaps none; returns where the next one is.

        Cheaper than a message at a time, and no more.
        """

    def read(self, payload: bytes, lsn: int) -> None:
        """Takes one message, whatever it is; `lsn` is where it stands in the WAL."""


class ReplicationSession:
    """Streams one slot. All methods but `wake` belong to one thread, and raise WireError when the stream ends."""

    def __init__(self, source: EngineSource) -> None:
        """Connects. Raises WireError, or ConfigurationError, when that cannot be."""
        self._source = source
        self._wire = Wire(source.endpoint)
        self._socket = self._wire.socket
        self._chunks: list[bytes] = []
        self._held_bytes = 0
        self.received_bytes = 0
        self._needed_bytes = _HEAD_BYTES
        self._unsent = b""
        self._received = 0
        self.sent = 0  # up to where the source has read its log, and sent what it is to send
        self._flushed = Lsn(0)
        self._told_at = self._asked_at = 0.0
        self._is_asked = False
        self._ended = False

    def stream(self, start: Lsn, *, in_progress: bool = False) -> None:
        """Begins to stream behind `start`; see `is_busy`.

        `in_progress`: large transactions come before they are committed, by version 2 of the protocol.
        """
        slot, publication = quoted(self._source.slot), literal(quoted(self._source.publication))
        version = "proto_version '2', streaming 'on'" if in_progress else "proto_version '1'"
        options = f"{version}, publication_names {publication}, messages 'true'"
        self._wire.send(b"Q", f"START_REPLICATION SLOT {slot} LOGICAL {start} ({options})\0".encode())
        kind, _ = self._wire.receive()
        if kind != b"W":
            raise WireError("the source does not stream")
        self._received = start
        self._socket.setblocking(False)

    def read(self, reader: Reader) -> bool:
        """Hands on what is here already; false when there is nothing."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            raise lost(error) from None
        if not data:
            raise WireError("the source closed the connection")
        self._chunks.append(data)
        self._held_bytes += len(data)
        self.received_bytes += len(data)
        if self._held_bytes >= self._needed_bytes:
            self._hand_on(data if len(self._chunks) == 1 else b"".join(self._chunks), reader)
        return True

    def wait(self, timeout_seconds: float) -> None:
        """Returns when something came, or in time."""
        select.select([self._socket], [], [], timeout_seconds)

    def tell(self, flushed: Lsn, *, now: bool = False, ask: bool = False) -> None:
        """Says what is durable here, when that is news, or was asked for, or it is time again.

        `ask`: the source is to say how far it has come; that is not asked all the time.
        """
        moment = time.monotonic()
        ask = ask and moment - self._asked_at >= _ASK_SECONDS
        if ask:
            self._asked_at = moment
        due = moment - self._told_at >= (_NEWS_SECONDS if flushed > self._flushed else _STATUS_SECONDS)
        if now or ask or self._is_asked or due:
            self._flushed = max(self._flushed, flushed)
            micros = round((time.time() - _EPOCH_SECONDS) * 1e6)
            received = max(self._received, self._flushed)
            self._send(frame(b"d", _STATUS(b"r", received, self._flushed, self._flushed, micros, ask)))
            self._told_at, self._is_asked = moment, False

    def end(self) -> None:
        """Says that nothing more is wanted, and reads on until the source has ended the stream and freed the slot.

        A source in the middle of a large transaction does not listen in time; the slot is free when it notices.
        """
        self._send(frame(b"c", b""))
        deadline = time.monotonic() + _END_SECONDS
        while not self._ended and time.monotonic() < deadline:
            if not self.read(_NOBODY):
                self.wait(0.05)
                self._send(b"")

    def close(self) -> None:
        self._socket.close()

    def _send(self, data: bytes) -> None:
        self._unsent += data
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return  # the rest goes with the next status
        except OSError as error:
            raise lost(error) from None

    def _hand_on(self, buffer: bytes, reader: Reader) -> None:
        at, end, needed = 0, len(buffer), _HEAD_BYTES
        while end - (at := reader.run(buffer, at)) >= _HEAD_BYTES:
            stop = at + 1 + _u32(buffer, at + 1)[0]
            if stop > end:
                needed = stop - at
                break
            if buffer[at] == _COPY_DATA and buffer[at + 5] == _XLOG_DATA:
                reader.read(buffer[at + _PAYLOAD_AT : stop], _u64(buffer, at + 6)[0])
            else:
                self._hear(buffer[at:stop])
            at = stop
        self._received = max(self._received, reader.seen)
        self._chunks = [buffer[at:]] if at < end else []
        self._held_bytes, self._needed_bytes = end - at, needed

    def _hear(self, message: bytes) -> None:
        """Takes what is no change: a keepalive, an error, a notice, the stream's end."""
        kind = message[0]
        if kind == _COPY_DATA and message[5] == _KEEPALIVE:
            self.sent = _u64(message, 6)[0]
            self._received = max(self._received, self.sent)
            self._is_asked = self._is_asked or bool(message[22])
        elif kind == _ERROR:
            raise server_error(message[5:])
        elif kind not in _NOTICES:
            self._ended = True


class _Nobody:
    """Passes over what still comes when nothing more is wanted."""

    seen: Final = 0

    def run(self, _buffer: bytes, at: int) -> int:
        return at

    def read(self, _payload: bytes, _lsn: int) -> None:
        """Comes again at the next start."""


_NOBODY: Final = _Nobody()


def is_busy(error: WireError) -> bool:
    """Whether somebody else reads the slot, as a process that is only just ending does."""
    return error.state == _OBJECT_IN_USE
