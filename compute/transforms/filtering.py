"""Which changes of a payload are sent on, and as what: a row that does not meet the filters is a row that is gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from compute.core.batch import TableChanges
from compute.transforms.fields import LSN, META, OP, SEQ, TS, XID, Array, blank, unescaped
from compute.transforms.row_rules import RowRules
from compute.transforms.wholes import looked_up, with_their_pairs
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
            seen = with_their_pairs(self._changes, fields) if self._changes.has_unchanged else fields
            return self._only(seen, self._passing(seen))  # a deletion has the whole row
        seen, absent = fields, pa.repeat(False, len(deletes))
        if self._changes.has_unchanged:
            seen, absent = looked_up(self._rules, self._changes, fields)
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
