"""Chunks over keys of many types: every row once, in the index's order, whatever the values are."""

from __future__ import annotations

from pathlib import Path

import pytest

from compute.backfill.reader import ReadRows, SourceReader
from compute.tests.integration.backfill.conftest import SourceDatabase
from rosetta.dialects.postgres.chunk_read import ReadPlan
from rosetta.errors import DataError, OutageError, SchemaMismatchError

pytestmark = pytest.mark.integration

TEXTS = (
    "('a'), ('B'), ('b'), ('A'), (''), (' '), ('it''s'), (E'back\\\\slash'), (E'tab\\t'), (E'line\\n'), ('ä'), ('Z'),"
    " ('é'), (E'\\\\N'), ('\U0001f600'), ('%s'), ('a b'), ('a-b'), ('ab')"
)
# key definition, rows: VALUES lists or queries
KEYS = {
    "int": ("k int PRIMARY KEY", "SELECT (n * 7919) % 1000 - 500 FROM generate_series(1, 100) n"),
    "bigint": ("k bigint PRIMARY KEY", "VALUES (-9223372036854775808), (0), (9223372036854775807), (1), (-1)"),
    "text": ("k text PRIMARY KEY", f"VALUES {TEXTS}"),
    "text in another collation": ('k text COLLATE "POSIX" PRIMARY KEY', f"VALUES {TEXTS}"),
    "varchar": ("k varchar(20) PRIMARY KEY", f"VALUES {TEXTS}"),
    "char": ("k char(12) PRIMARY KEY", "VALUES ('a'), ('abc'), ('b'), ('it''s'), ('x y')"),
    "uuid": ("k uuid PRIMARY KEY", "SELECT gen_random_uuid() FROM generate_series(1, 50)"),
    "numeric": ("k numeric PRIMARY KEY", "VALUES (1.10), (-3), ('NaN'), ('Infinity'), (0.00000001), (1e40), (1.2)"),
    "float": ("k float8 PRIMARY KEY", "VALUES (0.1), ('-Infinity'), ('NaN'), (1e300), (-0.3), (2.5e-300)"),
    "timestamptz": (
        "k timestamptz PRIMARY KEY",
        "VALUES ('infinity'::timestamptz), ('-infinity'), ('4000-01-01 BC'), ('2024-02-29 23:59:59.999999+05:30')",
    ),
    "date": ("k date PRIMARY KEY", "VALUES ('infinity'::date), ('0001-01-01 BC'), ('2024-02-29'), ('5000000-01-01')"),
    "bytea": ("k bytea PRIMARY KEY", r"VALUES ('\x00'::bytea), ('\x'), ('\x5c27'), ('\xff00'), ('\x61')"),
    "bool": ("k bool PRIMARY KEY", "VALUES (true), (false)"),
    "enum": ("k public.mood PRIMARY KEY", "VALUES ('sad'::public.mood), ('ok'), ('happy'), ('it''s')"),
    "domain": ("k public.positive PRIMARY KEY", "SELECT generate_series(1, 20)"),
    "domain of an enum": ("k public.moods PRIMARY KEY", "VALUES ('sad'::public.mood), ('happy')"),
    "citext": ("k ext.citext PRIMARY KEY", "VALUES ('a'::ext.citext), ('B'), ('c'), ('D'), ('_'), ('Ab')"),
    "array": ("k int[] PRIMARY KEY", "VALUES ('{1,2}'::int[]), ('{}'), ('{1}'), ('{NULL,3}'), ('{{1},{2}}')"),
    "range": ("k int4range PRIMARY KEY", "VALUES ('[1,5)'::int4range), ('empty'), ('(,3)'), ('[2,)')"),
    "inet": ("k inet PRIMARY KEY", "VALUES ('10.0.0.1'::inet), ('10.0.0.0/8'), ('::1'), ('9.9.9.9')"),
    "interval": ("k interval PRIMARY KEY", "VALUES ('1 mon'::interval), ('-3 days'), ('25:00:00'), ('1 year 2 days')"),
    "bit": ("k bit(5) PRIMARY KEY", "VALUES (b'00000'), (b'10101'), (b'11111'), (b'00001')"),
    "jsonb": ("k jsonb PRIMARY KEY", """VALUES ('{"a": "b\\\\n"}'::jsonb), ('[]'), ('1'), ('"x"'), ('null')"""),
    "composite": (
        "k public.pair PRIMARY KEY",
        "VALUES (ROW(1, 'a,b')::public.pair), (ROW(1, 'a\"b')), (ROW(0, NULL)), (ROW(NULL, ''))",
    ),
    "two columns": (
        "k text, l int, PRIMARY KEY (l, k)",
        "SELECT chr(97 + n % 7), n % 5 FROM generate_series(1, 35) n",
    ),
    "operators of two schemas": (
        "k ext.citext, l int, m bigint, PRIMARY KEY (l, k, m)",
        "SELECT chr(65 + n % 3 + 32 * (n % 2))::ext.citext, n % 5, n FROM generate_series(1, 60) n",
    ),
    "an identity index": (
        "k int NOT NULL, l int, CONSTRAINT u UNIQUE (k) INCLUDE (l)",
        "SELECT n, n FROM generate_series(1, 9) n",
    ),
    "a descending identity index": ("k int NOT NULL", "SELECT generate_series(1, 9)"),
}


def create(source: SourceDatabase, case: str) -> ReadPlan:
    definition, rows = KEYS[case]
    source.run(
        "CREATE SCHEMA ext",
        "CREATE EXTENSION citext SCHEMA ext",
        "CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'it''s')",
        "ALTER TYPE public.mood ADD VALUE 'happy' BEFORE 'ok'",
        "CREATE DOMAIN public.moods AS public.mood",
        "CREATE DOMAIN public.positive AS int CHECK (VALUE > 0)",
        "CREATE TYPE public.pair AS (a int, b text)",
        f"CREATE TABLE public.t (before text DEFAULT 'x\ty', {definition}, after text DEFAULT 'z')",
    )
    names = "k, l, m" if " m " in definition else "k, l" if " l " in definition else "k"
    source.run(f"INSERT INTO public.t ({names}) {rows}")
    if case == "a descending identity index":
        source.run("CREATE UNIQUE INDEX u ON public.t (k DESC)")
    if "identity index" in case:
        source.run("ALTER TABLE public.t REPLICA IDENTITY USING INDEX u")
    return source.reader().plan(source.schema())


def read_all(reader: SourceReader, plan: ReadPlan, rows: int) -> list[ReadRows]:
    chunks: list[ReadRows] = []
    lower = None
    while not chunks or lower is not None:
        chunks.append(reader.read_chunk(plan, lower, rows))
        lower = chunks[-1].upper
        assert len(chunks) < 200
    return chunks


def lines(chunks: list[ReadRows]) -> list[bytes]:
    found = []
    for chunk in chunks:
        data = chunk.data.read_bytes() if isinstance(chunk.data, Path) else chunk.data
        rows = data.split(b"\n")[:-1]
        assert len(rows) == chunk.row_count
        assert len(data) == chunk.byte_count
        found += rows
    return found


@pytest.mark.parametrize("case", list(KEYS))
def test_every_row_is_read_once_in_the_order_of_the_key(source: SourceDatabase, case: str) -> None:
    plan = create(source, case)
    reader = source.reader()
    chunks = read_all(reader, plan, 1)
    assert lines(chunks) == lines(read_all(reader, plan, 3))
    whole = reader.read_table(plan)
    expected = source.one("SELECT count(*) FROM public.t")
    assert expected > 1
    assert sorted(lines(chunks)) == sorted(lines([whole]))
    assert sum(chunk.row_count for chunk in chunks) == expected
    assert [chunk.lower for chunk in chunks] == [None, *(chunk.upper for chunk in chunks[:-1])]
    # the bounds themselves are in the server's order of the key
    source.run(f"CREATE TABLE public.bounds (place int, {', '.join(f'c{n} text' for n, _ in enumerate(plan.key))})")
    with source.session.cursor() as cursor:
        for place, chunk in enumerate(chunks[:-1]):
            marks = ", ".join(["%s"] * (1 + len(plan.key)))
            cursor.execute(f"INSERT INTO public.bounds VALUES ({marks})", (place, *(chunk.upper or ())))
    ties = " AND ".join(f'concat(t."{column.name}") = b.c{n}' for n, column in enumerate(plan.key))
    order = ", ".join(f't."{column.name}"' for column in plan.key)
    places = source.rows(f"SELECT b.place FROM public.bounds b JOIN public.t t ON {ties} ORDER BY {order}")
    assert [place for (place,) in places] == list(range(len(chunks) - 1))


def test_chunks_use_the_index_without_statistics(source: SourceDatabase) -> None:
    source.run(
        "CREATE TABLE public.t (a int, b text, PRIMARY KEY (a, b)) WITH (autovacuum_enabled = false)",
        "INSERT INTO public.t SELECT n / 10, n::text FROM generate_series(1, 20000) n",
    )
    reader = source.reader()
    plan = reader.plan(source.schema())
    source.run("SELECT pg_stat_force_next_flush()")
    before = source.one("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 't'")
    chunks = read_all(reader, plan, 500)
    reader.close()
    source.run("SELECT pg_stat_force_next_flush()")
    assert sum(chunk.row_count for chunk in chunks) == 20_000
    assert source.one("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 't'") == before


@pytest.mark.parametrize(
    ("definition", "portable"),
    [
        ("k int PRIMARY KEY", True),
        ("k uuid, l timestamptz, PRIMARY KEY (k, l)", True),
        ("k int[] PRIMARY KEY", True),
        ("k text PRIMARY KEY", False),
        ("k int, l varchar(3), PRIMARY KEY (k, l)", False),
        ("k text[] PRIMARY KEY", False),
        ("k jsonb PRIMARY KEY", False),
        ("k public.mood PRIMARY KEY", False),
        ("k public.positive PRIMARY KEY", True),
        ("k public.word PRIMARY KEY", False),
        ("k public.moods PRIMARY KEY", False),
        ("k public.pair PRIMARY KEY", False),
        ("k int4range PRIMARY KEY", False),
    ],
)
def test_which_orders_a_target_shares(source: SourceDatabase, definition: str, *, portable: bool) -> None:
    source.run(
        "CREATE TYPE public.mood AS ENUM ('a')",
        "CREATE DOMAIN public.positive AS int",
        "CREATE DOMAIN public.word AS text",
        "CREATE DOMAIN public.moods AS public.mood",
        "CREATE TYPE public.pair AS (a int, b text)",
        f"CREATE TABLE public.t ({definition})",
    )
    assert source.reader().plan(source.schema()).portable is portable


def test_only_the_tables_own_rows_but_all_partitions(source: SourceDatabase) -> None:
    source.run(
        "CREATE TABLE public.parent (id int PRIMARY KEY)",
        "CREATE TABLE public.child () INHERITS (public.parent)",
        "INSERT INTO public.parent VALUES (1)",
        "INSERT INTO public.child VALUES (2)",
        "CREATE TABLE public.root (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
        "CREATE TABLE public.one PARTITION OF public.root FOR VALUES IN (1)",
        "CREATE TABLE public.two PARTITION OF public.root FOR VALUES IN (2)",
        "INSERT INTO public.root SELECT n, 1 + n % 2 FROM generate_series(1, 10) n",
    )
    reader = source.reader()
    assert lines(read_all(reader, reader.plan(source.schema("parent")), 10)) == [b"1"]
    root = reader.plan(source.schema("root"))
    assert lines(read_all(reader, root, 3)) == [f"{n}\t{1 + n % 2}".encode() for n in range(1, 11)]
    assert reader.estimate(root) == 10


def test_columns_are_in_the_schemas_order_and_generated_ones_left_out(source: SourceDatabase) -> None:
    source.run(
        "CREATE TABLE public.t (b text, gone int, g int GENERATED ALWAYS AS (id * 2) STORED, id int PRIMARY KEY)",
        "ALTER TABLE public.t DROP COLUMN gone",
        "INSERT INTO public.t (b, id) VALUES (NULL, 7)",
    )
    reader = source.reader()
    plan = reader.plan(source.schema())
    assert plan.columns == ("b", "id")
    assert lines([reader.read_chunk(plan, None, 5)]) == [b"\\N\t7"]


def test_large_rows_go_to_a_file_with_the_right_bound(source: SourceDatabase) -> None:
    source.run(
        "CREATE TABLE public.t (body text, id int PRIMARY KEY)",
        "INSERT INTO public.t SELECT repeat(E'x\\n', 200000), n FROM generate_series(1, 3) n",
    )
    reader = source.reader(inline_bytes=1000)
    plan = reader.plan(source.schema())
    first = reader.read_chunk(plan, None, 2)
    assert isinstance(first.data, Path)
    assert (first.upper, first.row_count) == (("2",), 2)
    assert reader.read_chunk(plan, first.upper, 2).row_count == 1


def test_each_chunk_has_its_own_snapshot(source: SourceDatabase) -> None:
    source.run("CREATE TABLE public.t (id int PRIMARY KEY)", "INSERT INTO public.t VALUES (1), (2)")
    reader = source.reader()
    plan = reader.plan(source.schema())
    first = reader.read_chunk(plan, None, 1)
    source.run("INSERT INTO public.t VALUES (3)")
    xid = source.one("SELECT xmin::text FROM public.t WHERE id = 3")
    second = reader.read_chunk(plan, first.upper, 5)
    seen = [source.one(f"SELECT pg_visible_in_snapshot('{xid}', '{read.snapshot}')") for read in (first, second)]
    assert seen == [False, True]
    assert second.row_count == 2


def test_estimates_are_exact_for_small_tables_only(source: SourceDatabase) -> None:
    source.run("CREATE TABLE public.t (id int PRIMARY KEY)")
    reader = source.reader()
    plan = reader.plan(source.schema())
    assert reader.estimate(plan) == 0
    source.run("INSERT INTO public.t SELECT generate_series(1, 30000)")
    assert reader.estimate(plan) >= 10_001
    source.run("VACUUM ANALYZE public.t")
    assert reader.estimate(plan) == 30_000


def test_writers_are_transactions_that_wrote_to_the_table(source: SourceDatabase) -> None:
    source.run("CREATE TABLE public.t (id int PRIMARY KEY)", "CREATE TABLE public.other (id int PRIMARY KEY)")
    reader = source.reader()
    table = source.schema().table
    connection = source.another()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO public.other VALUES (1); SELECT FROM public.t")
        assert reader.writers(table) == set()
        cursor.execute("INSERT INTO public.t VALUES (1)")
        assert len(reader.writers(table)) == 1
    connection.commit()
    assert reader.writers(table) == set()
    connection.close()


def test_errors_are_ours(source: SourceDatabase) -> None:
    source.run("CREATE TABLE public.t (id int PRIMARY KEY, a int)")
    reader = source.reader()
    schema = source.schema()
    plan = reader.plan(schema)
    source.run("ALTER TABLE public.t DROP COLUMN a")
    with pytest.raises(DataError):
        reader.read_chunk(plan, None, 1)
    source.run("ALTER TABLE public.t DROP CONSTRAINT t_pkey")
    with pytest.raises(SchemaMismatchError):
        reader.plan(schema)
    source.run("DROP TABLE public.t")
    with pytest.raises(DataError):
        reader.estimate(plan)


def test_a_lost_session_is_an_outage_and_the_next_read_opens_another(source: SourceDatabase) -> None:
    source.run("CREATE TABLE public.t (id int PRIMARY KEY)", "INSERT INTO public.t VALUES (1)")
    reader = source.reader()
    plan = reader.plan(source.schema())
    source.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rosetta copy'")
    with pytest.raises(OutageError):
        reader.read_chunk(plan, None, 1)
    assert reader.read_chunk(plan, None, 1).row_count == 1
    reader.cancel()
    with pytest.raises(OutageError):
        reader.read_chunk(plan, None, 1)


@pytest.mark.parametrize("partitioned", [False, True])
def test_a_chunk_is_not_marked_after_a_truncate(source: SourceDatabase, partitioned: bool) -> None:
    if partitioned:
        source.run(
            "CREATE TABLE public.t (k int PRIMARY KEY) PARTITION BY RANGE (k)",
            "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (0) TO (50)",
            "CREATE TABLE public.t2 PARTITION OF public.t DEFAULT",
        )
    else:
        source.run("CREATE TABLE public.t (k int PRIMARY KEY)")
    source.run("INSERT INTO public.t SELECT generate_series(1, 100)")
    reader = source.reader()
    plan = reader.plan(source.schema())

    read = reader.read_chunk(plan, None, 10)
    source.run("INSERT INTO public.t VALUES (1000)", "DELETE FROM public.t WHERE k = 1", "VACUUM public.t")
    assert reader.mark("a", plan.table, read.storage)
    source.run(f"TRUNCATE public.{'t1' if partitioned else 't'}")
    assert not reader.mark("b", plan.table, read.storage)
    assert reader.mark("c", plan.table, reader.read_chunk(plan, None, 10).storage)
