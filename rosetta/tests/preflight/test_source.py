"""Every finding about a source, on real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import psycopg2
import psycopg2.extras
import pytest

from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint
from rosetta.preflight import Finding, check_source, source_facts_sql
from rosetta.preflight.source_tables import check_tables
from rosetta.tests.preflight.conftest import Server
from rosetta.types import Column, TableSchema

pytestmark = pytest.mark.integration

ALL_TABLES = "CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)"


def worst(findings: list[Finding]) -> dict[str, Finding]:
    """What is not fine, by code."""
    return {finding.code: finding for finding in findings if finding.severity != "ok"}


def mend(server: Server, finding: Finding) -> None:
    assert finding.sql is not None
    server.run(finding.sql)


def test_a_good_source_has_nothing_to_mend(server: Server) -> None:
    server.run("CREATE TABLE public.t (id int PRIMARY KEY)", ALL_TABLES)
    findings = server.source_findings()
    assert worst(findings) == {}
    assert "TABLE" in {finding.code for finding in findings}
    assert {finding.severity for finding in findings} == {"ok"}


def test_facts_may_be_text(server: Server) -> None:
    facts = server.ask(source_facts_sql("p", "x"))
    assert check_source(json.dumps(facts)) == check_source(facts)


def test_publication_missing_then_empty_then_incomplete(server: Server, cluster: PostgresCluster) -> None:
    generated = cluster.major_version() >= 18  # it has learnt to publish generated columns
    missing = worst(server.source_findings())
    assert set(missing) == {"PUBLICATION_MISSING"}
    mend(server, missing["PUBLICATION_MISSING"])
    assert set(worst(server.source_findings())) == {"PUBLICATION_EMPTY"}
    server.run(
        "CREATE TABLE public.t (id int PRIMARY KEY)",
        "ALTER PUBLICATION p SET (publish = 'insert', publish_via_partition_root = false)",
        *(["ALTER PUBLICATION p SET (publish_generated_columns = stored)"] if generated else []),
    )
    options = worst(server.source_findings())
    assert set(options) == {
        "PUBLICATION_INCOMPLETE",
        "PUBLICATION_NOT_VIA_ROOT",
        *(["PUBLICATION_GENERATED_COLUMNS"] if generated else []),
    }
    assert "update, delete, truncate" in options["PUBLICATION_INCOMPLETE"].detail
    for finding in options.values():
        mend(server, finding)
    assert worst(server.source_findings()) == {}


def test_table_without_key_is_refused_until_mended(server: Server) -> None:
    server.run('CREATE TABLE public."No Key" (a int)', ALL_TABLES)
    (finding,) = worst(server.source_findings()).values()
    assert (finding.code, finding.severity) == ("REPLICA_IDENTITY_MISSING", "error")
    assert finding.table == TableId("public", "No Key")
    assert finding.sql == 'ALTER TABLE "public"."No Key" REPLICA IDENTITY FULL;'
    mend(server, finding)
    (after,) = worst(server.source_findings()).values()
    assert (after.code, after.severity) == ("TABLE_WITHOUT_KEY", "warning")


def test_a_key_that_different_text_may_equal_is_warned_of() -> None:
    table = TableId("public", "t")
    columns = (Column("k", "text", nondeterministic=True), Column("v", "text", nondeterministic=True))
    detail = {
        "schema": table.schema,
        "name": table.name,
        "other_partitions": [],
        "usage": True,
        "select": True,
        "row_security": False,
        "row_filter": None,
    }
    for key, code in ((("k",), "KEY_NONDETERMINISTIC"), (("n",), "TABLE")):
        schema = TableSchema(table, (*columns, Column("n", "integer")), key)
        (finding,) = check_tables({table: schema}, [detail], "rosetta")
        assert finding.code == code
        assert ("collation of k " in finding.detail) is (code != "TABLE")


@pytest.mark.parametrize(("definition", "then"), [("id int PRIMARY KEY", set()), ("id int", {"TABLE_WITHOUT_KEY"})])
def test_replica_identity_nothing_is_refused(server: Server, definition: str, then: set[str]) -> None:
    server.run(f"CREATE TABLE public.t ({definition})", "ALTER TABLE public.t REPLICA IDENTITY NOTHING", ALL_TABLES)
    (finding,) = worst(server.source_findings()).values()
    assert (finding.code, finding.severity) == ("REPLICA_IDENTITY_NOTHING", "error")
    mend(server, finding)
    assert set(worst(server.source_findings())) == then


def test_a_partition_that_logs_otherwise_is_refused(server: Server) -> None:
    server.run(
        "CREATE TABLE public.root (a int) PARTITION BY LIST (a)",
        "ALTER TABLE public.root REPLICA IDENTITY FULL",
        "CREATE TABLE public.one PARTITION OF public.root FOR VALUES IN (1)",
        "CREATE TABLE public.two PARTITION OF public.root FOR VALUES IN (2)",
        "ALTER TABLE public.two REPLICA IDENTITY FULL",
        ALL_TABLES,
    )
    found = worst(server.source_findings())
    assert set(found) == {"TABLE_WITHOUT_KEY", "PARTITION_IDENTITY_DIFFERS"}
    differs = found["PARTITION_IDENTITY_DIFFERS"]
    assert differs.sql == 'ALTER TABLE "public"."one" REPLICA IDENTITY FULL;'
    mend(server, differs)
    assert set(worst(server.source_findings())) == {"TABLE_WITHOUT_KEY"}


def test_tables_that_write_no_log_are_named(server: Server) -> None:
    server.run(
        "CREATE TABLE public.t (id int PRIMARY KEY)",
        "CREATE UNLOGGED TABLE public.fast (id int PRIMARY KEY)",
        "CREATE EXTENSION postgres_fdw",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw",
        "CREATE FOREIGN TABLE public.far (id int) SERVER elsewhere",
        ALL_TABLES,
    )
    found = [finding for finding in server.source_findings() if finding.severity != "ok"]
    assert [(finding.code, str(finding.table)) for finding in found] == [
        ("TABLE_NOT_LOGGED", "public.far"),
        ("TABLE_NOT_LOGGED", "public.fast"),
    ]
    mend(server, found[1])
    server.run("DROP FOREIGN TABLE public.far")
    assert worst(server.source_findings()) == {}


def test_row_filter_of_the_publication_is_refused(server: Server) -> None:
    server.run(
        "CREATE TABLE public.t (id int PRIMARY KEY)",
        "CREATE PUBLICATION p FOR TABLE public.t WHERE (id > 3) WITH (publish_via_partition_root)",
    )
    assert set(worst(server.source_findings())) == {"PUBLICATION_ROW_FILTER"}


def test_rights_of_an_ordinary_user(server: Server, new_user: Callable[[str], str]) -> None:
    user = new_user("")
    server.run("CREATE SCHEMA s", "CREATE TABLE s.t (id int PRIMARY KEY, a int)", ALL_TABLES)
    theirs = server.as_user(user)
    found = worst(theirs.source_findings())
    assert set(found) == {"REPLICATION_ROLE_MISSING", "SELECT_RIGHT_MISSING"}
    for finding in found.values():
        mend(server, finding)
    assert worst(theirs.source_findings()) == {}
    server.run("ALTER TABLE s.t ENABLE ROW LEVEL SECURITY")
    hidden = worst(theirs.source_findings())
    assert set(hidden) == {"ROW_SECURITY_ACTIVE"}
    mend(server, hidden["ROW_SECURITY_ACTIVE"])
    assert worst(theirs.source_findings()) == {}
    server.run(f"REVOKE ALL ON s.t FROM {user}", f"GRANT SELECT (id) ON s.t TO {user}")
    assert set(worst(theirs.source_findings())) == {"SELECT_RIGHT_MISSING"}
    server.run("DROP PUBLICATION p", "CREATE PUBLICATION p FOR TABLE s.t (id) WITH (publish_via_partition_root)")
    assert worst(theirs.source_findings()) == {}
    server.run(f"DROP OWNED BY {user}")


def test_a_server_out_of_the_box(bare_cluster: PostgresCluster) -> None:
    server = Server(
        PostgresEndpoint("127.0.0.1", bare_cluster.port, "postgres", bare_cluster.superuser, bare_cluster.password)
    )
    assert set(worst(server.source_findings())) == {
        "WAL_LEVEL_NOT_LOGICAL",
        "WAL_KEEP_LIMITED",
        *(["SLOT_IDLE_TIMEOUT"] if bare_cluster.major_version() >= 18 else []),
        "PUBLICATION_MISSING",
    }
    with closing(
        psycopg2.connect(bare_cluster.dsn(), connection_factory=psycopg2.extras.PhysicalReplicationConnection)
    ) as sender:
        cursor = sender.cursor()
        cursor.create_replication_slot("rosetta_1_7", slot_type=psycopg2.extras.REPLICATION_PHYSICAL)
        cursor.start_replication("rosetta_1_7", start_lsn=server.ask("SELECT pg_current_wal_flush_lsn()"))
        assert not {"SLOTS_EXHAUSTED", "WAL_SENDERS_EXHAUSTED"} & set(worst(server.source_findings()))
        others = set(worst(check_source(server.ask(source_facts_sql("p", "rosetta_2_")))))
        assert {"SLOTS_EXHAUSTED", "WAL_SENDERS_EXHAUSTED"} <= others


def test_settings_that_do_not_arrive_betray_a_pooler(cluster: PostgresCluster) -> None:
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(source_facts_sql("p", "x"))
        row = cursor.fetchone()
    assert row is not None
    assert worst(check_source(row[0]))["POOLER_DETECTED"].severity == "error"


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"version": 120_022}, "SERVER_TOO_OLD"), ({"version": 150_008, "in_recovery": True}, "STANDBY")],
)
def test_servers_that_do_not_fit(server: Server, changed: dict[str, object], code: str) -> None:
    facts = server.ask(source_facts_sql("p", "x"))
    assert worst(check_source({**facts, **changed}))[code].severity == "error"


def test_a_standby_that_can_be_read_is_told_what_it_needs(server: Server) -> None:
    facts = {**server.ask(source_facts_sql("p", "x")), "version": 160_002, "in_recovery": True}
    found = worst(check_source(facts))
    assert "STANDBY" not in found
    assert (found["STANDBY_READ"].severity, "pgoutput" in found["STANDBY_READ"].detail) == ("warning", True)
    assert "pg_log_standby_snapshot()" in str(found["STANDBY_READ"].remedy)
    assert found["STANDBY_FEEDBACK_OFF"].severity == "warning"
    assert "STANDBY_FEEDBACK_OFF" not in worst(check_source({**facts, "standby_feedback": True}))


@pytest.mark.since(17)
def test_slots_that_no_standby_follows_are_told_and_the_remedy_works(server: Server) -> None:
    def codes(prefix: str) -> set[str]:
        return set(worst(check_source(server.ask(source_facts_sql("p", prefix)))))

    name = f"fo_{server.endpoint.database}"
    server.run(f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', failover => true)")
    assert "SLOT_NOT_FAILOVER" not in codes(name)
    server.run(f"SELECT pg_create_logical_replication_slot('{name}_old', 'pgoutput')")
    finding = worst(check_source(server.ask(source_facts_sql("p", name))))["SLOT_NOT_FAILOVER"]
    assert f"{name}_old" in finding.detail
    assert finding.sql is not None
    there = server.endpoint
    with closing(
        psycopg2.connect(
            host=there.host,
            port=there.port,
            dbname=there.database,
            user=there.user,
            password=there.password,
            connection_factory=psycopg2.extras.LogicalReplicationConnection,
        )
    ) as connection:
        connection.cursor().execute(finding.sql)
    assert "SLOT_NOT_FAILOVER" not in codes(name)
    server.run(*(f"SELECT pg_drop_replication_slot('{slot}')" for slot in (name, f"{name}_old")))


def test_a_standby_that_failover_slots_wait_for_is_told(server: Server) -> None:
    facts = server.ask(source_facts_sql("p", "x"))
    waits = {**facts, "awaited_standbys": 'near, "far"', "active_standbys": ["near"]}
    assert "far" in worst(check_source(waits))["STANDBY_AWAITED"].detail
    assert "near," not in worst(check_source(waits))["STANDBY_AWAITED"].detail
    assert "STANDBY_AWAITED" not in worst(check_source({**waits, "active_standbys": ["near", "far"]}))
