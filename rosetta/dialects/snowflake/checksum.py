"""SQL that computes in Snowflake what `rosetta.dialects.postgres.checksum` computes of portable rows at a source.

A column's `sql` gives the text to compare, of a row `t`; a key is answered as one text (see `fields_of`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rosetta.dialects.postgres.checksum import ComparedColumn, ComparedTable, Key, KeyRange
from rosetta.dialects.snowflake.names import OWN_SCHEMA, literal, own, qualified

_NULL: Final = "~n"
_PLAIN: Final = {"~~": "~", "~p": "|"}
# The last 60 bits of an MD5.
_MODULUS: Final = 1 << 60
_SUM: Final = "CAST(SUM(CAST(w.P AS NUMBER(38,0))) AS VARCHAR)"


def totals_sql(table: ComparedTable, within: KeyRange) -> str:
    """One row: how many rows there are, and their checksum."""
    return f"SELECT COUNT(*), {_SUM} FROM ({_hashed(table, within)}) w"


def buckets_sql(table: ComparedTable, within: KeyRange, bucket_count: int) -> str:
    """Count and checksum of each of `bucket_count` buckets of row hashes that is not empty."""
    return f"SELECT MOD(w.P, {bucket_count}), COUNT(*), {_SUM} FROM ({_hashed(table, within)}) w GROUP BY 1"


def members_sql(table: ComparedTable, within: KeyRange, bucket_count: int, buckets: Iterable[int]) -> str:
    """Key, row hash (hex) and number of copies of every row in `buckets`."""
    wanted = ", ".join(str(bucket) for bucket in buckets)
    return (
        f"SELECT w.K, w.H, COUNT(*) FROM ({_hashed(table, within)}) w WHERE MOD(w.P, {bucket_count}) IN ({wanted}) "
        "GROUP BY 1, 2"
    )


def lookup_sql(table: ComparedTable, keys: Sequence[Key]) -> str:
    """Key, row hash (hex) and number of copies of the rows with one of `keys`."""
    return f"SELECT w.K, w.H, COUNT(*) FROM ({_hashed(table)}) w WHERE {_has_key('w.K', keys)} GROUP BY 1, 2"


def values_sql(table: ComparedTable, keys: Sequence[Key], *, reveal: bool) -> str:
    """Key and values, or their hashes, of the rows with one of `keys`."""
    texts = [_text(column) for column in table.columns]
    shown = _joined(texts if reveal else [f"MD5({text})" for text in texts])
    return f"SELECT w.K, w.V FROM (SELECT {_key(table)} AS K, {shown} AS V FROM {_rows(table)}) w WHERE " + _has_key(
        "w.K", keys
    )


def fields_of(found: Any) -> tuple[Any, ...]:
    """The texts of a key or of a row's values, as a query of this module answers them."""
    return tuple(
        None if part == _NULL else re.sub("~[~p]", lambda match: _PLAIN[match[0]], part)
        for part in str(found).split("|")
    )


def progress_exists_sql() -> str:
    return (
        "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES "
        f"WHERE TABLE_SCHEMA = {literal(OWN_SCHEMA)} AND TABLE_NAME = 'PROGRESS'"
    )


def progress_sql(pipeline: tuple[int, int] | None) -> str:
    """The position that the target holds of `pipeline` (pipeline and destination id); no row where it is not known."""
    named = pipeline if pipeline is not None else (-1, -1)
    return f"SELECT COMMIT_LSN FROM {own('PROGRESS')} WHERE PIPELINE_ID = {named[0]} AND DESTINATION_ID = {named[1]}"


def _hashed(table: ComparedTable, within: KeyRange | None = None) -> str:
    """Key (K), hash (H) and its last 60 bits (P) of every row. Raises ValueError for a range: there is no order."""
    if within is not None and within != KeyRange():
        raise ValueError("rows in Snowflake are not read by ranges")
    row = _joined([_text(column) for column in table.columns])
    identity, found = ("x.K", f"{_key(table)} AS K, ") if table.key else ("MD5(x.R)", "")
    return (
        f"SELECT {identity} AS K, MD5(x.R) AS H, MOD(MD5_NUMBER_LOWER64(x.R), {_MODULUS}) AS P "
        f"FROM (SELECT {found}{row} AS R FROM {_rows(table)}) x"
    )


def _key(table: ComparedTable) -> str:
    return _joined([_text(column) for column in table.key])


def _text(column: ComparedColumn) -> str:
    if column.sql is None:
        raise ValueError(f"nothing gives the text of {column.name}")
    return column.sql


def _joined(texts: Sequence[str]) -> str:
    return " || '|' || ".join(f"COALESCE(REPLACE(REPLACE({text}, '~', '~~'), '|', '~p'), '{_NULL}')" for text in texts)


def _has_key(name: str, keys: Sequence[Key]) -> str:
    listed = ", ".join(literal("|".join(map(_escaped, key))) for key in keys)
    return f"{name} IN ({listed})"


def _escaped(part: str) -> str:
    return part.replace("~", "~~").replace("|", "~p")


def _rows(table: ComparedTable) -> str:
    return f"{qualified(table.table)} t" + (f" WHERE {table.condition}" if table.condition else "")
