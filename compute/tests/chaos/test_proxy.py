"""The proxy does to a line what it says."""

from __future__ import annotations

import socket
import socketserver
import time
from collections.abc import Iterator

import pytest

from compute.tests.chaos.proxy import Proxy
from rosetta.tests.serving import served


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    with served(server), Proxy(server.server_address[1]) as made:
        yield made


def _client(proxy: Proxy) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5)
    made.settimeout(0.5)
    return made


def _drain(client: socket.socket) -> None:
    while client.recv(100):
        pass


def _echoes(client: socket.socket, said: bytes = b"hello") -> bool:
    client.sendall(said)
    return client.recv(100) == said


def test_it_passes(proxy: Proxy) -> None:
    with _client(proxy) as client:
        assert _echoes(client)


def test_it_refuses_and_resets_and_heals(proxy: Proxy) -> None:
    with _client(proxy) as client:
        assert _echoes(client)
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        _client(proxy)
    proxy.heal()
    with _client(proxy) as client:
        assert _echoes(client)


def test_a_black_hole_holds_what_is_open_and_what_is_new(proxy: Proxy) -> None:
    with _client(proxy) as known:
        assert _echoes(known)
        proxy.black_hole()
        with _client(proxy) as new:
            for client in (known, new):
                client.sendall(b"hello")
                with pytest.raises(TimeoutError):
                    client.recv(1)
            proxy.heal()
            assert known.recv(100) == b"hello"
            assert new.recv(100) == b"hello"


def test_it_cuts_on_what_was_said_once(proxy: Proxy) -> None:
    proxy.cut_on(b"COMMIT")
    with _client(proxy) as client:
        assert _echoes(client, b"BEGIN")
        client.sendall(b"COM")
        client.sendall(b"MIT")
        with pytest.raises(ConnectionResetError):
            _drain(client)
    assert proxy.cuts == 1
    with _client(proxy) as client:
        assert _echoes(client, b"COMMIT")


def test_it_cuts_after_some_bytes(proxy: Proxy) -> None:
    proxy.cut_after(10)
    with _client(proxy) as client:
        assert _echoes(client, b"12345")
        client.sendall(b"67890")
        with pytest.raises(ConnectionResetError):
            client.recv(100)


@pytest.mark.parametrize("slow", ["delay", "throttle"])
def test_it_slows_down(proxy: Proxy, slow: str) -> None:
    with _client(proxy) as client:
        proxy.delay(0.1) if slow == "delay" else proxy.throttle(50)
        before = time.monotonic()
        assert _echoes(client)
        assert time.monotonic() - before >= 0.2
