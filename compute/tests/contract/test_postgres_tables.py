"""Target tables at PostgreSQL: made, extended, or refused with what mends it."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from compute.destinations.postgres import PostgresDestination
from compute.tests.contract.changes import Change, batch, changes, position, schema, target
from compute.tests.contract.conftest import PostgresLane
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, RosettaError, SchemaMismatchError, UnsupportedError
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint
from rosetta.types import Column, UserType

pytestmark = pytest.mark.integration
THINGS = schema()


@pytest.fixture
def writer(postgres_lane: PostgresLane) -> PostgresDestination:
    made = postgres_lane.writer()
    made.open(1)
    return made


def test_names_need_no_care(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    odd = schema('we"ird %s 𝛑', (('k"1', "integer"), ("%(x)s", "text"), ("select", "text"), ("C1", "text")), ('k"1',))
    of = target(odd)
    writer.ensure_table(of)
    writer.write_changes(batch(1, (of, changes(odd, [Change("c", 1, ("1", "a", "b", "c"))]))))
    assert postgres_lane.rows(of) == [("1", "a", "b", "c")]


def test_new_columns_are_added(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    writer.ensure_table(target(THINGS))
    writer.write_changes(batch(1, (target(THINGS), changes(THINGS, [Change("c", 1, ("1", "a", "b"))]))))
    wider = schema(columns=(("id", "bigint"), ("extra", "integer"), ("name", "text"), ("body", "text")))
    writer.ensure_table(target(wider))
    writer.write_changes(batch(2, (target(wider), changes(wider, [Change("u", 2, ("1", "7", "a", "b"))]))))
    assert postgres_lane.rows(target(wider)) == [("1", "7", "a", "b")]


def test_an_existing_table_is_taken_when_it_fits(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    postgres_lane.query(
        "CREATE SCHEMA copy; CREATE TABLE copy.things (id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, name varchar, "
        "body text, note text DEFAULT 'mine'); INSERT INTO copy.things (name) VALUES ('before')"
    )
    narrow = schema(columns=(("id", "integer"), ("name", "character varying(9)"), ("body", "text")))
    of = target(narrow)
    writer.ensure_table(of)
    writer.write_changes(
        batch(1, (of, changes(narrow, [Change("u", 1, ("1", "now", "b")), Change("c", 2, ("5", "x", "y"))])))
    )
    assert postgres_lane.rows(of, "id", "name", "note") == [("1", "now", "mine"), ("5", "x", "mine")]


def test_every_difference_is_named_with_its_remedy(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    postgres_lane.query("CREATE SCHEMA copy; CREATE TABLE copy.things (id smallint, name integer, must text NOT NULL)")
    with pytest.raises(SchemaMismatchError) as refused:
        writer.ensure_table(target(THINGS))
    for part in ("column id is smallint", "column name is integer", "column must", "no unique index"):
        assert part in refused.value.message
    postgres_lane.query(str(refused.value.remedy))
    writer.ensure_table(target(THINGS))


def test_two_sources_may_not_share_a_target(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    writer.ensure_table(target(THINGS))
    writer.ensure_table(target(THINGS, sync_id=9))
    other = replace(target(schema("others"), sync_id=2), target=TableId("copy", "things"))
    with pytest.raises(SchemaMismatchError) as refused:
        writer.ensure_table(other)
    assert refused.value.code == "TARGET_TAKEN"
    second = postgres_lane.writer(pipeline_id=2)
    second.open(1)
    with pytest.raises(SchemaMismatchError) as refused:
        second.ensure_table(target(THINGS))
    postgres_lane.query(str(refused.value.remedy).split(": ", 1)[1])
    second.ensure_table(target(THINGS))


def test_columns_named_like_ours_are_refused(writer: PostgresDestination) -> None:
    with pytest.raises(UnsupportedError):
        writer.ensure_table(target(schema(columns=(("id", "bigint"), ("_rosetta_lsn", "bigint")))))


def test_enum_labels_are_added_in_place(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    def moods(*labels: str) -> Column:
        return Column("mood", '"Shop".mood', user_types=(UserType("Shop", "mood", "enum", labels),))

    first = replace(THINGS, columns=(Column("id", "bigint"), moods("sad", "ok")))
    writer.ensure_table(target(first))
    writer.ensure_table(
        target(replace(first, columns=(Column("id", "bigint"), moods("bad", "sad", "so so", "ok", "!"))))
    )
    labels = postgres_lane.query('SELECT enum_range(NULL::"Shop".mood)::text')
    assert labels == [('{bad,sad,"so so",ok,!}',)]


def test_an_extension_may_live_elsewhere(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    postgres_lane.query("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext")
    citext = UserType("public", "citext", "extension", ("citext",))
    of = target(replace(THINGS, columns=(Column("id", "public.citext", user_types=(citext,)), Column("body", "text"))))
    writer.ensure_table(of)
    writer.ensure_table(of)
    items = [Change("c", 1, ("Key", "a")), Change("c", 2, ("other", "a"))]
    writer.write_changes(batch(1, (of, changes(of.schema, items))))
    items = [Change("u", 3, ("KEY", "b")), Change("d", 4, ("OTHER", None))]
    writer.write_changes(batch(5, (of, changes(of.schema, items))))
    assert postgres_lane.rows(of) == [("KEY", "b")]


@pytest.mark.parametrize(
    ("kind", "definition"), [("extension", ("no_such_extension",)), ("base", ())], ids=["extension", "base"]
)
def test_types_that_cannot_be_had_are_refused(
    writer: PostgresDestination, kind: str, definition: tuple[str, ...]
) -> None:
    column = Column("x", "public.odd", user_types=(UserType("public", "odd", kind, definition),))
    with pytest.raises(UnsupportedError) as refused:
        writer.ensure_table(target(replace(THINGS, columns=(Column("id", "bigint"), column))))
    assert refused.value.remedy


def test_a_missing_right_names_its_grant(postgres_lane: PostgresLane) -> None:
    database = postgres_lane.endpoint.database
    role = f"poor_{database}"
    postgres_lane.query(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    endpoint = replace(postgres_lane.endpoint, user=role, password="p")
    writer = PostgresDestination(endpoint, 1, 1)
    try:
        with pytest.raises(ConfigurationError) as refused:
            writer.open(1)
        assert f'GRANT CREATE, TEMPORARY ON DATABASE "{database}" TO "{role}"' in str(refused.value.remedy)
        postgres_lane.query(f'CREATE SCHEMA _rosetta AUTHORIZATION "{role}"; CREATE SCHEMA copy')
        writer.open(1)
        with pytest.raises(RosettaError) as unable:
            writer.ensure_table(target(THINGS))
        assert unable.value.code == "PERMISSION_MISSING"
        assert f'GRANT USAGE, CREATE ON SCHEMA "copy" TO "{role}"' in str(unable.value.remedy)
        postgres_lane.query(f'GRANT USAGE, CREATE ON SCHEMA "copy" TO "{role}"')
        writer.ensure_table(target(THINGS))
    finally:
        writer.close()
        postgres_lane.query(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_an_earlier_writer_that_hangs_is_ended(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    writer._progress.begin()
    second = postgres_lane.writer()
    second.open(2)
    with pytest.raises(RosettaError) as lost:
        writer.ping()
    assert lost.value.retryable
    assert second.write_changes(batch(1)).position == position(1)


def test_a_lost_connection_is_an_outage(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    one = batch(1, (of, changes(THINGS, [Change("c", 1, ("1", "a", "b"))])))
    postgres_lane.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rosetta%'")
    with pytest.raises(RosettaError) as lost:
        writer.write_changes(one)
    assert lost.value.retryable
    writer.open(1)
    assert writer.write_changes(one).rows == 1


def test_many_shapes_share_a_bounded_number_of_staging_tables(writer: PostgresDestination) -> None:
    targets = [target(schema(f"t{number}"), sync_id=number) for number in range(60)]
    for of in targets:
        writer.ensure_table(of)
    writes = [(of, changes(of.schema, [Change("c", 1, ("1", "a", "b"))])) for of in targets]
    assert writer.write_changes(batch(1, *writes)).rows == 60
    assert writer.write_changes(batch(2, *writes)).rows == 60
    writer.write_changes(batch(3))
    counted = writer._session.rows("SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()", "counting")
    assert counted[0][0] <= 48 * 4


def test_source_times_keep_their_microseconds(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(THINGS, mode=SyncMode.APPEND)
    writer.ensure_table(of)
    writer.write_changes(batch(1, (of, changes(THINGS, [Change("c", 1, ("1", "a", "b"))]))))
    assert postgres_lane.rows(of, "_rosetta_source_ts") == [("2023-11-14 22:13:20.123457+00",)]


def test_a_wrong_endpoint_is_an_outage() -> None:
    with pytest.raises(RosettaError) as refused:
        PostgresDestination(PostgresEndpoint("127.0.0.1", 1, "x", "y", "z"), 1, 1).open(1)
    assert refused.value.retryable


def test_errors_of_a_server_never_show_values(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(schema(columns=(("id", "bigint"), ("n", "integer"))))
    writer.ensure_table(of)
    found = writer.write_changes(batch(1, (of, changes(of.schema, [Change("c", 1, ("1", "s3cret"))]))))
    (record,) = found.refusal.records
    assert "s3cret" not in str(record.error)
    assert issubclass(psycopg2.DataError, psycopg2.Error)
