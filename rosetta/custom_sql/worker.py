"""The locked process: `python -I -m rosetta.custom_sql.worker`, frames in by stdin, frames out by stdout.

It has no credentials, no network and no files: its environment is empty, DuckDB's access to the outside is off and its
configuration locked, and before it looks at any statement it gives up the right to open so much as one more file
descriptor, to write a file, or to take more memory than its share. What ends it (a limit, a crash) ends a statement,
and nothing else.

A frame is eight bytes of two lengths (big endian), a JSON head and an Arrow stream, which may be empty.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import duckdb
import pyarrow as pa

from rosetta.custom_sql.grammar import ROW, RefusedError, Select, column_ref
from rosetta.custom_sql.types import duckdb_type, postgres_type, read, written

LENGTHS: Final = struct.Struct(">II")
_MOST_QUERIES: Final = 1_000
_LOCKED: Final = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "threads": "1",
    "temp_directory": "",
}

Answer = Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]


class Worker:
    """Describes and runs statements over batches that come as columns of text, in PostgreSQL's spelling."""

    def __init__(self, memory_bytes: int) -> None:
        self._connection = duckdb.connect(":memory:", config={**_LOCKED, "memory_limit": f"{memory_bytes}B"})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._parser = self._connection.cursor()
        self._connection.execute("SET lock_configuration = true")
        self._queries: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def describe(self, sql: str, columns: list[tuple[str, str]]) -> dict[str, Any]:
        """The columns that the statement gives over a batch with `columns` (names and PostgreSQL types)."""
        select = self._select(sql, columns)
        empty = {name: pa.array([], pa.string()) for name, _ in columns} | {ROW: pa.array([], pa.int64())}
        query = self._query(select, columns)
        self._connection.register("incoming", pa.table(empty))
        described = self._connection.execute(f"DESCRIBE {query}").fetchall()[1:]
        types = dict(columns)
        found = []
        for item, (name, kind, *_) in zip(select.items, described, strict=True):
            source = select.source(item)
            column_type = types[source] if source is not None else postgres_type(kind)
            if column_type is None:
                raise RefusedError(f"the column {name} is a {kind}, which no table column holds: cast it")
            found.append({"name": name, "type": column_type, "source": source, "duckdb": kind})
        return {"columns": found}

    def run(self, sql: str, columns: list[tuple[str, str]], batch: pa.Table) -> tuple[dict[str, Any], pa.Table]:
        """Rows that the statement gives, by their number in the batch; `failed` names those that it cannot compute."""
        query = self._prepared(sql, columns)
        pieces: list[pa.Table] = []
        failed: list[int] = []
        self._piece(query, batch, pieces, failed)
        return {"failed": failed}, pa.concat_tables(pieces)

    def sample(self, sql: str, columns: list[tuple[str, str]], rows: list[list[str | None]]) -> dict[str, Any]:
        """What the statement makes of some rows, as text by name; `failed` counts those that it cannot compute."""
        fields = zip(*rows, strict=True) if rows else ([] for _ in columns)
        texts = {name: pa.array(list(field), pa.string()) for (name, _), field in zip(columns, fields, strict=True)}
        told, found = self.run(sql, columns, pa.table({ROW: pa.array(range(len(rows)), pa.int64()), **texts}))
        described = [(one["name"], one["source"]) for one in self.describe(sql, columns)["columns"]]
        names = [name for name, _ in columns]
        sent = {number: dict(zip(names, row, strict=True)) for number, row in enumerate(rows)}
        made = [
            {name: computed[name] if source is None else sent[computed[ROW]][source] for name, source in described}
            for computed in found.to_pylist()
        ]
        return {"rows": made, "failed": len(told["failed"])}

    def _prepared(self, sql: str, columns: list[tuple[str, str]]) -> str:
        """What is run of a statement, made once for all batches with these columns."""
        known = sql, tuple(columns)
        if known not in self._queries:
            if len(self._queries) >= _MOST_QUERIES:
                self._queries.clear()
            select = self._select(sql, columns)
            computed = [one for one in self.describe(sql, columns)["columns"] if one["source"] is None]
            texts = [f"{written(_quoted(one['name']), one['duckdb'])} AS {_quoted(one['name'])}" for one in computed]
            query = f"SELECT {', '.join([ROW, *texts])} FROM ({self._query(select, columns)}) computed"
            self._queries[known] = query
        return self._queries[known]

    def _piece(self, query: str, batch: pa.Table, pieces: list[pa.Table], failed: list[int]) -> None:
        """Halves what fails until only the rows are left out that cannot be computed."""
        self._connection.register("incoming", batch)
        try:
            pieces.append(self._connection.execute(query).to_arrow_table())
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
            if batch.num_rows > 1:
                half = batch.num_rows // 2
                self._piece(query, batch.slice(0, half), pieces, failed)
                self._piece(query, batch.slice(half), pieces, failed)
                return
            failed.extend(batch.column(ROW).to_pylist())
            pieces.append(self._connection.execute(f"SELECT * FROM ({query}) WHERE false").to_arrow_table())

    def _select(self, sql: str, columns: list[tuple[str, str]]) -> Select:
        row = self._parser.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        tree: dict[str, Any] = json.loads(row[0]) if row is not None else {}
        if tree.get("error", True):
            raise RefusedError("it cannot be read as one SELECT statement of DuckDB")
        return Select(tree["statements"], [name for name, _ in columns])

    def _query(self, select: Select, columns: list[tuple[str, str]]) -> str:
        """The checked tree over the typed batch, with the row's number in front; made anew, never the user's text."""
        items = [column_ref(ROW), *({**item, "alias": select.name(item)} for item in select.items)]
        typed = [f"{read(_quoted(name), duckdb_type(kind))} AS {_quoted(name)}" for name, kind in columns]
        node = self._skeleton()
        node["select_list"], node["where_clause"] = items, select.where
        node["from_table"]["alias"] = select.alias or ""
        text = json.dumps({"error": False, "statements": [{"node": node, "named_param_map": []}]})
        row = self._parser.execute("SELECT json_deserialize_sql(?::JSON)", [text]).fetchone()
        if row is None:
            raise RefusedError("it cannot be written as a statement of DuckDB")
        return f"WITH batch AS NOT MATERIALIZED (SELECT {', '.join([ROW, *typed])} FROM incoming) {row[0]}"

    def _skeleton(self) -> dict[str, Any]:
        row = self._parser.execute("SELECT json_serialize_sql('SELECT 1 FROM batch')").fetchone()
        tree: dict[str, Any] = json.loads(row[0]) if row is not None else {}
        node: dict[str, Any] = tree["statements"][0]["node"]
        return node


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _lock(memory_bytes: int) -> None:
    """Gives up what a statement has no use for, in the kernel: no file, no socket, no core, bounded memory."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def _answer(worker: Worker, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    columns = [(name, kind) for name, kind in head["columns"]]
    try:
        if head["do"] == "describe":
            return worker.describe(head["sql"], columns), b""
        if head["do"] == "sample":
            return worker.sample(head["sql"], columns, head["rows"]), b""
        told, rows = worker.run(head["sql"], columns, pa.ipc.open_stream(body).read_all())
    except RefusedError as refusal:
        return {"refused": str(refusal)}, b""
    except duckdb.OutOfMemoryException:
        return {"limit": "memory"}, b""
    except duckdb.Error as error:
        # Its text may hold values; its kind does not.
        return {"refused": f"DuckDB refuses it ({type(error).__name__.removesuffix('Exception')})"}, b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return told, sink.getvalue().to_pybytes()


def serve(
    source: BinaryIO, sink: BinaryIO, answer: Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]
) -> None:
    """Answers frame by frame until the other side closes."""
    while True:
        lengths = source.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            return
        head_size, body_size = LENGTHS.unpack(lengths)
        head = json.loads(source.read(head_size))
        told, body = answer(head, source.read(body_size))
        text = json.dumps(told).encode()
        sink.write(LENGTHS.pack(len(text), len(body)) + text + body)
        sink.flush()


def main() -> None:
    memory_bytes, address_space = int(sys.argv[1]), int(sys.argv[2])
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    worker = Worker(memory_bytes)
    worker.describe("SELECT a FROM batch WHERE a = '1'", [("a", "text")])  # loads what it needs while it still may
    _lock(address_space)
    os.chdir("/")
    serve(sys.stdin.buffer, sys.stdout.buffer, lambda head, body: _answer(worker, head, body))


if __name__ == "__main__":
    main()
