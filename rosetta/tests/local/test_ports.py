"""Choosing ports beside programs that hold some."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rosetta.local.ports import HOST, Reservation, free_port


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    taken = socket.create_server((HOST, 0))
    yield taken
    taken.close()


def is_free(port: int) -> bool:
    with Reservation({"one": port}) as reservation:
        return reservation.ports["one"] == port


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


def test_free_ports_are_taken_as_wanted() -> None:
    port = free_port()
    with Reservation({"one": port}) as reservation:
        assert reservation.ports == {"one": port}


def test_a_taken_port_gives_way_to_the_next_one_that_nobody_else_wants(listener: socket.socket) -> None:
    port: int = listener.getsockname()[1]
    with Reservation({"first": port, "second": port + 1, "third": port}) as reservation:
        chosen = reservation.ports
    assert port not in chosen.values()
    assert port + 1 not in (chosen["first"], chosen["third"])
    assert len(set(chosen.values())) == 3


def test_two_stacks_that_start_at_once_do_not_take_the_same_ports() -> None:
    port = free_port()
    with Reservation({"one": port}) as first, Reservation({"one": port}) as second:
        assert first.ports["one"] != second.ports["one"]
        assert not is_free(port)
        first.release("one")
        first.release("one")
        assert is_free(port)
        assert not is_free(second.ports["one"])
    assert is_free(second.ports["one"])


def test_a_port_to_bind_later_is_none_that_a_connection_is_given_by_chance() -> None:
    random.seed(7)
    first = free_port()
    random.seed(7)
    ports = {first, *(free_port() for _ in range(20))}
    with socket.create_server((HOST, 0)) as server, socket.create_connection(server.getsockname()) as client:
        given = client.getsockname()[1]
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports) < lowest <= given
    assert len(ports) > 1, "who seeds `random` has ports of their own all the same"
