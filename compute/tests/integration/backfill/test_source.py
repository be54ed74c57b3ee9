"""PostgresSource against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import psycopg2.extras
import pytest

from compute.sources.postgres import PostgresSource
from compute.tests.integration.backfill.conftest import SourceDatabase
from rosetta.errors import ConfigurationError, OutageError
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint

pytestmark = pytest.mark.integration


@pytest.fixture
def control(source: SourceDatabase) -> Iterator[PostgresSource]:
    made = PostgresSource(source.endpoint, "p")
    yield made
    made.close()


def test_tables_of_the_publication(source: SourceDatabase, control: PostgresSource) -> None:
    with pytest.raises(ConfigurationError) as missing:
        control.tables()
    assert missing.value.code == "PUBLICATION_MISSING"
    source.run("CREATE PUBLICATION p")
    assert control.tables() == {}
    source.run("CREATE TABLE public.t (id int PRIMARY KEY)", "ALTER PUBLICATION p ADD TABLE public.t")
    assert list(control.tables()) == [TableId("public", "t")]


def test_slot_is_made_seen_and_dropped(source: SourceDatabase, control: PostgresSource) -> None:
    name = f"slot_{source.endpoint.database}"
    assert control.slot(name) is None
    confirmed = control.create_slot(name)
    slot = control.slot(name)
    assert slot is not None
    assert (slot.confirmed_flush, slot.plugin, slot.database) == (confirmed, "pgoutput", source.endpoint.database)
    assert (slot.active_pid, slot.wal_status, slot.lost) == (None, "reserved", False)
    assert slot.retained_bytes is not None
    assert slot.retained_bytes >= 0
    control.drop_slot(name)
    control.drop_slot(name)
    assert control.slot(name) is None


def test_a_slot_in_use_is_dropped_only_when_asked(source: SourceDatabase, control: PostgresSource) -> None:
    name, there = f"slot_{source.endpoint.database}", source.endpoint
    control.create_slot(name)
    stream = psycopg2.connect(
        host=there.host,
        port=there.port,
        dbname=there.database,
        user=there.user,
        password=there.password,
        connection_factory=psycopg2.extras.LogicalReplicationConnection,
    )
    source.run("CREATE PUBLICATION p")
    stream.cursor().start_replication(name, options={"proto_version": "1", "publication_names": "p"}, decode=False)
    with pytest.raises(OutageError) as used:
        control.drop_slot(name)
    assert used.value.code == "SLOT_IN_USE"
    control.drop_slot(name, end_walsender=True)
    assert control.slot(name) is None
    stream.close()


def test_a_slot_waits_for_open_transactions_and_says_so(source: SourceDatabase, control: PostgresSource) -> None:
    name = f"slot_{source.endpoint.database}"
    connection = source.another()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
    with pytest.raises(OutageError) as waits:
        control.create_slot(name, timeout_seconds=0.5)
    assert waits.value.code == "OPEN_TRANSACTIONS"
    assert control.slot(name) is None
    connection.rollback()
    connection.close()
    control.create_slot(name)


def test_positions_grow(source: SourceDatabase, control: PostgresSource) -> None:
    xid, lsn = control.next_xid(), control.current_lsn()
    mark = control.emit("hello 'there'")
    assert mark > lsn
    assert control.current_lsn() >= mark
    assert control.next_xid() > xid
    assert control.system_identifier().isdigit()


def test_marks_come_out_of_the_slot(source: SourceDatabase, control: PostgresSource) -> None:
    name = f"slot_{source.endpoint.database}"
    source.run(f"SELECT pg_create_logical_replication_slot('{name}', 'test_decoding')")
    control.emit("chunk:1")
    changes = [row[0] for row in source.rows(f"SELECT data FROM pg_logical_slot_get_changes('{name}', NULL, NULL)")]
    assert [change for change in changes if "message:" in change] == [
        "message: transactional: 1 prefix: rosetta, sz: 7 content:chunk:1"
    ]


def test_a_lost_session_is_an_outage_and_the_next_call_opens_another(
    source: SourceDatabase, control: PostgresSource
) -> None:
    control.current_lsn()
    source.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rosetta source'")
    with pytest.raises(OutageError):
        control.current_lsn()
    assert control.current_lsn() > 0


def test_an_unreachable_source_is_an_outage(source: SourceDatabase) -> None:
    there = source.endpoint
    with pytest.raises(OutageError):
        PostgresSource(PostgresEndpoint(there.host, 1, there.database, there.user, "x"), "p").current_lsn()


@pytest.mark.since(17)
def test_slots_are_for_failover(source: SourceDatabase, control: PostgresSource) -> None:
    name = f"slot_{source.endpoint.database}"
    control.create_slot(name)
    slot = control.slot(name)
    assert slot is not None
    assert slot.failover
    control.drop_slot(name)
    control.create_slot(name, failover=False)
    slot = control.slot(name)
    assert slot is not None
    assert not slot.failover


def test_slots_of_servers_that_know_no_failover(cluster_15: PostgresCluster) -> None:
    name = "slot_without_failover"
    old = PostgresSource(
        PostgresEndpoint("127.0.0.1", cluster_15.port, "postgres", cluster_15.superuser, cluster_15.password), "p"
    )
    old.create_slot(name)
    slot = old.slot(name)
    assert slot is not None
    assert (slot.failover, slot.invalidation, slot.safe_bytes) == (False, None, None)
    assert old.survey([name]).slots[name].confirmed_flush == slot.confirmed_flush
    old.drop_slot(name)
    old.close()


def test_a_survey_tells_the_log_and_the_slots_in_one_moment(source: SourceDatabase, control: PostgresSource) -> None:
    name = f"slot_{source.endpoint.database}"
    control.create_slot(name)
    survey = control.survey([name, "none"])
    assert survey.origin.system_identifier == control.system_identifier()
    assert survey.origin.timeline == 1
    assert list(survey.slots) == [name]
    assert survey.current <= control.current_lsn()
    control.drop_slot(name)
    assert control.survey([name]).slots == {}
    assert control.survey([]).slots == {}
