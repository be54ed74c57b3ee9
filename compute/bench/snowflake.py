"""What a load into Snowflake costs on our side: from changes to a Parquet file on its way, and every statement made.

No account and no emulator answers, so that nothing but our own code is measured.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

from compute.core.batch import ChangeBatch, TableChanges
from compute.core.gathering import together
from compute.destinations.base import TableTarget, TableWrite, WriteBatch
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.destinations.snowflake.session import Session
from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.snowflake import SnowflakeEndpoint
from rosetta.types import Column, TableSchema

CHANGES: Final = 200_000
_BATCHES: Final = 20
_COLUMNS: Final = {
    "id": "bigint",
    "name": "text",
    "amount": "numeric(12,2)",
    "at": "timestamp with time zone",
    "day": "date",
    "doc": "jsonb",
    "paid": "boolean",
    "uid": "uuid",
    "n": "integer",
    "note": "text",
}


class _Answers(Session):
    """An account that says what it would say, at once."""

    def __init__(self) -> None:
        super().__init__(SnowflakeEndpoint("bench", "bench", "BENCH", "PUBLIC", _no_key()), "bench")
        self.sent_rows = 0
        self.statements = 0

    def connect(self) -> None: ...
    def check(self) -> None: ...
    def rollback(self) -> None: ...

    def run(self, sql: str, _doing: str, /) -> int:
        self.statements += 1
        if found := re.match(r"PUT 'file://(.*?)'", sql):
            import pyarrow.parquet as pq

            self.sent_rows = pq.read_metadata(found[1]).num_rows
        return 1

    def rows(self, sql: str, _doing: str, /) -> list[tuple[Any, ...]]:
        self.statements += 1
        if sql.startswith("COPY INTO"):
            return [("rows.parquet", "LOADED", self.sent_rows, self.sent_rows)]
        return [(1, None, None, None, 0)] if "PROGRESS" in sql else []


def _no_key() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return SigningKey(generate_private_key(public_exponent=65537, key_size=2048))


def measure_snowflake(changes: int = CHANGES) -> dict[str, float | int]:
    """Changes per second of one load that gathered in several batches, by one thread."""
    schema = TableSchema(
        TableId("public", "z"),
        tuple(Column(name, kind) for name, kind in _COLUMNS.items()),
        ("id",),
        primary_key=("id",),
    )
    target = TableTarget(1, schema, schema.table)
    batches = [_batch(schema, number, changes // _BATCHES) for number in range(_BATCHES)]
    answers = _Answers()
    destination = SnowflakeDestination(answers.endpoint, 1, 1, session=answers)
    destination.open(1)
    started = time.perf_counter()
    whole = together(batches)
    destination.write_changes(WriteBatch(whole.end, (), tuple(TableWrite(target, part) for part in whole.tables)))
    seconds = time.perf_counter() - started
    return {
        "snowflake_client_rows_per_s": round(changes / seconds),
        "snowflake_client_mb_per_s": round(whole.byte_count / seconds / 1e6, 1),
        "snowflake_statements": answers.statements,
    }


def _batch(schema: TableSchema, number: int, rows: int) -> ChangeBatch:
    first = number * rows
    lines = [
        f"u\t{n}\t0\t{n}\t17000000{n:08}\t\\N\t\\N\t{n}\tname {n}\t{n}.50\t"
        f"2024-01-01 00:00:{n % 60:02}.{n % 1_000_000:06}+00"
        f'\t2024-02-{n % 28 + 1:02}\t{{"n": {n}}}\tt\t00000000-0000-0000-0000-{n:012}\t{n % 1000}\ttab\\there {n}\n'
        for n in range(first, first + rows)
    ]
    payload = TableChanges(
        schema.table, schema.column_names, schema.key, rows, "".join(lines).encode(), True, False, False, False
    )
    places = [StreamPosition(Lsn((number + step) * 1_000_000 + 1)) for step in (0, 1)]
    return ChangeBatch(number + 1, places[0], places[1], tables=(payload,))
