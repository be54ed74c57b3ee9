"""How chunks are read from a source: the shipped reader, and DuckDB through its postgres extension, to the same text.

Each reads the whole table in chunks, every one in a transaction and a snapshot of its own, which it remembers. What
the two read must be the same to the byte, or the figures mean nothing.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from compute.bench.measure import running
from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.types import TableSchema

_CHUNK_ROWS: Final = 10_000
_ANSWER_SECONDS: Final = 600.0
# What COPY's text escapes. DuckDB has no such form; its CSV without quotes is it, once the values are escaped.
_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}

Chunk = tuple[bytes, str]


def measure_readers(endpoint: PostgresEndpoint, table: TableId, rows: int) -> dict[str, Any]:
    """Rows a second and the most memory of each, and their ratio."""
    figures: dict[str, Any] = {}
    digests = set()
    for name, read in (("copy", read_by_copy), ("duckdb", read_by_duckdb)):
        with running(read, endpoint, table) as contender:
            seconds, count, digest = contender.answer(_ANSWER_SECONDS)
            figures[name] = {"rows_per_s": round(count / seconds), "rss_mb": contender.resident_mb()}
        if count != rows:
            raise RuntimeError(f"{name} read {count} rows of {rows}, so its rate means nothing")
        digests.add(digest)
    if len(digests) != 1:
        raise RuntimeError("the readers differ in what they read, so their rates mean nothing")
    figures["duckdb_ratio"] = round(figures["duckdb"]["rows_per_s"] / figures["copy"]["rows_per_s"], 2)
    return figures


def read_by_copy(pipe: Connection, endpoint: PostgresEndpoint, table: TableId) -> None:
    """The reader of every copy and backfill."""
    from compute.backfill.reader import SourceReader
    from compute.backfill.scratch import Scratch

    schema = _schema(endpoint, table)
    with tempfile.TemporaryDirectory() as folder:
        reader = SourceReader(endpoint, Scratch(Path(folder), 4 << 20))
        plan = reader.plan(schema)

        def chunks() -> Iterator[Chunk]:
            lower = None
            while True:
                read = reader.read_chunk(plan, lower, _CHUNK_ROWS)
                yield (read.data if isinstance(read.data, bytes) else read.data.read_bytes()), read.snapshot
                lower = read.upper
                if lower is None:
                    return

        _report(pipe, chunks)
        reader.close()


def read_by_duckdb(pipe: Connection, endpoint: PostgresEndpoint, table: TableId) -> None:
    """Text made at the source, so that it is exact; the snapshot and the rows of a chunk in one transaction there."""
    import duckdb
    import duckdb_extension_postgres_scanner

    schema = _schema(endpoint, table)
    extension = next(Path(duckdb_extension_postgres_scanner.__file__).parent.rglob("*.duckdb_extension"))
    session = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    session.execute(f"LOAD '{extension}'")
    login = f"host={endpoint.host} port={endpoint.port} dbname={endpoint.database} user={endpoint.user}"
    session.execute(f"ATTACH '{login} password={endpoint.password}' AS s (TYPE postgres, READ_ONLY)")
    texts = ", ".join(f"{_named(name)}::text AS {_named(name)}" for name in schema.column_names)
    escaped = ", ".join(map(_escaped, schema.column_names))
    (key,) = schema.key

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chunk"

        def chunks() -> Iterator[Chunk]:
            bound = ""
            while True:
                query = (
                    f"SELECT {texts} FROM {_named(table.schema)}.{_named(table.name)} AS t{bound} "
                    f"ORDER BY t.{_named(key)} LIMIT {_CHUNK_ROWS}"
                ).replace("'", "''")
                session.execute("BEGIN")
                ((snapshot,),) = session.execute(
                    "FROM postgres_query('s', 'SELECT pg_current_snapshot()::text')"
                ).fetchall()
                session.execute(
                    f"COPY (SELECT {escaped} FROM postgres_query('s', '{query}')) TO '{file}' "
                    "(FORMAT csv, HEADER false, DELIMITER '\t', QUOTE '', ESCAPE '', NULLSTR '\\N')"
                )
                session.execute("COMMIT")
                data = file.read_bytes()
                yield data, snapshot
                if data.count(b"\n") < _CHUNK_ROWS:
                    return
                last = data[data.rfind(b"\n", 0, -1) + 1 :].split(b"\t", 1)[0].decode()
                bound = f" WHERE t.{_named(key)} > {last}"

        _report(pipe, chunks)


def _report(pipe: Connection, chunks: Callable[[], Iterator[Chunk]]) -> None:
    """Seconds, rows and a digest; the digest is made apart, so that the reading alone is timed."""
    begun = time.monotonic()
    snapshots = sum(bool(snapshot) for _, snapshot in chunks())
    seconds = time.monotonic() - begun
    digest, rows, pieces = hashlib.sha256(), 0, 0
    for data, _ in chunks():
        digest.update(data)
        rows, pieces = rows + data.count(b"\n"), pieces + 1
    if pieces != snapshots:
        raise RuntimeError("a chunk has no snapshot")
    pipe.send((seconds, rows, digest.hexdigest()))
    pipe.recv()


def _schema(endpoint: PostgresEndpoint, table: TableId) -> TableSchema:
    session = connect(endpoint, application="rosetta bench", autocommit=True)
    with session.cursor() as cursor:
        cursor.execute(tables_sql([table]))
        value = cursor.fetchall()[0][0]
    session.close()
    return parse_tables(value)[table]


def _escaped(name: str) -> str:
    text = _named(name)
    for plain, written in _ESCAPES.items():
        text = f"replace({text}, chr({ord(plain)}), '{written}')"
    return text


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
