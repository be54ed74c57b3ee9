"""Which changes of a payload are sent on, and as what: a row that does not meet the filters is a row that is gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from compute.core.batch import TableChanges
from compute.transforms.fields import LSN, META, NULL, OP, SEQ, TS, UNCHANGED, XID, Array, blank, replaced, unescaped
from compute.transforms.row_rules import Key, RowRules
from rosetta.enums import SyncMode
from rosetta.filters import matcher


class Filtering:
    """One payload's way through the filters of a table sync."""

    def __init__(self, rules: RowRules, changes: TableChanges) -> None:
        self._rules = rules
        self._changes = changes
        self._appends = rules.mode is SyncMode.APPEND
        self._place = {name: META + place for place, name in enumerate(changes.columns)}

    def of(self, fields: list[Array]) -> list[Array]:
        """The lines that are left, and what they say now."""
        deletes = pc.equal(fields[OP], "d")
        if not self._changes.key:
            seen = self._with_their_pairs(fields) if self._changes.has_unchanged else fields
            return self._only(seen, self._passing(seen))  # a deletion has the whole row
        seen, absent = fields, pa.repeat(False, len(deletes))
        if self._changes.has_unchanged:
            seen, absent = self._looked_up(fields, deletes)
        passing = pc.and_not(self._passing(seen), absent)
        if self._appends:
            return self._only(fields, pc.if_else(deletes, self._key_passes(fields), passing))
        if self._changes.has_unchanged:
            fields = seen
        # a row that is new with the batch is not at the target, so there is nothing to delete
        wanted = pc.or_(pc.or_(deletes, passing), pc.not_equal(fields[OP], "c"))
        gone = pc.and_not(pc.invert(passing), deletes)
        return self._deleted(self._only(fields, wanted), gone.filter(wanted))

    def _passing(self, fields: list[Array], conditions: Iterable[Any] | None = None) -> Array:
        rules = self._rules
        match = matcher(rules.source, tuple(rules.declared.filters if conditions is None else conditions))
        return match.mask({name: unescaped(fields[self._place[name]]) for name in match.columns})

    def _key_passes(self, fields: list[Array]) -> Array:
        """Whether the key alone, all that is known of a deleted row, may belong to a row that was sent."""
        key = set(self._changes.key)
        conditions = [condition for condition in self._rules.declared.filters if condition.column in key]
        return self._passing(fields, conditions) if conditions else pa.repeat(True, len(fields[OP]))

    def _only(self, fields: list[Array], wanted: Array) -> list[Array]:
        return fields if pc.all(wanted).as_py() else [field.filter(wanted) for field in fields]

    def _deleted(self, fields: list[Array], gone: Array) -> list[Array]:
        """Makes deletions of the lines in `gone`: nothing but the key is left of such a row."""
        if not pc.any(gone).as_py():
            return fields
        kept = {LSN, SEQ, XID, TS, *(self._place[name] for name in self._changes.key)}
        made = [field if place in kept else blank(field, gone) for place, field in enumerate(fields)]
        made[OP] = pc.if_else(gone, "d", fields[OP])
        return made

    # -- values that were not sent ----------------------------------------------------------------

    def _looked_up(self, fields: list[Array], deletes: Array) -> tuple[list[Array], Array]:
        """Lines that lack values with the whole row as it is at the source, and which of them is not there any more.

        Not only what is lacking: a row of two moments might pass where neither moment's row does. What happened to the
        row since comes down the stream behind it, and is applied again.
        """
        lacking = pc.and_not(pc.not_equal(fields[UNCHANGED], NULL), deletes)
        if not pc.any(lacking).as_py():
            return fields, pa.repeat(False, len(deletes))
        key_places = [self._place[name] for name in self._changes.key]
        keys: list[Key] = list(
            zip(*(unescaped(fields[place].filter(lacking)).to_pylist() for place in key_places), strict=True)
        )
        transactions = {int(xid) for xid in pc.unique(fields[XID].filter(lacking)).to_pylist()}
        if self._rules.rows is None:
            raise RuntimeError("rules with filters have nobody to ask for rows of the source")
        rows = self._rules.rows.read(self._rules.source, self._changes.columns, keys, transactions)
        found = list(fields)
        for number in range(len(self._changes.columns)):
            place = META + number
            sent = fields[place].filter(lacking).to_pylist()
            values = [rows[key][number] if key in rows else before for key, before in zip(keys, sent, strict=True)]
            found[place] = replaced(fields[place], lacking, values)
        found[UNCHANGED] = blank(fields[UNCHANGED], lacking)
        absent = pc.replace_with_mask(
            pa.repeat(False, len(deletes)), lacking, pa.array([key not in rows for key in keys])
        )
        return found, absent

    def _with_their_pairs(self, fields: list[Array]) -> list[Array]:
        """Of a table without a key: an update's new row with the values that only its old row, right before it, has."""
        bits = fields[UNCHANGED]
        lacking = pc.not_equal(bits, NULL)
        places = pc.indices_nonzero(lacking)
        former = pc.subtract(pc.cast(places, pa.int64()), 1)
        if not pc.all(pc.equal(fields[OP].take(former), "d")).as_py():
            raise ValueError("an update of a table without a key does not stand behind its old row")
        masks = bits.take(places).to_pylist()
        made = list(fields)
        for number in range(len(self._changes.columns)):
            field = fields[META + number]
            own, before = field.take(places).to_pylist(), field.take(former).to_pylist()
            values = [old if mask[number] == "1" else new for mask, new, old in zip(masks, own, before, strict=True)]
            made[META + number] = replaced(field, lacking, values)
        made[UNCHANGED] = blank(bits, lacking)
        return made
