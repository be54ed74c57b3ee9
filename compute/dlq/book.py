"""What the ledger says of one destination's refused changes (class DATA): records, and segments of held tables."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from compute.core.catalog.session import Session
from compute.dlq.ledger import Ledger
from compute.dlq.records import Parked
from rosetta.enums import DlqKind, ErrorClass
from rosetta.lsn import StreamPosition

_LOAD_ROWS: Final = 2_000  # while a page is taken in, its transaction is idle
_DATA: Final = """pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND error_class = 'DATA'
    AND state IN ('PARKED', 'RETRYING')"""
_KEYS = f"""
    SELECT id, table_sync_id, key_hashes FROM dlq_records WHERE {_DATA} AND kind = 'RECORD' AND id > %(after)s
    ORDER BY id LIMIT {_LOAD_ROWS}"""
_HELD = f"""
    SELECT DISTINCT table_sync_id FROM dlq_records
    WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id IS NOT NULL"""
_LEFTOVERS = f"""
    UPDATE dlq_records SET state = 'SUPERSEDED', payload = ''::bytea, next_attempt_at = NULL
    WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id = ANY(%(sync_ids)s)
      AND (commit_lsn, change_lsn, ordinal)
          > (CAST(%(after_commit)s AS pg_lsn), CAST(%(after_change)s AS pg_lsn), CAST(%(after_ordinal)s AS bigint))
      AND (commit_lsn, change_lsn, ordinal)
          <> (CAST(%(end_commit)s AS pg_lsn), CAST(%(end_change)s AS pg_lsn), CAST(%(end_ordinal)s AS bigint))"""


class Book:
    """Raises what `Ledger` raises."""

    def __init__(self, ledger: Ledger, destination_id: int) -> None:
        self.ledger = ledger
        self.destination_id = destination_id
        self._place = ledger.place(destination_id)

    def parked_keys(self) -> Iterator[tuple[int | None, list[bytes]]]:
        """Table sync and key hashes of every open record, read in pages."""
        after = 0
        while True:
            with self.ledger.database.transaction() as session:
                rows = session.execute(_KEYS, self._place | {"after": after})
            for row in rows:
                yield row.table_sync_id, [bytes(key) for key in row.key_hashes or ()]
            if len(rows) < _LOAD_ROWS:
                return
            after = rows[-1].id

    def held(self) -> frozenset[int]:
        """Table syncs that have segments waiting because their table is refused."""
        with self.ledger.database.transaction() as session:
            return frozenset(session.execute(_HELD, self._place).scalars())

    def drop_leftovers(
        self, session: Session, sync_ids: Iterable[int], after: StreamPosition, end: StreamPosition
    ) -> None:
        """Closes segments of a write that was never committed, whose changes have come again in other batches.

        All behind `after`, where the destination is, except those of the batch that ends at `end`.
        """
        values = {
            "sync_ids": list(sync_ids),
            "after_commit": str(after.commit_lsn),
            "after_change": str(after.change_lsn),
            "after_ordinal": after.ordinal,
            "end_commit": str(end.commit_lsn),
            "end_change": str(end.change_lsn),
            "end_ordinal": end.ordinal,
        }
        session.execute(_LEFTOVERS, self._place | values)

    def supersede(self, sync_id: int, kind: DlqKind | None = None) -> Iterator[list[Parked]]:
        """Closes a sync's refused changes: what comes now stands for all of them."""
        return self.ledger.supersede([sync_id], kind, ErrorClass.DATA)


def numbers_array() -> array[int]:
    """Eight bytes a number."""
    return array("Q")
