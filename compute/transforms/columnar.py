"""Rules applied to a payload: columns left out, renamed and masked, rows filtered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from compute.core.batch import TableChanges
from compute.core.lines import from_field
from compute.transforms.fields import FROM, META, NULL, OP, UNCHANGED, Array, read, text_of
from compute.transforms.filtering import Filtering
from compute.transforms.row_rules import RowRules
from rosetta.dialects.postgres.copy_text import parse_array, unescape
from rosetta.errors import SchemaMismatchError
from rosetta.table_rules import REDACTED, MaskKind


def apply(rules: RowRules, changes: TableChanges) -> TableChanges:
    """See `RowRules.apply`."""
    missing = sorted(rules.declared.needed(changes.key) - set(changes.columns))
    if missing:
        raise SchemaMismatchError(
            f"{changes.table} has no column {', '.join(missing)} any more, which its table sync names",
            remedy="Change the table sync's columns, masks and filters, and resync the table.",
        )
    fields = read(changes)
    if rules.declared.filters:
        fields = Filtering(rules, changes).of(fields)
    return _made(rules, changes, fields)


def _made(rules: RowRules, changes: TableChanges, fields: list[Array]) -> TableChanges:
    names = {name: target for name in changes.columns if (target := rules.declared.target_name(name)) is not None}
    places = [changes.columns.index(name) for name in names]
    masks = rules.declared.masks
    if changes.has_unchanged:
        fields[UNCHANGED] = _each(fields[UNCHANGED], lambda bits: _cut(bits, places))
    if changes.has_moved and rules.masks_key:
        fields[FROM] = _each(fields[FROM], lambda former: _masked_key(rules, changes.key, former))
    columns = [_masked(rules, masks.get(name), fields[META + place]) for name, place in zip(names, places, strict=True)]
    return replace(
        changes,
        columns=tuple(names.values()),
        key=tuple(names[name] for name in changes.key),
        row_count=len(fields[OP]),
        data=text_of([*fields[:META], *columns]),
        has_deletes=_any(pc.equal(fields[OP], "d")),
        has_unchanged=changes.has_unchanged and _any(pc.not_equal(fields[UNCHANGED], NULL)),
        has_moved=changes.has_moved and _any(pc.not_equal(fields[FROM], NULL)),
        types=(),
        made_for=rules.made_for,
    )


def _masked(rules: RowRules, mask: MaskKind | None, array: Array) -> Array:
    if mask is None:
        return array
    if mask is MaskKind.NULL:
        return pa.repeat(NULL, len(array))
    if mask is MaskKind.REDACT:
        return pc.if_else(pc.equal(array, NULL), NULL, REDACTED)
    return _each(array, lambda value: rules.masking_key.mask(unescape(value)))


def _masked_key(rules: RowRules, key: Sequence[str], field: str) -> str:
    masked, mask = rules.declared.masks, rules.masking_key.mask
    values = zip(key, parse_array(unescape(field)), strict=True)
    return from_field((mask(value) if name in masked else value).encode() for name, value in values).decode()


def _cut(bits: str, places: Sequence[int]) -> str:
    """What is left of `_unchanged` for the columns that are sent."""
    kept = "".join(bits[place] for place in places)
    return kept if "1" in kept else NULL


def _each(array: Array, change: Callable[[str], str]) -> Array:
    """Every value but NULL changed; equal ones once."""
    encoded = array.dictionary_encode()
    values = [value if value == NULL else change(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def _any(found: Array) -> bool:
    return bool(pc.any(found).as_py())
