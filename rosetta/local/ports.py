"""TCP ports on loopback: which are taken, and which to use instead."""

from __future__ import annotations

import socket
from collections.abc import Mapping

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen here now; connections that are still closing do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(wanted: Mapping[str, int]) -> dict[str, int]:
    """A port for every name: the wanted one, or where that is taken the next free one that nobody else wants."""
    chosen: dict[str, int] = {}
    reserved = set(wanted.values())
    for name, port in wanted.items():
        candidate = port
        while not is_free(candidate) or (candidate != port and candidate in reserved):
            candidate = candidate + 1 if candidate < 65535 else 1024
        chosen[name] = candidate
        reserved.add(candidate)
    return chosen
