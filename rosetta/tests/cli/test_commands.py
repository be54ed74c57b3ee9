"""The `rosetta` command as a person types it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from rosetta.local.postgres import PostgresCluster
from rosetta.local.settings import OWN_VARIABLES
from rosetta.migrate import upgrade
from rosetta.secrets import Keyring
from rosetta.tokens import hash_token

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def rosetta(tmp_path: Path) -> Run:
    """Runs the command with a home of its own and the given variables; everything else as it is."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
        command = [str(Path(sys.executable).with_name("rosetta")), *arguments]
        environment = {**inherited, "ROSETTA_HOME": str(tmp_path / "home"), **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run


def test_help_names_every_command(rosetta: Run) -> None:
    answer = rosetta("--help")
    assert answer.returncode == 0
    assert all(name in answer.stdout for name in ("up", "doctor", "verify", "dlq", "token"))


def _findings(answer: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {finding["title"]: finding for finding in json.loads(answer.stdout)}


def test_doctor_finds_a_healthy_machine_healthy(rosetta: Run) -> None:
    answer = rosetta("doctor", "--json")
    findings = _findings(answer)
    assert {name: findings[name]["state"] for name in ("Python", "PostgreSQL", "Valkey", "Java")} == dict.fromkeys(
        ("Python", "PostgreSQL", "Valkey", "Java"), "ok"
    )
    assert findings["local stack"]["state"] == "note"
    assert sum(title.startswith("port ") for title in findings) == 6
    assert answer.returncode == 0


def test_doctor_prints_what_is_wrong_and_its_remedy(rosetta: Run, tmp_path: Path) -> None:
    answer = rosetta("doctor", ROSETTA_PG_BIN=str(tmp_path))
    assert answer.returncode == 1
    assert f"FAILURE  PostgreSQL: no PostgreSQL binaries that can be run in {tmp_path}" in answer.stdout
    assert "-> Correct ROSETTA_PG_BIN." in answer.stdout


def test_doctor_checks_the_named_config_database_and_keeps_its_password(
    rosetta: Run, cluster: PostgresCluster, new_database: Callable[[], str]
) -> None:
    url = cluster.dsn(new_database())
    empty = _findings(rosetta("doctor", "--json", DATABASE_URL=url))["config database (DATABASE_URL)"]
    assert empty["state"] == "note"
    upgrade(url)
    ready = _findings(rosetta("doctor", "--json", DATABASE_URL=url))["config database (DATABASE_URL)"]
    assert ready["state"] == "ok"
    refused = rosetta("doctor", "--json", DATABASE_URL=cluster.dsn(password="wrong-and-secret"))
    finding = _findings(refused)["config database (DATABASE_URL)"]
    assert (finding["state"], finding["remedy"]) == ("FAILURE", "Correct the user name or the password.")
    assert refused.returncode == 1
    assert "wrong-and-secret" not in refused.stdout + refused.stderr


def test_a_token_is_printed_once_and_only_its_hash_is_kept(
    rosetta: Run, cluster: PostgresCluster, new_config_database: Callable[[], str]
) -> None:
    name = new_config_database()
    answer = rosetta("token", "create", "--role", "operator", "--name", "ci", DATABASE_URL=cluster.dsn(name))
    assert answer.returncode == 0, answer.stderr
    token = answer.stdout.strip()
    with closing(cluster.connect(name)) as session, session.cursor() as cursor:
        cursor.execute("SELECT name, role, token_hash, row_to_json(t)::text FROM tokens AS t")
        rows = cursor.fetchall()
        cursor.execute("SELECT action, details::text FROM audit_log")
        trail = cursor.fetchall()
    assert [(row[0], row[1], bytes(row[2])) for row in rows] == [("ci", "operator", hash_token(token))]
    assert token not in rows[0][3]
    assert trail == [("token.create", '{"role": "operator"}')]


def test_without_a_config_database_the_remedy_is_named(rosetta: Run) -> None:
    answer = rosetta("token", "create", "--name", "ci")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "error: there is no config database",
        "remedy: Set DATABASE_URL, or start the local stack with `rosetta up`.",
    ]


def test_an_unknown_role_is_refused(rosetta: Run) -> None:
    answer = rosetta("token", "create", "--name", "ci", "--role", "emperor")
    assert answer.returncode == 2
    assert "emperor" in answer.stderr


def test_a_rotation_is_told_and_noted_under_the_name_of_its_key(
    rosetta: Run, cluster: PostgresCluster, new_config_database: Callable[[], str]
) -> None:
    url = cluster.dsn(new_config_database())
    former, current = "the former key of the installation", "the key that the installation has now"
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO destinations (name, type, config) VALUES ('d', 'POSTGRESQL',"
            " jsonb_build_object('pg_host', 'h', 'pg_password', %s::text))",
            (Keyring.from_secret_key(former).seal("canary", "destinations.config.pg_password:1"),),
        )
    keys = {"SECRET_KEY": current, "SECRET_KEY_PREVIOUS": json.dumps([former])}
    answer = rosetta("rotate-key", DATABASE_URL=url, **keys)
    assert answer.returncode == 0, answer.stderr
    assert "1 rows with secrets and 0 parked payloads are sealed under the new key" in answer.stdout
    with closing(psycopg2.connect(url)) as session, session.cursor() as cursor:
        cursor.execute("SELECT entity_id, details FROM audit_log WHERE action = 'encryption_key.rotate'")
        noted = {"secrets": 1, "payloads": 0, "waiting": 0}
        assert cursor.fetchall() == [(Keyring.from_secret_key(current).key_id, noted)]
