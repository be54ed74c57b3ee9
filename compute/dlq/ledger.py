"""The ledger of parked changes (`dlq_records`): the truth about what waits, for one pipeline.

Every write is one transaction of the config database that first checks, and holds, the pipeline's lease, so that an
owner that was replaced can neither park nor mark. Methods raise OutageError while the config database is away,
FencedError when the lease belongs to another, SecretError for a payload that the keyring cannot open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from compute.core import failpoints
from compute.core.catalog.database import OWNED_EPOCH, ConfigDatabase
from compute.core.catalog.session import Row, Session
from compute.dlq.records import Backlog, Entry, OpenRow, Parked
from rosetta.dead_letters import open_payload, seal_payload
from rosetta.enums import DlqKind, DlqState, ErrorClass
from rosetta.errors import FencedError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.secrets import Keyring

_MESSAGE_CHARACTERS: Final = 2_000

# As whoever deletes them does: a pipeline's destinations, then their tables, then what is parked for those.
_HOLD_DESTINATIONS = """
    SELECT id FROM pipeline_destinations
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = ANY(%(destination_ids)s) ORDER BY id FOR KEY SHARE"""
_HOLD_TABLES = "SELECT id FROM table_syncs WHERE id = ANY(%(sync_ids)s) ORDER BY id FOR KEY SHARE"
_MOVE = """
    UPDATE pipeline_destinations
    SET parked_commit_lsn = CAST(%(commit_lsn)s AS pg_lsn), parked_change_lsn = CAST(%(change_lsn)s AS pg_lsn),
        parked_ordinal = %(ordinal)s
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s
      AND (parked_commit_lsn IS NULL OR (parked_commit_lsn, parked_change_lsn, parked_ordinal)
           < (CAST(%(commit_lsn)s AS pg_lsn), CAST(%(change_lsn)s AS pg_lsn), CAST(%(ordinal)s AS bigint)))"""
# The names differ from the columns': ORDER BY would take the text for the position.
OPEN_ROW: Final = """id, destination_id, table_sync_id, schema_name, table_name, kind, error_class,
    commit_lsn::text AS commit_text, change_lsn::text AS change_text, ordinal, part, payload, payload_bytes,
    attempts, error_code,
    extract(epoch FROM commit_time)::float8 AS commit_time, created_at, key_hashes, updated_at"""
# A page of the backlog in order, cut by bytes behind the first row; sizes come from the index before any payload.
_PAGE = f"""
    SELECT {OPEN_ROW} FROM dlq_records WHERE id = ANY(
        SELECT id FROM (
            SELECT id, payload_bytes,
                sum(payload_bytes) OVER (ORDER BY commit_lsn, change_lsn, ordinal, part, id) AS so_far
            FROM (
                SELECT id, payload_bytes, commit_lsn, change_lsn, ordinal, part FROM dlq_records
                WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND kind = 'SEGMENT'
                  AND error_class = %(error_class)s AND state IN ('PARKED', 'RETRYING')
                  AND (CAST(%(sync_id)s AS bigint) IS NULL OR table_sync_id = %(sync_id)s)
                ORDER BY commit_lsn, change_lsn, ordinal, part, id LIMIT %(rows)s) AS first
            ) AS page
        WHERE so_far - payload_bytes < %(bytes)s OR so_far = payload_bytes)
    ORDER BY commit_lsn, change_lsn, ordinal, part, id"""
_CLOSE = """
    UPDATE dlq_records SET state = %(state)s, payload = ''::bytea, last_attempt_at = now(), next_attempt_at = NULL
    WHERE id = ANY(%(ids)s) AND state IN ('PARKED', 'RETRYING') RETURNING id"""
_SUPERSEDE = """
    UPDATE dlq_records SET state = 'SUPERSEDED', payload = ''::bytea, next_attempt_at = NULL
    WHERE id = ANY(SELECT id FROM dlq_records
        WHERE pipeline_id = %(pipeline_id)s AND table_sync_id = ANY(%(sync_ids)s) AND state IN ('PARKED', 'RETRYING')
          AND (CAST(%(kind)s AS text) IS NULL OR kind = %(kind)s)
          AND (CAST(%(error_class)s AS text) IS NULL OR error_class = %(error_class)s)
        ORDER BY id LIMIT %(rows)s)
    RETURNING id, destination_id, schema_name, table_name"""
_SUMS = """
    SELECT COALESCE(sum(records), 0)::bigint AS rows, COALESCE(sum(row_count), 0)::bigint AS changes,
        COALESCE(sum(payload_bytes), 0)::bigint AS raw_bytes
    FROM dlq_totals WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s
      AND state IN ('PARKED', 'RETRYING')
      AND (CAST(%(error_class)s AS text) IS NULL OR error_class = %(error_class)s)"""
_AGE = """
    SELECT COALESCE(extract(epoch FROM now() - min(created_at)), 0)::float8 FROM (
        SELECT created_at FROM dlq_records
        WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND error_class = %(error_class)s
          AND kind = 'SEGMENT' AND state IN ('PARKED', 'RETRYING')
        ORDER BY commit_lsn, change_lsn, ordinal, part LIMIT 1) AS oldest"""
_SUPERSEDE_ROWS: Final = 10_000
_COLUMNS: Final = (
    "pipeline_id, source_id, destination_id, table_sync_id, schema_name, table_name, kind, row_count, key_hashes,"
    " operation, commit_lsn, change_lsn, ordinal, part, source_xid, commit_time, columns, payload, payload_bytes,"
    " error_class, error_code, error_message"
)
# Behind an older change of its key: tried after that, never by itself. The database's clock: that of this machine
# may be wrong.
_NEW_ROW: Final = (
    "(" + ", ".join(f"%({name})s" for name in _COLUMNS.split(", ")) + ","
    " CASE WHEN %(behind)s THEN 'infinity' ELSE now() END)"
)
_INSERT: Final = f"""
    INSERT INTO dlq_records ({_COLUMNS}, next_attempt_at) VALUES %s
    ON CONFLICT (pipeline_id, destination_id, error_class, kind, commit_lsn, change_lsn, ordinal, part, table_sync_id)
        WHERE state IN ('PARKED', 'RETRYING')
    DO UPDATE SET attempts = dlq_records.attempts -- changes nothing, but has the row returned
    RETURNING id, destination_id, error_class, kind, commit_lsn, change_lsn, ordinal, part, table_sync_id,
        schema_name, table_name, xmax = 0 AS fresh -- not locked by this statement: it has just been made"""


class Ledger:
    """Safe to share between threads."""

    def __init__(
        self, database: ConfigDatabase, keyring: Keyring, pipeline_id: int, source_id: int, epoch: int
    ) -> None:
        self.database = database
        self.keyring = keyring
        self.pipeline_id = pipeline_id
        self.source_id = source_id
        self._epoch = epoch

    @contextmanager
    def fenced(self) -> Iterator[Session]:
        """A transaction that commits only while the pipeline is ours; its lease cannot change hands meanwhile."""
        with self.database.transaction() as session:
            epoch = session.execute(OWNED_EPOCH, {"pipeline_id": self.pipeline_id}).scalar()
            if epoch != self._epoch:
                raise FencedError(f"pipeline {self.pipeline_id} has epoch {epoch} now, this process {self._epoch}")
            yield session

    def park(
        self,
        entries: Sequence[Entry],
        reached: Mapping[int, StreamPosition] | None = None,
        first: Callable[[Session], None] = lambda _: None,
    ) -> list[Parked]:
        """Writes entries down, and how far their destinations' streams are parked with that, in one transaction.

        Idempotent: an entry whose row is open already stays as it is; it is in the answer all the same, so that a
        repeated call announces what an earlier one could not. `first` is done before, in the same transaction.
        """
        distinct = list({entry.identity: entry for entry in entries}.values())
        rows = [self._row(entry) for entry in distinct]
        moved = sorted((reached or {}).items())
        held = {destination_id for destination_id, _ in moved}.union(entry.destination_id for entry in distinct)
        with self.fenced() as session:
            session.execute(_HOLD_DESTINATIONS, {"pipeline_id": self.pipeline_id, "destination_ids": list(held)})
            session.execute(_HOLD_TABLES, {"sync_ids": [entry.sync_id for entry in distinct]})
            first(session)
            for destination_id, position in moved:
                session.execute(_MOVE, self.place(destination_id) | _position_values(position))
            parked = _insert(session, rows) if rows else []
            failpoints.hit("before_ledger_commit")
        failpoints.hit("after_ledger_commit")
        return parked

    def segments(
        self,
        destination_id: int,
        max_bytes: int,
        *,
        error_class: ErrorClass = ErrorClass.OUTAGE,
        sync_id: int | None = None,
        max_rows: int = 1_000,
    ) -> list[OpenRow]:
        """The oldest open segments in stream order: at most so many bytes of changes, but at least one row.

        Rows of one batch (those that share `position`) may be cut apart by the bounds.
        """
        values = self.place(destination_id) | {
            "error_class": error_class,
            "sync_id": sync_id,
            "bytes": max_bytes,
            "rows": max_rows,
        }
        with self.database.transaction() as session:
            rows = session.execute(_PAGE, values)
        return [self.opened(row) for row in rows]

    def close(self, row_ids: Iterable[int], state: DlqState) -> set[int]:
        """Marks open rows RECOVERED or SUPERSEDED and forgets their payload; returns those that were still open."""
        ids = list(row_ids)
        if not ids:
            return set()
        with self.fenced() as session:
            return set(session.execute(_CLOSE, {"ids": ids, "state": state}).scalars())

    def supersede(
        self, sync_ids: Iterable[int], kind: DlqKind | None = None, error_class: ErrorClass | None = None
    ) -> Iterator[list[Parked]]:
        """Closes all open rows of table syncs that begin anew, in pages; whoever iterates forgets their entries.

        `kind`, `error_class`: only such rows. Each page is a transaction: a call that was cut short is made again.
        """
        values = {
            "pipeline_id": self.pipeline_id,
            "sync_ids": list(sync_ids),
            "kind": kind,
            "error_class": error_class,
            "rows": _SUPERSEDE_ROWS,
        }
        while True:
            with self.fenced() as session:
                rows = session.execute(_SUPERSEDE, values)
            if rows:
                yield [Parked(row.id, row.destination_id, TableId(row.schema_name, row.table_name)) for row in rows]
            if len(rows) < _SUPERSEDE_ROWS:
                return

    def sums(self, destination_id: int, error_class: ErrorClass | None = None) -> Backlog:
        """What is open for a destination, of one class or of both; the age is that of its oldest segment."""
        values = self.place(destination_id) | {"error_class": error_class}
        with self.database.transaction() as session:
            row = session.execute(_SUMS, values).one()
            ages = [
                session.execute(_AGE, values | {"error_class": one}).scalar()
                for one in ErrorClass
                if error_class in {None, one}
            ]
        return Backlog(row.rows, row.changes, row.raw_bytes, max(ages))

    def opened(self, row: Row) -> OpenRow:
        """An open row as selected by `OPEN_ROW`."""
        return OpenRow(
            row_id=row.id,
            destination_id=row.destination_id,
            sync_id=row.table_sync_id,
            table=TableId(row.schema_name, row.table_name),
            kind=DlqKind(row.kind),
            error_class=ErrorClass(row.error_class),
            position=StreamPosition(Lsn.parse(row.commit_text), Lsn.parse(row.change_text), row.ordinal),
            part=row.part,
            payload=open_payload(bytes(row.payload), self.keyring, self.pipeline_id, row.destination_id),
            raw_bytes=row.payload_bytes,
            attempts=row.attempts,
            error_code=row.error_code,
            commit_time=row.commit_time,
            created_at=row.created_at,
            key_hashes=tuple(bytes(key) for key in row.key_hashes or ()),
            changed_at=row.updated_at,
        )

    def place(self, destination_id: int) -> dict[str, Any]:
        """The values of `%(pipeline_id)s` and `%(destination_id)s`."""
        return {"pipeline_id": self.pipeline_id, "destination_id": destination_id}

    def _row(self, entry: Entry) -> dict[str, Any]:
        commit_time = None if entry.commit_time is None else datetime.fromtimestamp(entry.commit_time, UTC)
        return {
            "pipeline_id": self.pipeline_id,
            "source_id": self.source_id,
            "destination_id": entry.destination_id,
            "table_sync_id": entry.sync_id,
            "schema_name": entry.table.schema,
            "table_name": entry.table.name,
            "kind": entry.kind,
            "row_count": entry.payload.row_count,
            "key_hashes": None if entry.key_hashes is None else list(entry.key_hashes),
            "operation": entry.operation,
            "commit_lsn": str(entry.position.commit_lsn),
            "change_lsn": str(entry.position.change_lsn),
            "ordinal": entry.position.ordinal,
            "part": entry.part,
            "source_xid": entry.source_xid,
            "commit_time": commit_time,
            "columns": list(entry.payload.columns),
            "payload": seal_payload(entry.payload, self.keyring, self.pipeline_id, entry.destination_id),
            "payload_bytes": len(entry.payload.data),
            "error_class": entry.error_class,
            "error_code": entry.error_code,
            "error_message": entry.error_message[:_MESSAGE_CHARACTERS],
            "behind": entry.behind,
        }


def _insert(session: Session, rows: list[dict[str, Any]]) -> list[Parked]:
    found = session.insert(_INSERT, _NEW_ROW, rows)
    return sorted((_parked(row) for row in found), key=lambda one: one.row_id)


def _parked(row: Row) -> Parked:
    position = StreamPosition(Lsn.parse(row.commit_lsn), Lsn.parse(row.change_lsn), row.ordinal)
    kinds = ErrorClass(row.error_class), DlqKind(row.kind)
    identity = (row.destination_id, *kinds, position, row.part, row.table_sync_id)
    return Parked(row.id, row.destination_id, TableId(row.schema_name, row.table_name), identity, row.fresh)


def _position_values(position: StreamPosition) -> dict[str, Any]:
    return {
        "commit_lsn": str(position.commit_lsn),
        "change_lsn": str(position.change_lsn),
        "ordinal": position.ordinal,
    }
