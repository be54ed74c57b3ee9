"""The stack's folder: secrets, ports, lock, and data outside a home that PostgreSQL's account cannot enter."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rosetta.errors import ConfigurationError, OutageError
from rosetta.local import home as home_module
from rosetta.local.account import Account, server_account
from rosetta.local.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.path.mkdir()
    return made


def test_secrets_are_made_once_and_readable_by_their_owner_only(home: Home) -> None:
    first = home.secrets()
    assert home.secrets() == first
    assert (home.path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(set(first.model_dump(exclude={"api_token"}).values())) == 6


def test_secrets_do_not_show_in_a_representation(home: Home) -> None:
    values = home.secrets()
    assert not any(value in repr(values) for value in values.model_dump().values() if value)


def test_damaged_secrets_are_named_and_not_replaced(home: Home) -> None:
    path = home.path / "secrets.json"
    path.write_text("{")
    with pytest.raises(ConfigurationError, match="damaged"):
        home.secrets()
    assert path.read_text() == "{"


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written: Not a directory") as caught:
        Home(tmp_path / "file" / "home").prepare(Account(None, None))
    assert "ROSETTA_HOME" in (caught.value.remedy or "")


def test_ports_are_remembered(home: Home) -> None:
    assert home.ports() == {}
    home.store_ports({"backend": 8123})
    assert home.ports() == {"backend": 8123}


def test_a_second_stack_is_refused_until_the_last_process_of_the_first_is_gone(home: Home) -> None:
    holder = [sys.executable, "-c", "print('ready', flush=True); input()"]
    said: list[str] = []
    descriptor = home.lock(said.append)
    child = subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(descriptor,))
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        os.close(descriptor)  # as if the first stack's supervisor had been killed
        assert home.in_use()
        with pytest.raises(OutageError, match="servers that run already use"):
            home.lock(said.append, timeout_seconds=0.1)
        child.stdin.close()
        child.wait(10)
    assert not home.in_use()
    os.close(home.lock(said.append, timeout_seconds=0))
    assert len(said) == 1


def test_data_lie_in_the_home_when_the_account_can_enter_it(home: Home) -> None:
    home.prepare(Account(None, None))
    assert home.clusters.is_dir()
    assert not home.clusters.is_symlink()
    assert not home.is_new()


@dataclass(frozen=True)
class Outsider(Account):
    """An account that is kept out of one folder."""

    closed: Path = Path("/")

    def can_enter(self, folder: Path) -> bool:
        return not folder.is_relative_to(self.closed)


def test_data_lie_elsewhere_when_the_home_is_closed_to_the_account(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_module, "ELSEWHERE", tmp_path / "elsewhere")
    outsider = Outsider(None, None, home.path)
    home.prepare(outsider)
    first = home.clusters.readlink()
    assert first.is_dir()
    assert first.parent == tmp_path / "elsewhere"
    home.prepare(outsider)
    assert home.clusters.readlink() == first


def test_a_closed_folder_cannot_be_entered(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    assert not server_account().can_enter(closed)
