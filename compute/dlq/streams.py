"""Keeping the Redis streams in line with the ledger, and people informed of what waits. Per destination."""

from __future__ import annotations

from typing import Any, Final

from compute.dlq.dispatcher import Dispatcher
from compute.dlq.ledger import Ledger
from compute.dlq.records import Parked
from rosetta.identifiers import TableId
from rosetta.logs import get_logger

_PAGE_ROWS: Final = 1_000
_FEW_ROWS: Final = 10_000
# All pipelines of the source: a stream is named after source, table and destination.
_OPEN = """
    SELECT schema_name, table_name,
        COALESCE(sum(records) FILTER (WHERE state IN ('PARKED', 'RETRYING')), 0)::bigint AS open
    FROM dlq_totals t JOIN pipelines p ON p.id = t.pipeline_id
    WHERE p.source_id = %(source_id)s AND t.destination_id = %(destination_id)s
    GROUP BY schema_name, table_name"""
_STILL_OPEN = "SELECT id FROM dlq_records WHERE id = ANY(%(ids)s) AND state IN ('PARKED', 'RETRYING')"
_ROWS = f"""
    SELECT r.id FROM dlq_records r JOIN pipelines p ON p.id = r.pipeline_id
    WHERE p.source_id = %(source_id)s AND r.destination_id = %(destination_id)s AND r.schema_name = %(schema)s
      AND r.table_name = %(name)s AND r.state IN ('PARKED', 'RETRYING') AND r.id > %(after)s
    ORDER BY r.id LIMIT {_PAGE_ROWS}"""
_log = get_logger("compute.dlq")


class Streams:
    """The streams of one destination; used by the recovery's thread.

    Raises OutageError while Redis or the ledger is away; whatever was done until then is good.
    """

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, destination_id: int) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._destination_id = destination_id
        self._differed: set[TableId] = set()

    def receive(self) -> int:
        """Takes new entries through the consumer group, and mends streams that do not match the ledger.

        Returns how many rows are open. A long stream that differs is looked at again before it is mended: rows come
        and go while one counts.
        """
        values = {"source_id": self._ledger.source_id, "destination_id": self._destination_id}
        with self._ledger.database.transaction() as session:
            tables = {TableId(row.schema_name, row.table_name): row.open for row in session.execute(_OPEN, values)}
        differing: set[TableId] = set()
        for table, count in tables.items():
            self._dispatcher.receive(self._destination_id, table)
            length = self._dispatcher.length(self._destination_id, table)
            if length == count:
                continue
            if max(length, count) <= _FEW_ROWS or table in self._differed:
                self._mend(table)
            else:
                differing.add(table)
        self._differed = differing
        return sum(tables.values())

    def _mend(self, table: TableId) -> None:
        forgotten = announced = 0
        for page in self._dispatcher.pages(self._destination_id, table):
            with self._ledger.database.transaction() as session:
                is_open = set(session.execute(_STILL_OPEN, {"ids": [row.row_id for row in page]}).scalars())
            closed = [row for row in page if row.row_id not in is_open]
            self._dispatcher.forget(closed)
            forgotten += len(closed)
        after = 0
        while True:
            rows = self._page(table, after)
            self._dispatcher.announce(rows)
            announced += len(rows)
            if len(rows) < _PAGE_ROWS:
                break
            after = rows[-1].row_id
        self._dispatcher.receive(self._destination_id, table)
        _log.info(
            "stream_mended",
            destination_id=self._destination_id,
            table=str(table),
            forgotten=forgotten,
            open_rows=announced,
        )

    def _page(self, table: TableId, after: int) -> list[Parked]:
        values: dict[str, Any] = {
            "source_id": self._ledger.source_id,
            "destination_id": self._destination_id,
            "schema": table.schema,
            "name": table.name,
            "after": after,
        }
        with self._ledger.database.transaction() as session:
            return [Parked(row_id, self._destination_id, table) for row_id in session.execute(_ROWS, values).scalars()]
