"""TCP ports on loopback: which are taken, and which to use instead."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 1024
LAST_PORT: Final = 65535
_FIRST_CHOSEN: Final = 10_000
_GIVEN_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that was free a moment ago, and that no connection is given by chance before a server binds it."""
    given = _first_given_port()
    # Of the system's own randomness: whoever seeds `random` must not be led to the ports of another process.
    chance = random.SystemRandom()
    while True:
        wanted = chance.randrange(_FIRST_CHOSEN, given) if given > 2 * _FIRST_CHOSEN else 0
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, wanted))
            port: int = probe.getsockname()[1]
            return port


def _first_given_port() -> int:
    """From where on the system gives ports to connections that ask for none."""
    try:
        return int(_GIVEN_PORTS.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 49152  # by IANA


class Reservation:
    """Ports kept for servers that start soon: each is listened on until `release` gives it to its server.

    Usable as a context manager, which releases what is left.
    """

    def __init__(self, wanted: Mapping[str, int]) -> None:
        """Takes every wanted port, or where one is taken the next free one that nobody else wants."""
        self._sockets: dict[str, socket.socket] = {}
        self.ports: dict[str, int] = {}
        for name, port in wanted.items():
            candidate = port
            while (candidate != port and candidate in wanted.values()) or not self._take(name, candidate):
                candidate = candidate + 1 if candidate < LAST_PORT else FIRST_PORT

    def _take(self, name: str, port: int) -> bool:
        holder = socket.socket()
        # As servers do: connections of an earlier one that are still closing do not count.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((HOST, port))
            holder.listen(1)
        except OSError:
            holder.close()
            return False
        self._sockets[name] = holder
        self.ports[name] = port
        return True

    def release(self, name: str) -> None:
        """Frees one port for its server, which must bind it at once. Does nothing the second time."""
        holder = self._sockets.pop(name, None)
        if holder is not None:
            holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._sockets):
            self.release(name)
