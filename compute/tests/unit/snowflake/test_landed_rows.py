"""A change that lies in a landing can be told again as the source sent it."""

from __future__ import annotations

from dataclasses import replace

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa

from compute.core.batch import TableChanges
from compute.destinations.base import TableTarget
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import Staging
from compute.destinations.snowflake.streaming.landed_rows import landed_changes, landing_lines
from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.dialects.snowflake.names import Naming
from rosetta.dialects.snowflake.types import TypeOptions
from rosetta.identifiers import TableId
from rosetta.snowflake import SnowflakeEndpoint
from rosetta.types import Column, TableSchema

_TYPES = {
    "id": "bigint",
    "note": "text",
    "paid": "money",
    "image": "bytea",
    "doc": "jsonb",
    "tags": "text[]",
    "rate": "double precision",
    "day": "date",
    "at": "timestamp with time zone",
    "amount": "numeric(12,2)",
}
SCHEMA = TableSchema(
    TableId("public", "odd"), tuple(Column(name, kind) for name, kind in _TYPES.items()), ("id",), primary_key=("id",)
)
TARGET = TableTarget(7, SCHEMA, TableId("public", "odd"))
FULL = (
    b'c\t100\t0\t5\t1700000000000001\t\\N\t\\N\t1\ta\\tb\\\\n"\xc3\xa4\t-$1,234.50\t\\\\xdeadBEEF\t'
    b'{"k": [1, null, 12345678901234567890123456789012345678901]}\t{x,"y z",NULL}\t-Infinity\tinfinity\t'
    b"2026-01-02 03:04:05.6+00\tNaN\n"
)
LACKING = b"u\t110\t1\t6\t1700000000000002\t0100000000\t{1}\t2" + b"\t\\N" * 9 + b"\n"
DELETED = b"d\t120\t0\t7\t\\N\t\\N\t\\N\t3" + b"\t\\N" * 9 + b"\n"
_SHOWN = ("_END", "_OP", "_LSN", "_SEQ", "_XID", "_TS", "_UNCHANGED", "_FROM", "_SOURCE")


def payload(data: bytes) -> TableChanges:
    count = data.count(b"\n")
    return TableChanges(SCHEMA.table, SCHEMA.column_names, ("id",), count, data, False, True, True, True)


def through_a_landing(*payloads: TableChanges) -> TableChanges:
    endpoint = SnowflakeEndpoint("a", "u", "D", "S", SigningKey(rsa.generate_private_key(65537, 2048)))
    staging = Staging(Session(endpoint, "test"), "1_2", Naming(), TypeOptions())
    table = staging.described(TARGET, SCHEMA.column_names)
    lines = [line for end, one in enumerate(payloads) for line in landing_lines(one, table, str(end))]
    names = (*_SHOWN, *(f"C{number}" for number in range(1, len(_TYPES) + 1)))
    rows = [tuple(orjson.loads(line).get(name) for name in names) for line in lines]
    return landed_changes(rows, TARGET, SCHEMA.column_names)


def test_every_value_comes_back_as_it_was_sent() -> None:
    back = through_a_landing(payload(FULL + LACKING + DELETED))
    assert bytes(back.data) == FULL + LACKING + DELETED
    assert (back.row_count, back.has_deletes, back.has_unchanged, back.has_moved) == (3, True, True, True)
    assert (back.key, back.columns, back.folded) == (("id",), SCHEMA.column_names, False)


def test_what_a_batch_left_out_is_taken_from_the_one_before() -> None:
    moved = replace(payload(LACKING), row_count=1)
    back = through_a_landing(payload(FULL), moved)
    first, second = bytes(back.data).splitlines()
    assert first + b"\n" == FULL
    assert second.split(b"\t")[8] == FULL.split(b"\t")[8]
    assert second.split(b"\t")[5:7] == [b"\\N", b"\\N"], "nothing is left out, so that no former key is needed"
