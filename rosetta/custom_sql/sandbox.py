"""The parent's side of the locked process: it starts it, asks it, and ends it when it takes too long."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rosetta.custom_sql.statement import OutputColumn, Statement
from rosetta.errors import ConfigurationError, DataError, OutageError
from rosetta.types import TableSchema

_LENGTHS_SIZE: Final = 8
_PIECE: Final = 1 << 16
_REMEDY: Final = "Write one SELECT over batch whose columns depend on their own row alone; see docs/CUSTOM_SQL.md."


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """`seconds` for one answer; `memory_bytes` for DuckDB; `address_space_bytes` for the whole process."""

    seconds: float = 30.0
    memory_bytes: int = 256 << 20
    address_space_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Computed:
    """What a statement gave: an Arrow stream of `_rosetta_row` and the computed columns as text, and rows that failed.

    A row that is neither in `rows` nor in `failed` does not pass the statement's WHERE.
    """

    rows: bytes
    failed: tuple[int, ...]


class Sandbox:
    """A process without credentials, files and network that runs checked statements; safe to share between threads.

    It starts with the first question, and anew after it ended. Raises ConfigurationError (CUSTOM_SQL_REFUSED) for a
    statement that may not run, DataError (CUSTOM_SQL_LIMIT) when an answer takes more time or memory than the limits,
    OutageError when the process cannot be started.
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self._limits = limits or SandboxLimits()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def check(self, sql: str, schema: TableSchema) -> Statement:
        """What a statement gives over the rows of a table; its key has to be passed on as it is."""
        columns = [(column.name, column.type) for column in schema.columns]
        _refuse_alike([name for name, _ in columns])
        told, _ = self._ask({"do": "describe", "sql": sql, "columns": columns})
        found = tuple(OutputColumn(one["name"], one["type"], one["source"]) for one in told["columns"])
        statement = Statement(sql, found)
        missing = [name for name in schema.key if statement.output_of(name) is None]
        if missing:
            raise _refused(f"it has to pass on the key column {missing[0]} as it is")
        return statement

    def sample(
        self, statement: Statement, schema: TableSchema, rows: Sequence[Sequence[str | None]]
    ) -> list[dict[str, str | None]]:
        """What a statement makes of some rows of the table; those that do not pass, or fail, are left out."""
        columns = [(column.name, column.type) for column in schema.columns]
        told, _ = self._ask({"do": "sample", "sql": statement.sql, "columns": columns, "rows": [*map(list, rows)]})
        made: list[dict[str, str | None]] = told["rows"]
        return made

    def run(self, statement: Statement, columns: Sequence[tuple[str, str]], batch: bytes) -> Computed:
        """Runs a statement over an Arrow stream of text columns and `_rosetta_row`, the number of each row."""
        told, rows = self._ask({"do": "run", "sql": statement.sql, "columns": list(columns)}, batch)
        return Computed(rows, tuple(told["failed"]))

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The locked process, once it was started."""
        return self._process

    def close(self) -> None:
        """Ends the process; it starts anew when it is asked again."""
        with self._lock:
            self._end()

    def _ask(self, head: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        text = json.dumps(head).encode()
        frame = len(text).to_bytes(4, "big") + len(body).to_bytes(4, "big") + text + body
        with self._lock:
            process = self._started()
            try:
                told, rows = _exchange(process, frame, time.monotonic() + self._limits.seconds)
            except (TimeoutError, EOFError, BrokenPipeError) as error:
                self._end()
                raise _limit("time" if isinstance(error, TimeoutError) else "memory") from None
        if "limit" in told:
            raise _limit(told["limit"])
        if "refused" in told:
            raise _refused(told["refused"])
        return told, rows

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            limits = (str(self._limits.memory_bytes), str(self._limits.address_space_bytes))
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-m", "rosetta.custom_sql.worker", *limits],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={"LC_ALL": "C.UTF-8"},
                    cwd="/",
                )
            except OSError as error:
                raise OutageError(f"the process for custom SQL does not start: {error.strerror}") from None
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()


def _exchange(process: subprocess.Popen[bytes], frame: bytes, deadline: float) -> tuple[dict[str, Any], bytes]:
    """Writes a frame and reads the answer, both at once where they are larger than a pipe."""
    if process.stdin is None or process.stdout is None:
        raise EOFError
    entry, way_out = process.stdin.fileno(), process.stdout.fileno()
    os.set_blocking(entry, False)
    unsent, answer, wanted = memoryview(frame), bytearray(), _LENGTHS_SIZE
    with selectors.DefaultSelector() as selector:
        selector.register(entry, selectors.EVENT_WRITE)
        selector.register(way_out, selectors.EVENT_READ)
        while len(answer) < wanted:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in selector.select(left):
                if key.fd == entry:
                    unsent = unsent[os.write(entry, unsent[:_PIECE]) :]
                    if not unsent:
                        selector.unregister(entry)
                    continue
                piece = os.read(way_out, _PIECE)
                if not piece:
                    raise EOFError
                answer += piece
                if len(answer) >= _LENGTHS_SIZE:
                    sizes = int.from_bytes(answer[:4], "big"), int.from_bytes(answer[4:8], "big")
                    wanted = _LENGTHS_SIZE + sum(sizes)
    head_end = _LENGTHS_SIZE + int.from_bytes(answer[:4], "big")
    told: dict[str, Any] = json.loads(answer[_LENGTHS_SIZE:head_end])
    return told, bytes(answer[head_end:])


def _refuse_alike(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise _refused(f"the table has several columns called {name.lower()}, which DuckDB does not tell apart")
        seen.add(name.lower())


def _limit(of: str) -> DataError:
    return DataError(
        f"the custom SQL took more {of} than it may",
        code="CUSTOM_SQL_LIMIT",
        remedy="Simplify the statement, or let smaller batches come (PIPELINE_MAX_BATCH_SIZE).",
    )


def _refused(reason: str) -> ConfigurationError:
    return ConfigurationError(f"the custom SQL is refused: {reason}", code="CUSTOM_SQL_REFUSED", remedy=_REMEDY)
