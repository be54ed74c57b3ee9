"""A target follows a real table that changes its shape, or says exactly what a person has to decide."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compute.destinations.base import TableTarget
from compute.tests.contract.changes import Change, batch, changes
from compute.tests.contract.conftest import PostgresLane
from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.enums import SchemaPolicy
from rosetta.errors import SchemaMismatchError
from rosetta.identifiers import TableId

pytestmark = pytest.mark.integration
SOURCE, TARGET = TableId("src", "t"), TableId("copy", "t")


class Pair:
    """A table and its copy in one database."""

    def __init__(self, lane: PostgresLane, definition: str, policy: SchemaPolicy = SchemaPolicy.EVOLVE) -> None:
        self._lane = lane
        self._policy = policy
        lane.query(f"CREATE SCHEMA src; SET search_path = src; {definition}")
        self.writer = lane.writer()
        self.writer.open(1)
        assert self.follow(copying=True, anew=True) is False
        self.copy()

    def source(self, statement: str) -> None:
        self._lane.query(statement)

    def target(self, *, copying: bool = False, anew: bool = False) -> TableTarget:
        (schema,) = parse_tables(self._lane.query(tables_sql([SOURCE]))[0][0]).values()
        return TableTarget(1, schema, TARGET, copying=copying, anew=anew, policy=self._policy)

    def follow(self, *, copying: bool = False, anew: bool = False) -> bool:
        return self.writer.ensure_table(self.target(copying=copying, anew=anew))

    def copy(self) -> None:
        names = ", ".join(f'"{name}"' for name in self.target().schema.column_names)
        self._lane.query(f"INSERT INTO copy.t ({names}) SELECT {names} FROM t")

    def refused(self) -> SchemaMismatchError:
        with pytest.raises(SchemaMismatchError) as found:
            self.follow()
        assert found.value.code == "SCHEMA_CHANGED"
        return found.value

    def mend(self, error: SchemaMismatchError) -> None:
        self._lane.query(str(error.remedy))

    @property
    def same(self) -> bool:
        names = ", ".join(f'"{name}"' for name in self.target().schema.column_names)
        pair = [f"(SELECT {names} FROM {table})" for table in ("t", "copy.t")]
        sql = (
            f"SELECT ROW(x.*)::text FROM ({pair[0]} EXCEPT ALL {pair[1]} UNION ALL ({pair[1]} EXCEPT ALL {pair[0]})) x"
        )
        return self._lane.query(sql.replace("EXCEPT ALL", "EXCEPT")) == []

    def types(self) -> dict[str, str]:
        rows = self._lane.query(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'copy.t'::regclass"
            " AND attnum > 0 AND NOT attisdropped AND NOT starts_with(attname, '_rosetta')"
        )
        return dict(rows)


@pytest.fixture
def pair(postgres_lane: PostgresLane) -> Callable[..., Pair]:
    return lambda definition, policy=SchemaPolicy.EVOLVE: Pair(postgres_lane, definition, policy)


ROWS = "CREATE TABLE t (id int PRIMARY KEY, v varchar(5)); INSERT INTO t VALUES (1, 'a'), (2, NULL)"


def test_a_default_that_does_not_vary_is_in_the_rows_of_before(pair: Callable[..., Pair]) -> None:
    one = pair(ROWS)
    one.source(
        r"""ALTER TABLE t ADD a int DEFAULT 5, ADD b text DEFAULT E'it''s {"a,b"}\\ \t', ADD c int[] DEFAULT '{1,NULL}',
        ADD d timestamptz DEFAULT now(), ADD e box DEFAULT '(1,1),(0,0)', ADD f text[] DEFAULT '{{"x y",NULL}}',
        ADD g text, ADD h bytea DEFAULT '\x00ff', ADD i text DEFAULT ''"""
    )
    one.source("ALTER TABLE t ALTER a DROP DEFAULT, ALTER b SET DEFAULT 'other'")
    assert one.follow() is False
    one.source("ALTER TABLE t DROP COLUMN e; ALTER TABLE copy.t DROP COLUMN e")  # which has no equality by value
    assert one.same
    assert one.follow() is False  # gone from both


def test_a_row_of_before_that_comes_late_has_the_default_too(pair: Callable[..., Pair]) -> None:
    one = pair(ROWS)
    before = one.target()
    one.source("ALTER TABLE t ADD a int DEFAULT 5; INSERT INTO t (id, v) VALUES (3, 'c')")
    one.follow()
    late = changes(before.schema, [Change("c", 1, ("3", "c"))])
    one.writer.write_changes(batch(1, (one.target(), late)))
    assert one.same


def test_a_partitioned_table_has_the_default_of_its_partitions(pair: Callable[..., Pair]) -> None:
    one = pair(
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES"
        " FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);"
        " CREATE TABLE t3 PARTITION OF t2 DEFAULT; INSERT INTO t VALUES (1), (11)"
    )
    one.source("ALTER TABLE t ADD a text DEFAULT 'x'")
    assert one.follow() is False
    assert one.same
    one.source("ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid()")
    assert one.follow() is True


@pytest.mark.parametrize(
    "rewrite",
    [
        "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid(); ALTER TABLE t ALTER a DROP DEFAULT",
        "ALTER TABLE t ADD a int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ADD a int DEFAULT 5; VACUUM FULL t",
        "ALTER TABLE t ALTER id TYPE bigint USING id * 10",
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v varchar(5))",
    ],
)
def test_rows_that_were_written_anew_are_to_be_copied_again(pair: Callable[..., Pair], rewrite: str) -> None:
    one = pair(ROWS)
    for statement in rewrite.split("; "):
        one.source(statement)
    assert one.follow() is True
    assert one.follow() is True, "it was forgotten before it was done"
    assert one.follow(copying=True, anew=True) is False
    assert one.follow() is False


def test_a_rewrite_alone_means_nothing(pair: Callable[..., Pair]) -> None:
    one = pair(ROWS)
    one.source("VACUUM FULL t")
    assert one.follow() is False
    one.source("ALTER TABLE t ADD a int")
    assert one.follow() is False
    assert one.same


def test_types_grow_by_the_table_of_rules_keys_too(pair: Callable[..., Pair]) -> None:
    one = pair("CREATE TABLE t (id int PRIMARY KEY, v varchar(5), n numeric(4,1)); INSERT INTO t VALUES (1, 'a', 1.5)")
    one.source("ALTER TABLE t ALTER v TYPE varchar(9)")
    assert one.follow() is False, "the stored bytes serve as well"
    one.source("ALTER TABLE t ALTER v TYPE text")
    assert one.follow() is False
    one.source("ALTER TABLE t ALTER id TYPE bigint, ALTER n TYPE numeric(8,3)")
    assert one.follow() is True
    assert one.types() == {"id": "bigint", "v": "text", "n": "numeric(8,3)"}
    wide = changes(one.target().schema, [Change("c", 1, ("5000000000", "longer than five", "12345.678"))])
    assert not one.writer.write_changes(batch(1, (one.target(), wide))).refusal


def test_a_copy_under_way_takes_wider_keys_and_new_columns(pair: Callable[..., Pair]) -> None:
    one = pair(ROWS)
    one.follow(copying=True, anew=True)
    one.writer.start_copy(one.target(copying=True))
    one.source("ALTER TABLE t ALTER id TYPE bigint, ADD a int")
    assert one.follow(copying=True) is True
    of = one.target(copying=True)
    gone = changes(of.schema, [Change("c", 1, ("5000000000", "x", "1")), Change("d", 2, ("5000000000", None, None))])
    assert not one.writer.write_changes(batch(2, (of, gone))).refusal


@pytest.mark.parametrize(
    ("statement", "said", "outdated"),
    [
        ("ALTER TABLE t DROP COLUMN v", "column v was dropped", False),
        ("ALTER TABLE t RENAME COLUMN v TO w", "column v was renamed to w", False),
        ("ALTER TABLE t RENAME COLUMN id TO number", "column id was renamed to number", False),
        (
            "ALTER TABLE t ALTER v TYPE varchar(3)",
            "column v was character varying(5) and is character varying(3)",
            True,
        ),
        ("ALTER TABLE t ALTER id TYPE text", "column id was integer and is text", True),
        (
            "ALTER TABLE t ADD k int DEFAULT 0, DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, k)",
            "the key was (id) and is (id, k)",
            True,  # which a column made by hand does not have
        ),
    ],
)
def test_what_would_lose_or_guess_waits_for_a_person(
    pair: Callable[..., Pair], statement: str, said: str, outdated: bool
) -> None:
    one = pair(ROWS)
    one.source(statement)
    error = one.refused()
    assert said in error.message
    assert one.types() == {"id": "integer", "v": "character varying(5)"}
    one.mend(error)
    assert one.follow() is outdated
    assert one.same or outdated


def test_a_resync_takes_the_table_as_it_is(pair: Callable[..., Pair]) -> None:
    one = pair(ROWS)
    one.source("ALTER TABLE t RENAME COLUMN v TO w")
    one.refused()
    assert one.follow(copying=True, anew=True) is False
    assert one.types() == {"id": "integer", "v": "character varying(5)", "w": "character varying(5)"}
    assert one.follow() is False


def test_a_table_that_is_to_pause_pauses_for_anything(pair: Callable[..., Pair]) -> None:
    one = pair(ROWS, SchemaPolicy.PAUSE)
    one.source("ALTER TABLE t ADD a int")
    error = one.refused()
    assert "column a (integer) was added" in error.message
    one.mend(error)
    assert one.follow() is False
    one.source("ALTER TABLE t ALTER id TYPE bigint")
    one.mend(one.refused())
    assert one.follow() is True
