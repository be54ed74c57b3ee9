"""Reads chunks of a source table, each in a snapshot of its own, and marks the log behind them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2.extensions

from compute.backfill.scratch import Scratch, last_line, values_of
from compute.backfill.standby import StandbyView, mark_sql, replayed_of
from compute.sources.postgres.session import SourceSession
from compute.sources.postgres.source import MESSAGE_PREFIX
from rosetta.dialects.postgres import qualified
from rosetta.dialects.postgres.checksum import ComparedColumn
from rosetta.dialects.postgres.chunk_read import (
    Key,
    ReadPlan,
    estimate_sql,
    has_pages_sql,
    key_columns_sql,
    pages_sql,
    parse_key_columns,
    planned_rows_sql,
    read_chunk_sql,
    read_keys_sql,
    read_table_sql,
    storage_sql,
    writers_sql,
)
from rosetta.dialects.postgres.range_check import compared, range_checksum_sql, range_end_sql
from rosetta.errors import OutageError, SchemaMismatchError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn
from rosetta.plants import planted
from rosetta.postgres import PostgresEndpoint
from rosetta.table_rules import SourceView, through
from rosetta.types import TableSchema

Announce = Callable[[str, Lsn], None]
_Cursor = psycopg2.extensions.cursor
_CHUNK_SECONDS = 300
_FILES_CHARACTERS = 16
_LAST_PAGE = 2**32 - 1
_POSITION = "(CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::bigint"
STATEMENT_TIMEOUT = "PG_57014"
_EXACT_ROWS = 10_000
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Only the key's index gives a range without reading the table; a planner without statistics might not know.
_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
_LIMITS = f"SET LOCAL jit = off; SET LOCAL statement_timeout = '{_CHUNK_SECONDS}s'"
_BOUNDED = f"{_BY_INDEX}; {_LIMITS}"
# A range of pages is read as such, whatever index there is for a condition.
_BY_PAGES = (
    f"SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexscan = off; {_LIMITS}"
)


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows as COPY text: those with lower < key <= upper; None is open.

    `keys`: the rows are those with these keys instead. `snapshot`: what the read could see. `storage`: the table's
    files, which a TRUNCATE replaces. `first_page`: the rows are those from this page on instead, and `lower` and
    `upper` tell the place of the range among the pages. `looked_at`: so many rows were gone through for them, where
    that is known.
    """

    data: bytes | Path
    row_count: int
    byte_count: int
    snapshot: str
    storage: str
    lower: Key | None = None
    upper: Key | None = None
    keys: tuple[Key, ...] | None = None
    first_page: int | None = None
    looked_at: int | None = None


@dataclass(frozen=True, slots=True)
class RangeDigest:
    """What a key range (lower < key <= upper; None is open) was in one snapshot; see `RangeCheck`.

    `seconds`: how long it took to tell.
    """

    row_count: int
    checksum: str
    snapshot: str
    position: int
    lower: Key | None
    upper: Key | None
    seconds: float


class SourceReader:
    """One session at the source, opened when it is needed and anew after it was lost.

    Threads: one, except `cancel`. Every method raises OutageError when the source is away or there is no room
    for what it gives (asking again is right), or DataError when it refuses (the table is gone, or may not be read).
    """

    def __init__(self, endpoint: PostgresEndpoint, scratch: Scratch, announce: Announce | None = None) -> None:
        """`announce` has the stream of a standby bring a mark, for its log takes none; see `ChangeEngine.mark`."""
        self._session = SourceSession(endpoint, "rosetta copy")
        self._scratch = scratch
        self._announce = announce
        self._standby = StandbyView()

    def plan(self, schema: TableSchema, view: SourceView | None = None, *, by_pages: bool = False) -> ReadPlan:
        """How to read the table, or what a view shows of it.

        `by_pages`: where it has no key, and the server can do that, in ranges of its pages.

        Raises SchemaMismatchError when its key is no longer what `schema` says.
        """
        key = parse_key_columns(self._session.value(key_columns_sql(schema), f"reading the key of {schema.table}"))
        if tuple(column.name for column in key) != schema.key:
            raise SchemaMismatchError(f"the key of {schema.table} has changed", remedy="Resync the table.")
        plan = ReadPlan(schema.table, schema.column_names, key, schema.partitioned)
        if by_pages and not key:
            pages = self._session.value(has_pages_sql(schema.table), f"looking at the pages of {schema.table}")
            plan = replace(plan, by_pages=bool(pages))
        return plan if view is None else through(view, plan)

    def estimate(self, plan: ReadPlan) -> int:
        """Rows that will be read, as the server estimates them; exact for a small table that is read whole."""
        if plan.condition is not None:
            return int(self._session.value(planned_rows_sql(plan), f"estimating {plan.table}")[0]["Plan"]["Plan Rows"])
        return int(self._session.value(estimate_sql(plan, _EXACT_ROWS), f"counting {plan.table}"))

    def writers(self, table: TableId) -> set[str]:
        """Transactions with writes to the table that not every new snapshot sees yet."""
        with self._session.cursor(f"looking for writers of {table}") as cursor:
            cursor.execute(writers_sql(table))
            return {row[0] for row in cursor.fetchall()}

    def emit(self, content: str) -> None:
        """Writes a mark into the log; once it is written twice that is harmless."""
        with self._session.cursor("writing a mark") as cursor:
            replayed = _mark(cursor, content)
        _said(self._announce, content, replayed)

    def mark(self, content: str, table: TableId, storage: str) -> bool:
        """Writes the mark of a chunk; False, and nothing is written, when the table's rows were replaced since.

        The check and the mark are one transaction that keeps a TRUNCATE waiting. So a TRUNCATE comes down the
        stream either before the chunk was read or behind its mark, and no chunk brings its rows back.
        """
        with self._session.cursor(f"marking a chunk of {table}") as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {qualified(table)} IN ACCESS SHARE MODE; {storage_sql(table)}")
            row = cursor.fetchone()
            unchanged = row is not None and row[0] == storage
            replayed = _mark(cursor, content) if unchanged else None
            cursor.execute("COMMIT")
        _said(self._announce, content, replayed)
        return unchanged

    def read_chunk(
        self, plan: ReadPlan, lower: Key | None, rows: int, upper: Key | None = None, looked_at: int | None = None
    ) -> ReadRows:
        """The next `rows` rows behind `lower`; its `upper` is the given one when the range ends with them.

        Where the plan leaves rows out: the first `rows` that pass of the next `looked_at` (None: `rows`).
        """
        if not plan.reads_key:
            # few that pass are not looked for in all the rest; with masked keys a chunk only ends with its range
            reached, limit = upper, rows if all(column.mask is None for column in plan.key) else None

            def passing(cursor: _Cursor) -> str:
                nonlocal reached
                cursor.execute(range_end_sql(plan, _texts(plan), lower, upper, (limit and looked_at) or rows))
                end = cursor.fetchone()
                reached = upper if end is None else tuple(end[0])
                return read_chunk_sql(plan, lower, reached, limit)

            read = self._read(plan.table, passing, settings=_BOUNDED)
            if read.row_count == limit:
                reached = values_of(last_line(read.data), plan.key_positions)
            return replace(read, lower=lower, upper=reached)
        read = self._read(plan.table, lambda _: read_chunk_sql(plan, lower, upper, rows), settings=_BOUNDED)
        reached = values_of(last_line(read.data), plan.key_positions) if read.row_count == rows else upper
        return replace(read, lower=lower, upper=reached)

    def digest(
        self, plan: ReadPlan, schema: TableSchema, lower: Key | None, rows: int, upper: Key | None = None
    ) -> RangeDigest:
        """The checksum of what passes of the next `rows` rows behind `lower`, at most to `upper`, where it ends then.

        `schema`: the table as it is at the source.
        """
        columns, key = _compared(plan, schema), _texts(plan)
        began = time.monotonic()
        with self._session.cursor(f"comparing {plan.table}") as cursor:
            earlier = self._standby.seen(cursor)
            cursor.execute(f"{_BEGIN}; {_BOUNDED}; SELECT pg_current_snapshot()::text, {_POSITION}")
            seen = cursor.fetchone()
            cursor.execute(range_end_sql(plan, key, lower, upper, rows))
            end = cursor.fetchone()
            reached = upper if end is None else tuple(end[0])
            cursor.execute(range_checksum_sql(plan, columns, lower, reached))
            found = cursor.fetchone()
            cursor.execute("COMMIT")
        if seen is None or found is None:
            raise OutageError(f"comparing {plan.table}: the source gave no answer")
        (row_count, checksum), (snapshot, at) = found, seen
        if earlier is not None:
            snapshot, at = earlier.snapshot, earlier.position
        return RangeDigest(row_count, checksum, snapshot, at, lower, reached, time.monotonic() - began)

    def range_end(self, plan: ReadPlan, lower: Key | None, rows: int) -> Key | None:
        """The key of the `rows`-th row behind `lower`; None when there are fewer."""
        key = _texts(plan)
        with self._session.cursor(f"looking for a range of {plan.table}") as cursor:
            cursor.execute(f"{_BEGIN}; {_BOUNDED}; {range_end_sql(plan, key, lower, None, rows)}")
            end = cursor.fetchone()
            cursor.execute("COMMIT")
        return None if end is None else tuple(end[0])

    def read_keys(self, plan: ReadPlan, keys: Sequence[Key]) -> ReadRows:
        """The rows with one of `keys`, as far as there are any."""
        return self._read(plan.table, lambda _: read_keys_sql(plan, keys))

    def read_table(self, plan: ReadPlan) -> ReadRows:
        """All rows at once, in one snapshot that is held as long as it takes."""
        return self._read(plan.table, lambda _: read_table_sql(plan))

    def read_pages(self, plan: ReadPlan, after: Key | None, pages: int) -> ReadRows:
        """The rows of the next `pages` pages behind `after`, of each file of the table.

        A place means nothing any more once the files are others: then it begins anew, with the first page.
        """
        first, lower, upper, per_page = 0, after, None, 0.0

        def some(cursor: _Cursor) -> str:
            nonlocal first, lower, upper, per_page
            cursor.execute(pages_sql(plan.table))
            row = cursor.fetchone()
            storage, count, per_page = row if row is not None else ("", 0, 0.0)
            files = hashlib.sha256(storage.encode()).hexdigest()[:_FILES_CHARACTERS]
            if after is None or after[0] != files:
                first, lower = 0, None
            else:
                first = int(after[1])
            end = first + pages
            upper = (files, str(end)) if end < count else None
            return read_table_sql(plan, (first, end if upper is not None else _LAST_PAGE))

        # locked before the snapshot, so that the files that are looked at are those that are read
        only = "" if plan.partitioned else "ONLY "
        lock = f"LOCK TABLE {only}{qualified(plan.table)} IN ACCESS SHARE MODE"
        read = self._read(plan.table, some, settings=f"{_BY_PAGES}; {lock}")
        looked_at = max(read.row_count, round(per_page * pages))
        return replace(read, lower=lower, upper=upper, first_page=first, looked_at=looked_at)

    def cancel(self) -> None:
        """Makes the read that is under way, and every later one, fail with OutageError; for another thread."""
        self._session.cancel()

    def close(self) -> None:
        """Gives the session back."""
        self._session.close()
        self._scratch.close()

    def _read(self, table: TableId, query: Callable[[_Cursor], str], *, settings: str = "") -> ReadRows:
        """Reads what `query` gives; it may look around in the read's snapshot first."""
        with self._scratch.room(f"reading {table}"):
            sink = self._scratch.begin()
            with self._session.cursor(f"reading {table}") as cursor:
                earlier = self._standby.seen(cursor)
                cursor.execute(f"{_BEGIN}; {settings}; SELECT {_seen()}")
                snapshot = cursor.fetchone()
                cursor.copy_expert(query(cursor), sink)
                count = cursor.rowcount
                cursor.execute(storage_sql(table))  # the read's lock keeps it as it is until the end
                storage = cursor.fetchone()
                cursor.execute("COMMIT")
            if snapshot is None or storage is None:
                raise OutageError(f"reading {table}: the source gave no answer")
            size = sink.tell()
            seen = snapshot[0] if earlier is None else earlier.snapshot
            return ReadRows(self._scratch.take(), count, size, seen, storage[0])


def _texts(plan: ReadPlan) -> list[ComparedColumn]:
    """The source's key, as text."""
    return [compared(column.name, column.type) for column in plan.key]


def _compared(plan: ReadPlan, schema: TableSchema) -> Sequence[ComparedColumn]:
    return plan.selected or [compared(column.name, column.type) for column in schema.columns]


def _seen() -> str:
    """What a read could see, as an expression."""
    if planted("chunk_by_lsn"):
        return "(pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint::text"
    return "pg_current_snapshot()::text"


def _said(announce: Announce | None, content: str, replayed: Lsn | None) -> None:
    """Has the stream bring a mark that stands in no log."""
    if replayed is None:
        return
    if announce is None:
        raise OutageError("the source is a standby, and nobody brings its marks")
    announce(content, replayed)


def _mark(cursor: _Cursor, content: str) -> Lsn | None:
    """Writes a mark; on a standby only returns how far it has replayed."""
    cursor.execute(mark_sql(MESSAGE_PREFIX, content))
    return replayed_of(cursor.fetchone())
