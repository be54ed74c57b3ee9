"""Every finding about a target, on real servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint
from rosetta.preflight import check_target, target_facts_sql
from rosetta.tests.preflight.conftest import Server
from rosetta.tests.preflight.test_source import mend, worst

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("schema", [None, "public", "made_later"])
def test_a_good_target_has_nothing_to_mend(server: Server, schema: str | None) -> None:
    assert {finding.severity for finding in server.target_findings(schema)} == {"ok"}


def test_rights_of_an_ordinary_user(server: Server, new_user: Callable[[str], str]) -> None:
    user = new_user("")
    database = server.endpoint.database
    server.run(f"REVOKE TEMPORARY ON DATABASE {database} FROM public", "CREATE SCHEMA theirs")
    mine = server.as_user(user)
    found = mine.target_findings("theirs")
    assert set(worst(found)) == {
        "TEMPORARY_RIGHT_MISSING",
        "CREATE_SCHEMA_RIGHT_MISSING",
        "CREATE_TABLE_RIGHT_MISSING",
    }
    for finding in worst(found).values():
        mend(server, finding)
    assert worst(mine.target_findings("theirs")) == {}
    server.run(f"DROP OWNED BY {user} CASCADE")


def test_a_read_only_server_is_refused(bare_cluster: PostgresCluster) -> None:
    server = Server(
        PostgresEndpoint("127.0.0.1", bare_cluster.port, "postgres", bare_cluster.superuser, bare_cluster.password)
    )
    assert set(worst(server.target_findings("public"))) == {"TARGET_READ_ONLY"}


def test_another_encoding_is_warned_of(server: Server) -> None:
    latin = server.endpoint.database + "_latin"
    server.run(f"CREATE DATABASE {latin} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc")
    there = server.endpoint
    target = Server(PostgresEndpoint(there.host, there.port, latin, there.user, there.password))
    found = worst(target.target_findings("public"))
    assert {code: finding.severity for code, finding in found.items()} == {"TARGET_ENCODING": "warning"}
    server.run(f"DROP DATABASE {latin}")


def test_facts_are_judged_without_a_server(server: Server) -> None:
    facts = server.ask(target_facts_sql("public"))
    assert set(worst(check_target({**facts, "version": 120_000, "in_recovery": True}))) == {
        "SERVER_TOO_OLD",
        "TARGET_READ_ONLY",
    }
