"""Landing tables: staged changes that are streamed in, each under the end of its batch, until they are merged.

Pure SQL text. A landing holds texts, as a staging table does, so that it can refuse none; `_END` sorts as the stream
does. `_FROM` and `_SOURCE` are what is needed beside them to tell each change as the source sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import literal, own, quoted

CREATE_LANDINGS: Final = (
    f"CREATE TABLE IF NOT EXISTS {own('LANDINGS')} (PIPELINE_ID NUMBER(38,0) NOT NULL, "
    "DESTINATION_ID NUMBER(38,0) NOT NULL, SYNC_ID NUMBER(38,0) NOT NULL, LANDING VARCHAR NOT NULL, "
    "SOURCE_COLUMNS VARCHAR NOT NULL)"
)
# What both a landing and a staging table have.
_SHARED: Final = ("_OP", "_LSN", "_SEQ", "_XID", "_TS", "_UNCHANGED", "_RAW")
_NUMBERS: Final = frozenset({"_LSN", "_SEQ", "_XID"})


def create_landing_sql(name: str, columns: int, key: int) -> str:
    lines = [f"{quoted(one)} {'NUMBER(38,0)' if one in _NUMBERS else 'VARCHAR'}" for one in _SHARED]
    lines += [f"{quoted(one)} VARCHAR" for one in ("_END", "_FROM", "_SOURCE", *_values(columns, key))]
    return f"CREATE TABLE IF NOT EXISTS {own(name)} ({', '.join(lines)})"


def enter_sql(owner: tuple[int, int], sync_id: int, name: str, columns: str) -> str:
    """Notes what a landing is for, unless that is noted."""
    pipeline_id, destination_id = owner
    return (
        f"MERGE INTO {own('LANDINGS')} l USING (SELECT {literal(name)} AS N) w ON l.LANDING = w.N "
        "WHEN NOT MATCHED THEN INSERT (PIPELINE_ID, DESTINATION_ID, SYNC_ID, LANDING, SOURCE_COLUMNS) "
        f"VALUES ({pipeline_id}, {destination_id}, {sync_id}, w.N, {literal(columns)})"
    )


def entered_sql(owner: tuple[int, int]) -> str:
    """Sync, name and columns of each landing of a stream."""
    listed = "SYNC_ID, LANDING, SOURCE_COLUMNS"
    return f"SELECT {listed} FROM {own('LANDINGS')} WHERE {_of(owner)} ORDER BY SYNC_ID, LANDING"


def forget_sql(owner: tuple[int, int]) -> str:
    return f"DELETE FROM {own('LANDINGS')} WHERE {_of(owner)}"


def _of(owner: tuple[int, int]) -> str:
    return f"PIPELINE_ID = {owner[0]} AND DESTINATION_ID = {owner[1]}"


def take_sql(table: MergeTable, name: str, until: str) -> str:
    """Copies what has landed up to the batch that ends at `until` into the empty staging table."""
    names = ", ".join(map(quoted, (*_SHARED, *_values(len(table.columns), len(table.key)))))
    return (
        f'INSERT INTO {table.staging} ("_N", {names}) '
        f'SELECT ROW_NUMBER() OVER (ORDER BY l."_END", l."_LSN", l."_SEQ"), {names} '
        f'FROM {own(name)} l WHERE l."_END" <= {literal(until)}'
    )


def facts_sql(table: MergeTable) -> str:
    """Of the staged changes: how many left values out, and how many of these may lean on another staged one."""
    keys = ", ".join(f's."C{position + 1}"' for position in table.key)
    return (
        "SELECT COUNT(w.U), COUNT(CASE WHEN w.F IS NOT NULL OR (w.U IS NOT NULL AND w.AGE > 1) THEN 1 END) "
        'FROM (SELECT s."_UNCHANGED" AS U, s."F1" AS F, '
        f'ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY s."_N") AS AGE FROM {table.staging} s) w'
    )


def read_sql(name: str, columns: int, until: str) -> str:
    """What has landed, in stream order: `_END`, then what a line of a payload begins with, `_SOURCE`, C1, C2, ..."""
    about = ("_END", "_OP", "_LSN", "_SEQ", "_XID", "_TS", "_UNCHANGED", "_FROM", "_SOURCE")
    names = ", ".join(map(quoted, (*about, *_values(columns, 0))))
    return f'SELECT {names} FROM {own(name)} WHERE "_END" <= {literal(until)} ORDER BY "_END", "_LSN", "_SEQ"'


def drop_merged_sql(name: str, until: str) -> str:
    return f'DELETE FROM {own(name)} WHERE "_END" <= {literal(until)}'


def drop_beyond_sql(name: str, until: str) -> str:
    """What comes down the stream again."""
    return f'DELETE FROM {own(name)} WHERE "_END" > {literal(until)}'


def _values(columns: int, key: int) -> Sequence[str]:
    return [*(f"F{number}" for number in range(1, key + 1)), *(f"C{number}" for number in range(1, columns + 1))]
