"""Rows that a statement could not compute, on their way through the ledger: kept without what is lacking, made anew.

The ledger keeps nothing of a row that the target would not have, so the row is asked from the source again. What the
source has by then is at least as new as the parked change, and whatever came after that waits behind it.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from compute.core.batch import TableChanges
from compute.transforms.fields import FROM, META, NULL, OP, UNCHANGED, Array, read, text_of
from compute.transforms.row_rules import RowRules
from rosetta.custom_sql import Statement

_SPREAD_BITS: Final = 56


def again(rules: RowRules, statement: Statement, changes: TableChanges) -> TableChanges:
    """See `RowRules.again`."""
    fields = read(changes)
    lacking = pc.not_equal(fields[UNCHANGED], NULL)
    made = rules.apply(_asked(rules, statement, changes, [field.filter(lacking) for field in fields]))
    kept = [field.filter(pc.invert(lacking)) for field in fields]
    return replace(
        made,
        row_count=made.row_count + len(kept[OP]),
        data=text_of(kept) + bytes(made.data),
        folded=False,
        has_deletes=made.has_deletes or changes.has_deletes,
        has_moved=changes.has_moved,
    )


def standing_for(rules: RowRules, statement: Statement, text: bytes) -> TableChanges:
    """Changes that stand for rows of a copy (COPY text of what is known of them) that cannot be computed.

    Each is older than any change that came down the stream, and has the same version whenever it is copied again.
    """
    columns = tuple(column.name for column in statement.columns)
    places = [columns.index(name) for name in rules.schema.key]
    now, bits = time.time_ns() // 1_000, statement.computed_bits.encode()
    data = bytearray()
    rows = text.removesuffix(b"\n").split(b"\n")
    for line in rows:
        fields = line.split(b"\t")
        key = b"\t".join(fields[place] for place in places)
        seq = 1 + (int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> (64 - _SPREAD_BITS))
        data += b"u\t0\t%d\t0\t%d\t%b\t\\N\t%b\n" % (seq, now, bits, line)
    return TableChanges(
        rules.source.table,
        columns,
        rules.schema.key,
        len(rows),
        bytes(data),
        folded=True,
        has_deletes=False,
        has_unchanged=True,
        has_moved=False,
        made_for=rules.made_for,
    )


def _asked(rules: RowRules, statement: Statement, changes: TableChanges, fields: list[Array]) -> TableChanges:
    """Changes of the source, of which only the keys are known."""
    count = len(fields[OP])
    meta = list(fields[:META])
    meta[UNCHANGED] = pa.repeat("1" * len(rules.source.columns), count)
    meta[FROM] = pa.repeat(NULL, count)
    nothing = pa.repeat(NULL, count)
    values = [
        fields[META + changes.columns.index(statement.output_of(name) or name)] if name in rules.source.key else nothing
        for name in rules.source.column_names
    ]
    return TableChanges(
        rules.source.table,
        rules.source.column_names,
        rules.source.key,
        count,
        text_of([*meta, *values]),
        folded=False,
        has_deletes=False,
        has_unchanged=True,
        has_moved=False,
    )
