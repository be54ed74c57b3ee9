"""One way out for a library that resolves names and follows redirects by itself: to the address that was checked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

_BLOCK_BYTES: Final = 1 << 16
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
_AWAY: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
_THROUGH: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


@asynccontextmanager
async def pinned(host: str, port: int, address: str) -> AsyncIterator[int]:
    """The port of a proxy on loopback that leads whoever asks for `host` and `port` to `address`, and nobody elsewhere.

    It knows CONNECT alone, so TLS is between the library and the host: the certificate is checked as ever. It ends at
    the end of the block, with all that goes through it.
    """
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            running.add(task)
            task.add_done_callback(running.discard)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await _serve(reader, writer, (host.lower(), port), address)
        finally:
            await _end(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, allowed: tuple[str, int], address: str
) -> None:
    request = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    place = request[1] if len(request) == 3 and request[0] == "CONNECT" else ""
    asked, _, port = place.rpartition(":")
    if (asked.strip("[]").lower(), port) != (allowed[0], str(allowed[1])):
        writer.write(_REFUSED)
        await writer.drain()
        return
    try:
        there, back = await asyncio.open_connection(address, allowed[1])
    except OSError:
        writer.write(_AWAY)
        await writer.drain()
        return
    writer.write(_THROUGH)
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(reader, back))
            both.create_task(_carry(there, writer))
    finally:
        await _end(back)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until the source ends; whoever lost the other end has nothing to carry any more."""
    with suppress(OSError):
        while block := await source.read(_BLOCK_BYTES):
            target.write(block)
            await target.drain()
        target.write_eof()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
