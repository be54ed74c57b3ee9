"""A filter is the same filter in PostgreSQL, in DuckDB, in Arrow and in Python, whatever the values are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import product

import duckdb
import psycopg2.extensions
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rosetta.dialects.postgres import literal, quoted
from rosetta.dialects.postgres.checksum import exact_text
from rosetta.dialects.postgres.range_check import compared
from rosetta.filters import (
    Condition,
    Operator,
    RowFilter,
    check_filters,
    matcher,
    parse_filters,
    postgres_condition,
)
from rosetta.filters.condition import LISTS, NULL_TESTS, ORDERED
from rosetta.filters.condition import PATTERNS as PATTERN_OPERATORS
from rosetta.filters.kinds import TEXTS, Kind, kind_of
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.tests.filters.duckdb_sql import duckdb_bound
from rosetta.tests.filters.samples import PATTERNS, SAMPLES, SETUP, Sample
from rosetta.types import Column, TableSchema

Session = psycopg2.extensions.connection
EXAMPLES = int(os.environ.get("ROSETTA_FILTER_EXAMPLES", "3"))
PHASES = (Phase.generate, Phase.shrink)


def _schema(column: Column) -> TableSchema:
    return TableSchema(TableId("public", "t"), (column,), ())


def _session(cluster: PostgresCluster, database: str) -> Session:
    endpoint = PostgresEndpoint("127.0.0.1", cluster.port, database, cluster.superuser, cluster.password, "disable")
    return connect(endpoint, application="test", autocommit=True)


@pytest.fixture(scope="module")
def session(cluster: PostgresCluster) -> Iterator[Session]:
    """Of a database whose own rules fold and order all of Unicode, unlike the collation "C"."""
    # The embedded server, which is of 18, has no ICU.
    rules = "builtin BUILTIN_LOCALE 'PG_UNICODE_FAST'" if cluster.major_version() >= 18 else "icu ICU_LOCALE 'und'"
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE filters TEMPLATE template0 LOCALE_PROVIDER {rules}")
    with closing(_session(cluster, "filters")) as connection:
        with connection.cursor() as cursor:
            cursor.execute(SETUP)
        yield connection
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE filters WITH (FORCE)")


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def _values(draw: st.DrawFn, operator: Operator, sample: Sample, pool: Sequence[str]) -> tuple[str, ...]:
    if operator in NULL_TESTS:
        return ()
    if operator in PATTERN_OPERATORS:
        return (draw(PATTERNS),)
    one = st.sampled_from(pool) | sample.drawn
    fewest, most = (1, 4) if operator in LISTS else (2, 2) if operator is Operator.BETWEEN else (1, 1)
    return tuple(draw(st.lists(one, min_size=fewest, max_size=most)))


def _fits(operator: Operator, kind: Kind) -> bool:
    if operator in PATTERN_OPERATORS:
        return kind in TEXTS
    return operator not in ORDERED or kind is not Kind.ENUM


@st.composite
def _questions(draw: st.DrawFn, sample: Sample) -> tuple[list[str], list[RowFilter]]:
    """Values of rows, and conditions of every operator that fits the type, each alone."""
    pool = [*sample.values, *draw(st.lists(sample.drawn, max_size=8))]
    filters = []
    for operator in (*Operator, Operator.LIKE, Operator.ILIKE, Operator.LESS, Operator.GREATER, Operator.BETWEEN):
        if _fits(operator, kind_of(sample.column).kind):
            condition = Condition(sample.column.name, operator, _values(draw, operator, sample, pool))
            filters.append(check_filters(_schema(sample.column), [condition]))
    return pool, filters


def _asked(
    session: Session, column: Column, rows: Sequence[str], filters: Sequence[RowFilter], table: str | None = None
) -> tuple[list[str | None], list[list[bool]]]:
    """What PostgreSQL prints of each row, NULL the last, and of each filter which rows pass."""
    name = quoted(column.name)
    values = ", ".join(f"(CAST({literal(row)} AS {column.type}))" for row in (*rows, None))
    source = table or f"(VALUES {values}) AS t ({name})"
    text = exact_text(compared(column.name, column.type))
    written = [f"({postgres_condition(one, 't')}) IS TRUE" for one in filters]
    with session.cursor() as cursor:
        cursor.execute(f"SELECT {text}, {', '.join(written)} FROM {source}")
        found = cursor.fetchall()
    return [text for text, *_ in found], [[row[number] for row in found] for number in range(1, len(filters) + 1)]


def _in_duckdb(duck: duckdb.DuckDBPyConnection, filters: Sequence[RowFilter]) -> list[list[bool]]:
    """Of each filter which of `rows` pass; in one query, so each has names of its own for its parameters."""
    texts, parameters = [], {}
    for number, one in enumerate(filters):
        text, values = duckdb_bound(one)
        texts.append(f"({text.replace('$filter', f'$filter_{number}')}) IS TRUE")
        parameters.update({name.replace("filter", f"filter_{number}"): value for name, value in values.items()})
    found = duck.execute(f"SELECT {', '.join(texts)} FROM rows", parameters).fetchall()
    return [list(column) for column in zip(*found, strict=True)]


def _agree(
    duck: duckdb.DuckDBPyConnection,
    column: Column,
    texts: Sequence[str | None],
    filters: Sequence[RowFilter],
    truth: list[list[bool]],
) -> None:
    name, arrow = column.name, pa.array(texts, pa.string())
    duck.register("rows", pa.table({name: arrow}))
    for one, expected, in_duckdb in zip(filters, truth, _in_duckdb(duck, filters), strict=True):
        said = [str(condition.condition) for condition in one.conditions]
        conditions = [condition.condition for condition in one.conditions]
        assert [one.passes({name: text}) for text in texts] == expected, said
        assert matcher(_schema(column), conditions).mask({name: arrow}).to_pylist() == expected, said
        assert in_duckdb == expected, said


@pytest.mark.integration
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_filter_exact(session: Session, duck: duckdb.DuckDBPyConnection, sample: Sample) -> None:
    """Every operator on hostile values of every type, with PostgreSQL as the judge."""

    @settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=PHASES)
    @given(_questions(sample))
    def agree(questions: tuple[list[str], list[RowFilter]]) -> None:
        rows, filters = questions
        texts, truth = _asked(session, sample.column, rows, filters)
        assert len(texts) == len(rows) + 1
        assert texts[-1] is None
        _agree(duck, sample.column, texts, filters, truth)

    agree()


@pytest.mark.integration
def test_every_short_pattern_is_exact(session: Session, duck: duckdb.DuckDBPyConnection) -> None:
    """Escapes at the ends of a pattern and beside wildcards, which hypothesis finds too seldom."""
    column = Column("t", "text")
    rows = ["".join(letters) for length in range(4) for letters in product("\\%_a", repeat=length)]
    pieces = ("%", "_", r"\\", r"\%", r"\_", "a")
    patterns = ["".join(some) for length in range(4) for some in product(pieces, repeat=length)]
    conditions = [Condition("t", Operator.LIKE, (pattern,)) for pattern in patterns]
    filters = [check_filters(_schema(column), [condition]) for condition in conditions]
    texts, truth = _asked(session, column, rows, filters)
    _agree(duck, column, texts, filters, truth)


@pytest.mark.integration
def test_filter_exact_whatever_the_locale(cluster_15: PostgresCluster) -> None:
    """Servers that fold as Turkish does, order by a dictionary, hold different text for equal, are not in UTF-8."""
    rows = ("i", "I", "\u0131", "\u0130", "a", "A", "b", "B", "z", "é", "É", "e", "_", "-a", "co-op", "coop", "")
    written = [
        *("c ILIKE 'I'", "c ILIKE 'É'", "c LIKE '_'", "c < 'a'", "c > 'Z'", "c BETWEEN 'B' AND 'b'", "c <= 'coop'"),
        *("c = 'a'", "c != 'i'", "c IN ('e', 'É')", "c NOT IN ('A', 'coop')"),
    ]
    plain = Column("c", "text")
    with _database(cluster_15, "turkish", "LOCALE_PROVIDER icu ICU_LOCALE 'tr'") as connection:
        _compare(connection, plain, rows, written)
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE COLLATION public.ignorant (provider = icu, locale = 'und-u-ks-level1', deterministic = false);"
                "CREATE TABLE public.t (c text COLLATE public.ignorant)"
            )
            cursor.execute("INSERT INTO public.t SELECT unnest(%s) UNION ALL SELECT NULL", ([*rows],))
        _compare(connection, replace(plain, nondeterministic=True), rows, written, "public.t AS t")
    with _database(cluster_15, "western", "ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C'") as connection:
        western = ("a", "A", "€", "ÿ", "é", "É", "Ž", "")
        _compare(connection, plain, western, ["c < 'ÿ'", "c > '€'", "c BETWEEN 'é' AND '€'", "c ILIKE 'É'", "c = '€'"])


@contextmanager
def _database(cluster: PostgresCluster, name: str, options: str) -> Iterator[Session]:
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        try:
            with closing(_session(cluster, name)) as session:
                yield session
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _compare(
    session: Session, column: Column, rows: Sequence[str], written: Sequence[str], table: str | None = None
) -> None:
    filters = [check_filters(_schema(column), parse_filters([one])) for one in written]
    texts, truth = _asked(session, column, rows, filters, table)
    with duckdb.connect() as duck:
        _agree(duck, column, texts, filters, truth)
