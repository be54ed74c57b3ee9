"""Choosing ports beside programs that hold some."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from rosetta.local.ports import HOST, choose, free_port, is_free


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    taken = socket.create_server((HOST, 0))
    yield taken
    taken.close()


def test_a_listening_port_is_not_free(listener: socket.socket) -> None:
    assert not is_free(listener.getsockname()[1])


def test_a_port_is_free_again_while_its_old_connections_still_close() -> None:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        client = socket.create_connection((HOST, port))
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first, and so lingers in TIME_WAIT
        client.close()
    assert is_free(port)


def test_free_ports_are_kept() -> None:
    port = free_port()
    assert choose({"one": port}) == {"one": port}


def test_a_taken_port_gives_way_to_the_next_one_that_nobody_else_wants(listener: socket.socket) -> None:
    port: int = listener.getsockname()[1]
    chosen = choose({"first": port, "second": port + 1, "third": port})
    assert chosen["second"] == port + 1 or not is_free(port + 1)
    assert port not in chosen.values()
    assert len(set(chosen.values())) == 3
    assert all(is_free(each) for each in chosen.values())
