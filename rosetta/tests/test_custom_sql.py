"""Custom SQL: what it may say, what it gives, and thirty-odd ways out of it that all are closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from rosetta.custom_sql import Sandbox, SandboxLimits, Statement
from rosetta.custom_sql.sandbox import Computed
from rosetta.errors import ConfigurationError, DataError
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema

COLUMNS = {
    "id": "bigint",
    "name": "text",
    "amount": "numeric(12,2)",
    "seen": "timestamp with time zone",
    "day": "date",
    "doc": "jsonb",
    "ok": "boolean",
    "ratio": "double precision",
    "free": "numeric",
    "raw": "bytea",
}
SCHEMA = TableSchema(
    TableId("public", "t"), tuple(Column(name, kind) for name, kind in COLUMNS.items()), ("id",), primary_key=("id",)
)
ROW: dict[str, str | None] = {
    "id": "1",
    "name": "a'é$$;--\n\\",
    "amount": "1.50",
    "seen": "2026-01-01 00:00:00+05:30",
    "day": "0044-03-15 BC",
    "doc": '{"a": {"b": "x"}}',
    "ok": "t",
    "ratio": "Infinity",
    "free": "1e-20",
    "raw": "\\x00ff",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(SandboxLimits(seconds=20.0))
    yield made
    made.close()


def run(sandbox: Sandbox, statement: Statement, rows: list[dict[str, str | None]]) -> Computed:
    arrays = {name: pa.array([row.get(name, ROW[name]) for row in rows], pa.string()) for name in COLUMNS}
    table = pa.table({"_rosetta_row": pa.array(range(len(rows)), pa.int64()), **arrays})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sandbox.run(statement, list(COLUMNS.items()), sink.getvalue().to_pybytes())


def given(computed: Computed) -> list[dict[str, str | int | None]]:
    rows: list[dict[str, str | int | None]] = pa.ipc.open_stream(computed.rows).read_all().to_pylist()
    return rows


@pytest.mark.parametrize(
    ("expression", "kind", "text"),
    [
        ("upper(name)", "text", "A'É$$;--\n\\"),
        ("amount * 2", "numeric(18,2)", "3.00"),
        ("date_trunc('day', seen)", "timestamp with time zone", "2025-12-31 00:00:00+00"),
        ("day", "date", None),
        ("make_date(-43, 3, 15)", "date", "0044-03-15 BC"),
        ("(doc -> 'a') ->> 'b'", "text", "x"),
        ("json_extract(doc, '$.a')", "jsonb", '{"b":"x"}'),
        ("NOT ok", "boolean", "false"),
        ("ratio / 2", "double precision", "inf"),
        ("free || ''", "text", "1e-20"),
        ("encode(name)", "bytea", "\\x6127c3a924243b2d2d0a5c"),
        ("CASE WHEN amount > 1 THEN 'much' ELSE 'little' END", "text", "much"),
        ("coalesce(nullif(name, name), 'none')", "text", "none"),
        ("id IN (1, 2) AND name LIKE 'a%' AND amount BETWEEN 1 AND 2", "boolean", "true"),
        ("year(seen) + 1::SMALLINT", "bigint", "2026"),
        ("sha256(name || 'pepper')", "text", None),
    ],
)
def test_an_expression_gives_what_it_says(sandbox: Sandbox, expression: str, kind: str, text: str | None) -> None:
    statement = sandbox.check(f"SELECT id, {expression} AS made FROM batch", SCHEMA)
    made = statement.columns[1]
    assert (made.name, made.type) == ("made", kind)
    if made.source is None and text is not None:
        assert given(run(sandbox, statement, [ROW])) == [{"_rosetta_row": 0, "made": text}]


def test_columns_are_passed_on_renamed_and_left_out(sandbox: Sandbox) -> None:
    statement = sandbox.check('SELECT b.* EXCLUDE (raw, free), name AS "the ""Name""", b.id AS nr FROM batch b', SCHEMA)
    passed = {column.name: column.source for column in statement.columns}
    assert passed == {name: name for name in COLUMNS if name not in {"raw", "free"}} | {
        'the "Name"': "name",
        "nr": "id",
    }
    assert statement.output_of("raw") is None


def test_where_chooses_rows(sandbox: Sandbox) -> None:
    statement = sandbox.check("SELECT id, name FROM batch WHERE amount >= 2 OR name IS NULL", SCHEMA)
    rows: list[dict[str, str | None]] = [{"amount": "1"}, {"amount": "2"}, {"amount": None}, {"name": None}]
    assert [row["_rosetta_row"] for row in given(run(sandbox, statement, rows))] == [1, 3]


def test_rows_that_cannot_be_computed_are_told_and_the_others_come(sandbox: Sandbox) -> None:
    statement = sandbox.check("SELECT id, CAST(name AS INTEGER) AS n FROM batch", SCHEMA)
    rows: list[dict[str, str | None]] = [{"name": str(n)} for n in range(100)]
    rows[17] = rows[63] = {"name": "canary"}
    computed = run(sandbox, statement, rows)
    assert computed.failed == (17, 63)
    assert [row["n"] for row in given(computed)] == [str(n) for n in range(100) if n not in {17, 63}]


def test_a_sample_shows_what_would_arrive(sandbox: Sandbox) -> None:
    statement = sandbox.check("SELECT id, name AS title, amount * 2 AS twice FROM batch WHERE amount > 1", SCHEMA)
    rows = [[row.get(name, ROW[name]) for name in COLUMNS] for row in ({"id": "7"}, {"amount": "1"}, {"name": None})]
    assert sandbox.sample(statement, SCHEMA, rows) == [
        {"id": "7", "title": ROW["name"], "twice": "3.00"},
        {"id": "1", "title": None, "twice": "3.00"},
    ]
    assert sandbox.sample(statement, SCHEMA, []) == []


def test_an_empty_batch_gives_nothing(sandbox: Sandbox) -> None:
    statement = sandbox.check("SELECT id, upper(name) AS n FROM batch", SCHEMA)
    assert given(run(sandbox, statement, [])) == []


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT count(*) AS n, id FROM batch", "aggregate"),
        ("SELECT id, sum(amount) AS n FROM batch GROUP BY id", "GROUP BY"),
        ("SELECT id, max(amount) AS n FROM batch", "aggregate"),
        ("SELECT id, row_number() OVER () AS n FROM batch", "window"),
        ("SELECT DISTINCT id FROM batch", "DISTINCT"),
        ("SELECT id FROM batch ORDER BY id", "ORDER BY"),
        ("SELECT id FROM batch LIMIT 1", "LIMIT"),
        ("SELECT id FROM batch USING SAMPLE 10%", "sample"),
        ("SELECT id FROM batch QUALIFY true", "QUALIFY"),
        ("SELECT id, now() AS n FROM batch", "function"),
        ("SELECT id, random() AS n FROM batch", "function"),
        ("SELECT name FROM batch", "key column id"),
        ("SELECT id + 0 AS id FROM batch", "key column id"),
        ("SELECT id, nothing FROM batch", "no column nothing"),
        ("SELECT id, current_user FROM batch", "no column"),
        ("SELECT id, upper(name) FROM batch", "add AS"),
        ("SELECT id, name AS id FROM batch", "two columns"),
        ("SELECT id, name AS _rosetta_lsn FROM batch", "Rosetta's own"),
        ("SELECT id, [1, 2] AS n FROM batch", "not allowed"),
        ("", "one"),
        ("this is not SQL", "cannot be read"),
    ],
)
def test_what_depends_on_more_than_its_row_is_refused_with_the_reason(sandbox: Sandbox, sql: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match="custom SQL is refused") as refused:
        sandbox.check(sql, SCHEMA)
    assert reason in refused.value.message
    assert refused.value.code == "CUSTOM_SQL_REFUSED"
    assert refused.value.remedy


ESCAPES = [
    "SELECT id, (SELECT content FROM read_text('{file}')) AS x FROM batch",
    "SELECT id FROM read_csv('{file}')",
    "SELECT id FROM read_parquet('{file}') batch",
    "SELECT id FROM '{file}'",
    "SELECT id FROM batch, read_blob('{file}') f",
    "SELECT id FROM batch JOIN glob('/*') g ON true",
    "SELECT id FROM batch b JOIN batch c ON true",
    "SELECT id FROM batch UNION ALL SELECT 1",
    "WITH x AS (SELECT content FROM read_text('{file}')) SELECT id FROM batch",
    "SELECT id FROM (SELECT * FROM read_text('{file}')) batch",
    "SELECT id, getenv('PATH') AS x FROM batch",
    "SELECT id, getvariable('x') AS x FROM batch",
    "SELECT id, current_setting('home_directory') AS x FROM batch",
    "COPY batch TO '{file}.out'",
    "SELECT id FROM batch; COPY (SELECT 1) TO '{file}.out'",
    "ATTACH '{file}.db' AS stolen",
    "ATTACH 'host=127.0.0.1' AS pg (TYPE postgres)",
    "INSTALL httpfs",
    "LOAD '{file}'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SELECT id FROM batch; SET threads = 8",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "EXPORT DATABASE '/tmp'",
    "CREATE TABLE kept AS SELECT * FROM batch",
    "CREATE MACRO upper(x) AS getenv('PATH')",
    "CREATE SECRET s (TYPE s3)",
    "DROP TABLE batch",
    "DELETE FROM batch",
    "SELECT id, postgres_scan('x', 'y', 'z') AS x FROM batch",
    "SELECT id FROM duckdb_settings() batch",
    "SELECT id FROM incoming",
    "SELECT id FROM memory.main.batch",
    "SELECT id FROM information_schema.tables",
    "SELECT id, query('SELECT 1') AS x FROM batch",
    "SELECT id, sleep_ms(100000) AS x FROM batch",
    "SELECT id, unnest(range(1000000000)) AS x FROM batch",
    "SELECT id, repeat('x', 1000000000) AS x FROM batch",
    "SELECT id, write_log('x') AS x FROM batch",
    "SELECT id, nextval('s') AS x FROM batch",
    "SELECT id, json_serialize_plan('SELECT 1') AS x FROM batch",
    "SELECT id, main.upper(name) AS x FROM batch",
    "SELECT id, system.main.getenv('PATH') AS x FROM batch",
    "SELECT id, COLUMNS('.*') FROM batch",
    "SELECT id, _rosetta_row AS x FROM batch",
    "FROM batch",
    "EXPLAIN SELECT id FROM batch",
    "DESCRIBE batch",
    "PREPARE p AS SELECT 1",
    "SELECT id, $1 AS x FROM batch",
    "SELECT id, list_transform([1], x -> x) AS y FROM batch",
]


@pytest.mark.parametrize("attempt", ESCAPES)
def test_no_statement_leaves_the_sandbox(sandbox: Sandbox, tmp_path: Path, attempt: str) -> None:
    file = tmp_path / "canary"
    file.write_text("id\n1\n")
    sql = attempt.format(file=file) if "{file}" in attempt else attempt
    if sql == "FROM batch":  # short for SELECT *: as harmless as that
        assert [column.source for column in sandbox.check(sql, SCHEMA).columns] == list(COLUMNS)
        return
    with pytest.raises(ConfigurationError) as refused:
        sandbox.check(sql, SCHEMA)
    assert refused.value.code == "CUSTOM_SQL_REFUSED"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary"]
    with pytest.raises(ConfigurationError):
        run(sandbox, Statement(sql, ()), [ROW])  # also where nobody had checked it


def test_the_process_has_nothing_to_give_away(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    fresh = Sandbox()
    try:
        fresh.check("SELECT id FROM batch", SCHEMA)
        process = fresh.process
        assert process is not None
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"canary" not in environment
        assert environment.split(b"\0")[:-1] == [b"LC_ALL=C.UTF-8"]
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")] == [["3", "3"]]
        open_files = {str(one.readlink()).split(":")[0] for one in Path(f"/proc/{process.pid}/fd").iterdir()}
        assert open_files <= {"pipe", "/dev/null"}
    finally:
        fresh.close()


def test_time_and_memory_have_an_end() -> None:
    brief = Sandbox(SandboxLimits(seconds=20.0, memory_bytes=64 << 20))
    try:
        long = " || ".join(["name"] * 200)
        statement = brief.check(f"SELECT id, {long} AS x FROM batch", SCHEMA)
        with pytest.raises(DataError, match="memory") as limit:
            run(brief, statement, [{"name": "x" * 1_000_000}] * 4)
        assert limit.value.code == "CUSTOM_SQL_LIMIT"
        assert brief.check("SELECT id FROM batch", SCHEMA).columns  # and goes on
    finally:
        brief.close()
    slow = Sandbox(SandboxLimits(seconds=0.01))
    with pytest.raises(DataError, match="time"):
        slow.check("SELECT id FROM batch", SCHEMA)
    slow.close()


def test_names_that_duckdb_does_not_tell_apart_are_refused(sandbox: Sandbox) -> None:
    alike = TableSchema(TableId("public", "t"), (Column("id", "bigint"), Column("ID", "text")), ("id",))
    with pytest.raises(ConfigurationError, match="several columns called id"):
        sandbox.check("SELECT id FROM batch", alike)
