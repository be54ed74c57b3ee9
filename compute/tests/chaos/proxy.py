"""A TCP proxy between a service and a server, whose line can be cut, held, slowed and reset while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

_CHUNK_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST
_ANSWER_SECONDS = 0.3  # for the server to carry out what it was sent before the line is cut


class Proxy:
    """Listens on a loopback port of its own and forwards to `upstream`; all methods may be called from any thread.

    Besides `refuse`, every state is that of the line and not of single connections: those that are open feel it, too.
    """

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        # Bound for good but never listening, so that nobody else gets the port while connections are refused.
        self._claim = _bound(0)
        self.port: int = self._claim.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._weather = _Weather()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._claim.close()

    @property
    def cuts(self) -> int:
        """How often `cut_on` and `cut_after` have cut."""
        return self._weather.cuts

    # -- the line's state -------------------------------------------------------------------------

    def heal(self) -> None:
        """Passes everything again; a connection that was held goes on where it was."""
        self._do(self._heal())

    def refuse(self) -> None:
        """Resets what is open and refuses new connections."""
        self._do(self._refuse())

    def black_hole(self) -> None:
        """Accepts connections and swallows no byte, but passes none either, in both directions."""
        self._loop.call_soon_threadsafe(self._weather.open.clear)

    def reset(self) -> None:
        """Resets what is open; new connections pass."""
        self._loop.call_soon_threadsafe(_reset_all, self._lines)

    def delay(self, seconds: float) -> None:
        """Holds every chunk for so long, in each direction."""
        self._weather.delay_seconds = seconds

    def throttle(self, bytes_per_second: float) -> None:
        """Of each connection and direction."""
        self._weather.bytes_per_second = bytes_per_second

    def cut_after(self, count: int) -> None:
        """Resets the next connection that has sent `count` bytes upstream, once."""
        self._weather.cut_after = count

    def cut_on(self, sent: bytes) -> None:
        """Resets the connection, once, when these bytes have gone upstream; the server's answer is never seen."""
        self._weather.cut_on = sent

    # -- inside the loop --------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=_bound(self.port))

    async def _heal(self) -> None:
        self._weather.clear_up()
        await self._listen()

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        _reset_all(self._lines)
        self._weather.open.set()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._weather.open.wait()
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            _reset(writer)
            return
        line = _Line(self._weather, writer, upstream[1])
        self._lines.add(line)
        pumps = [
            asyncio.create_task(line.pump(reader, upstream[1], upward=True)),
            asyncio.create_task(line.pump(upstream[0], writer, upward=False)),
        ]
        await asyncio.wait(pumps)
        self._lines.discard(line)
        line.close()


class _Weather:
    """What every connection of a proxy has to go through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.cuts = 0
        self.clear_up()

    def clear_up(self) -> None:
        self.delay_seconds = 0.0
        self.bytes_per_second: float | None = None
        self.cut_on: bytes | None = None
        self.cut_after: int | None = None
        self.open.set()

    async def hold(self, size: int) -> None:
        """Returns when so many bytes may pass."""
        await self.open.wait()
        pause = self.delay_seconds + (size / self.bytes_per_second if self.bytes_per_second else 0.0)
        if pause:
            await asyncio.sleep(pause)
            await self.open.wait()

    def strikes(self, said: bytes, sent: int) -> bool:
        """Whether a connection that has sent so many bytes, of them `said` last, is to be cut now."""
        if self.cut_on is not None and self.cut_on in said:
            self.cut_on = None
        elif self.cut_after is not None and sent >= self.cut_after:
            self.cut_after = None
        else:
            return False
        self.cuts += 1
        return True


class _Line:
    """One connection through the proxy."""

    def __init__(self, weather: _Weather, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._weather = weather
        self._ends = (client, server)
        self._sent = 0
        self._tail = b""
        self._cut = False

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, upward: bool) -> None:
        """Passes on what one end says until it ends, or the line does."""
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._weather.hold(len(data))
                if self._cut and not upward:
                    continue
                writer.write(data)
                await writer.drain()
                if upward and self._is_struck(data):
                    await asyncio.sleep(_ANSWER_SECONDS)
                    self.reset()
                    return
        # One side has ended: a half-open line is no use to a database's protocol.
        self.close()

    def _is_struck(self, data: bytes) -> bool:
        self._sent += len(data)
        self._cut = self._weather.strikes(self._tail + data, self._sent)
        self._tail = data[-64:]
        return self._cut

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def reset(self) -> None:
        for end in self._ends:
            _reset(end)


def _reset_all(lines: set[_Line]) -> None:
    for line in list(lines):
        line.reset()


def _reset(writer: asyncio.StreamWriter) -> None:
    held = writer.get_extra_info("socket")
    if held is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.setblocking(False)
    return made
