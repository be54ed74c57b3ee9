"""Whole rows from changes that left values out (unchanged TOAST), for whoever has to look at all of a row."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from compute.core.batch import TableChanges
from compute.transforms.fields import META, NULL, OP, UNCHANGED, XID, Array, blank, replaced, unescaped
from compute.transforms.row_rules import Key, RowRules


def looked_up(rules: RowRules, changes: TableChanges, fields: list[Array]) -> tuple[list[Array], Array]:
    """Lines that lack values with the whole row as it is at the source, and which of them is not there any more.

    Not only what is lacking: a row of two moments might pass where neither moment's row does. What happened to the
    row since comes down the stream behind it, and is applied again. Raises OutageError while the source is away.
    """
    deletes = pc.equal(fields[OP], "d")
    lacking = pc.and_not(pc.not_equal(fields[UNCHANGED], NULL), deletes)
    if not pc.any(lacking).as_py():
        return fields, pa.repeat(False, len(deletes))
    key_places = [META + changes.columns.index(name) for name in changes.key]
    keys: list[Key] = list(
        zip(*(unescaped(fields[place].filter(lacking)).to_pylist() for place in key_places), strict=True)
    )
    transactions = {int(xid) for xid in pc.unique(fields[XID].filter(lacking)).to_pylist()}
    if rules.rows is None:
        raise RuntimeError("rules that look at rows have nobody to ask for rows of the source")
    rows = rules.rows.read(rules.source, changes.columns, keys, transactions)
    found = list(fields)
    for number in range(len(changes.columns)):
        place = META + number
        sent = fields[place].filter(lacking).to_pylist()
        values = [rows[key][number] if key in rows else before for key, before in zip(keys, sent, strict=True)]
        found[place] = replaced(fields[place], lacking, values)
    found[UNCHANGED] = blank(fields[UNCHANGED], lacking)
    absent = pc.replace_with_mask(pa.repeat(False, len(deletes)), lacking, pa.array([key not in rows for key in keys]))
    return found, absent


def with_their_pairs(changes: TableChanges, fields: list[Array]) -> list[Array]:
    """Of a table without a key: an update's new row with the values that only its old row, right before it, has."""
    bits = fields[UNCHANGED]
    lacking = pc.not_equal(bits, NULL)
    places = pc.indices_nonzero(lacking)
    former = pc.subtract(pc.cast(places, pa.int64()), 1)
    if not pc.all(pc.equal(fields[OP].take(former), "d")).as_py():
        raise ValueError("an update of a table without a key does not stand behind its old row")
    masks = bits.take(places).to_pylist()
    made = list(fields)
    for number in range(len(changes.columns)):
        field = fields[META + number]
        own, before = field.take(places).to_pylist(), field.take(former).to_pylist()
        values = [old if mask[number] == "1" else new for mask, new, old in zip(masks, own, before, strict=True)]
        made[META + number] = replaced(field, lacking, values)
    made[UNCHANGED] = blank(bits, lacking)
    return made
