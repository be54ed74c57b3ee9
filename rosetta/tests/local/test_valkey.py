"""Valkey: asks for its password, evicts nothing, and keeps what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from rosetta.local.ports import free_port
from rosetta.local.supervisor import Service, Supervisor
from rosetta.local.valkey import ValkeyServer
from rosetta.tests.waiting import eventually


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor(print)
    yield made
    made.stop()


def test_data_survive_and_strangers_are_refused(supervisor: Supervisor, tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, free_port(), "a-password")
    service = Service("valkey", server.command, server.answers, tmp_path / "valkey.log")
    assert not server.answers()
    supervisor.launch(service)
    supervisor.wait(["valkey"])
    with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(server.url()) as client:
        client.xadd("stream", {"field": "value"})
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    supervisor.stop()
    assert eventually(lambda: not server.answers())
    supervisor.launch(service)
    supervisor.wait(["valkey"])
    with redis.Redis.from_url(server.url()) as client:
        assert client.xlen("stream") == 1


def test_the_password_is_in_no_command_line_and_its_file_is_closed(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, 6379, "a-password")
    assert not any("a-password" in str(part) for part in server.command())
    assert (tmp_path / "valkey.conf").stat().st_mode & 0o077 == 0
    assert "a-password" not in repr(server)
