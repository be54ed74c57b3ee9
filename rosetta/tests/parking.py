"""Parks changes in the ledger, as compute would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2

from rosetta.dead_letters import Payload, seal_payload
from rosetta.dead_letters.keys import key_input
from rosetta.identifiers import TableId
from rosetta.secrets import Keyring

Sql = Callable[..., list[tuple[Any, ...]]]
CANARY = "canary-value-4f1d"


def runner_of(connection: psycopg2.extensions.connection) -> Sql:
    """Runs a statement with its values; answers with its rows, none where it has none."""

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return run


@dataclass
class Parking:
    """One pipeline with two destinations, and what is parked for the first."""

    sql: Sql
    keyring: Keyring
    pipeline_id: int
    destination_id: int
    other_destination_id: int
    sync_id: int
    source_id: int

    @property
    def path(self) -> str:
        return f"/api/v1/pipelines/{self.pipeline_id}/destinations/{self.destination_id}"

    @property
    def other_path(self) -> str:
        return f"/api/v1/pipelines/{self.pipeline_id}/destinations/{self.other_destination_id}"

    def record(self, key: int, lsn: int, **columns: Any) -> int:
        """One refused UPDATE of `public.orders (id, note, amount)`."""
        line = f"u\t{lsn}\t1\t700\t1\t\\N\t\\N\t{key}\t{CANARY}\t{lsn}\n"
        payload = Payload(("id", "note", "amount"), ("id",), line.encode(), 1)
        digest = self.keyring.digests(key_input(TableId("public", "orders"), [str(key).encode()]))[0]
        hashes = [psycopg2.Binary(digest)]
        return self.park(payload, lsn, {"kind": "RECORD", "operation": "UPDATE", "key_hashes": hashes, **columns})

    def segment(self, rows: int, lsn: int, **columns: Any) -> int:
        """A table's part of a batch that waits for its destination."""
        lines = "".join(f"c\t{lsn}\t{n}\t700\t1\t\\N\t\\N\t{n}\t{CANARY}\t{n}\n" for n in range(rows))
        payload = Payload(("id", "note", "amount"), ("id",), lines.encode(), rows)
        return self.park(payload, lsn, {"kind": "SEGMENT", "error_class": "OUTAGE", "row_count": rows, **columns})

    def park(self, payload: Payload, lsn: int, columns: Mapping[str, Any]) -> int:
        sealed = seal_payload(payload, self.keyring, self.pipeline_id, self.destination_id)
        position = f"0/{lsn:X}"
        row = {
            "pipeline_id": self.pipeline_id,
            "source_id": self.source_id,
            "destination_id": self.destination_id,
            "table_sync_id": self.sync_id,
            "schema_name": "public",
            "table_name": "orders",
            "commit_lsn": position,
            "change_lsn": position,
            "ordinal": 1,
            "columns": list(payload.columns),
            "payload": psycopg2.Binary(sealed),
            "payload_bytes": len(payload.data),
            "error_class": "DATA",
            "error_code": "22003",
            "error_message": "a value does not fit its column",
            **columns,
        }
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        found = self.sql(f"INSERT INTO dlq_records ({names}) VALUES ({places}) RETURNING id", *row.values())
        number: int = found[0][0]
        return number


def make_parking(sql: Sql, keyring: Keyring) -> Parking:
    source = sql(
        "INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name)"
        " VALUES ('s', 'h', 'd', 'u', 'p') RETURNING id"
    )[0][0]
    destinations = sql(
        "INSERT INTO destinations (name, type, config) VALUES ('a', 'POSTGRESQL', '{}'), ('b', 'POSTGRESQL', '{}')"
        " RETURNING id"
    )
    pipeline = sql("INSERT INTO pipelines (name, source_id) VALUES ('orders', %s) RETURNING id", source)[0][0]
    joins = [
        sql(
            "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s) RETURNING id",
            pipeline,
            destination,
        )[0][0]
        for (destination,) in destinations
    ]
    sync = sql(
        "INSERT INTO table_syncs (pipeline_destination_id, table_name) VALUES (%s, 'orders') RETURNING id", joins[0]
    )[0][0]
    return Parking(sql, keyring, pipeline, destinations[0][0], destinations[1][0], sync, source)
