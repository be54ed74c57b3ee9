"""Tables at the target, and Rosetta's own beside them: what they are made of. Pure SQL text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rosetta.dialects.snowflake.names import OWN_SCHEMA, literal, own, qualified, quoted
from rosetta.dialects.snowflake.types import SnowflakeType
from rosetta.enums import DeleteMode, SyncMode
from rosetta.identifiers import TableId

CREATE_OWN: Final = (
    f"CREATE SCHEMA IF NOT EXISTS {quoted(OWN_SCHEMA)}",
    f"CREATE STAGE IF NOT EXISTS {own('FILES')}",
    (
        f"CREATE TABLE IF NOT EXISTS {own('PROGRESS')} (PIPELINE_ID NUMBER(38,0) NOT NULL, "
        "DESTINATION_ID NUMBER(38,0) NOT NULL, EPOCH NUMBER(38,0) NOT NULL, COMMIT_LSN VARCHAR, CHANGE_LSN VARCHAR, "
        "ORDINAL NUMBER(38,0), STAMP NUMBER(38,0) NOT NULL)"
    ),
    (
        f"CREATE TABLE IF NOT EXISTS {own('TABLES')} (TARGET_SCHEMA VARCHAR NOT NULL, TARGET_NAME VARCHAR NOT NULL, "
        "PIPELINE_ID NUMBER(38,0) NOT NULL, DESTINATION_ID NUMBER(38,0) NOT NULL, SOURCE_SCHEMA VARCHAR NOT NULL, "
        "SOURCE_NAME VARCHAR NOT NULL, COPY_OPEN BOOLEAN NOT NULL, COPIED_SINCE NUMBER(38,0) NOT NULL, "
        "SOURCE_SHAPE VARCHAR, SOURCE_STORAGE VARCHAR, OUTDATED BOOLEAN)"
    ),
)
_VERSION: Final = {
    "_ROSETTA_LSN": "NUMBER(38,0) NOT NULL",
    "_ROSETTA_SEQ": "NUMBER(38,0) NOT NULL",
    "_ROSETTA_TX": "NUMBER(38,0) NOT NULL",
    "_ROSETTA_SOURCE_TS": "TIMESTAMP_TZ(6)",
    "_ROSETTA_LOADED_AT": "TIMESTAMP_TZ(6)",
    "_ROSETTA_RAW": "VARIANT",
}
_HISTORY: Final = {"_ROSETTA_OP": "VARCHAR(1) NOT NULL", **_VERSION, "_ROSETTA_UNCHANGED": "VARCHAR"}
# Of the staging table, in front of the payload's columns C1, C2, ...; F1, F2, ... are the key of `_FROM`.
STAGED: Final = {
    "_N": "NUMBER(38,0)",  # the line's number in its payload
    "_OP": "VARCHAR",
    "_LSN": "NUMBER(38,0)",
    "_SEQ": "NUMBER(38,0)",
    "_XID": "NUMBER(38,0)",
    "_TS": "VARCHAR",
    "_UNCHANGED": "VARCHAR",
    "_RAW": "VARCHAR",
    "_MISSING": "VARCHAR",
    "_MOVED": "NUMBER(38,0)",
}


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column by its name at the target."""

    name: str
    type: SnowflakeType


def own_columns(mode: SyncMode, delete_mode: DeleteMode) -> Mapping[str, str]:
    """The columns that Rosetta adds to a target, with their declarations.

    `_ROSETTA_RAW` holds, by column, the texts that the target's types have no value for. In append mode
    `_ROSETTA_UNCHANGED` names the columns that a change left as they were without sending them.
    """
    if mode is SyncMode.APPEND:
        return _HISTORY
    if delete_mode is DeleteMode.SOFT:
        return {**_VERSION, "_ROSETTA_DELETED": "BOOLEAN NOT NULL"}
    return _VERSION


def create_table_sql(
    target: TableId, columns: Sequence[TargetColumn], key: Sequence[str], mode: SyncMode, delete_mode: DeleteMode
) -> str:
    """The target table; NOT NULL on the key alone. Snowflake keeps the key as a hint and checks nothing."""
    keyed = set(key) if mode is SyncMode.CURRENT else set()
    lines = [f"{quoted(one.name)} {one.type.name}{' NOT NULL' if one.name in keyed else ''}" for one in columns]
    lines += [f"{quoted(name)} {declared}" for name, declared in own_columns(mode, delete_mode).items()]
    if keyed:
        lines.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
    return f"CREATE TABLE IF NOT EXISTS {qualified(target)} ({', '.join(lines)})"


def add_columns_sql(target: TableId, declared: Mapping[str, str]) -> str:
    added = ", ".join(f"{quoted(name)} {declaration}" for name, declaration in declared.items())
    return f"ALTER TABLE {qualified(target)} ADD COLUMN {added}"


def widen_sql(target: TableId, column: str, type_name: str) -> str:
    return f"ALTER TABLE {qualified(target)} ALTER COLUMN {quoted(column)} SET DATA TYPE {type_name}"


def columns_sql(target: TableId) -> str:
    """Name, type, precision and scale of each column of the target; no row: there is no such table."""
    return (
        "SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE FROM INFORMATION_SCHEMA.COLUMNS "
        f"WHERE TABLE_SCHEMA = {literal(target.schema)} AND TABLE_NAME = {literal(target.name)}"
    )


def schema_sql(schema: str) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"


def create_staging_sql(staging: str, columns: int, key: int) -> str:
    """Where files are loaded before they are merged; empty but inside a transaction."""
    lines = [f"{quoted(name)} {declared}" for name, declared in STAGED.items()]
    lines += [f'"F{number}" VARCHAR' for number in range(1, key + 1)]
    lines += [f'"C{number}" VARCHAR' for number in range(1, columns + 1)]
    return f"CREATE TRANSIENT TABLE IF NOT EXISTS {staging} ({', '.join(lines)})"


def copy_into_sql(staging: str, path: str) -> str:
    """Loads every file of a stage path, also one that was loaded before."""
    return (
        f"COPY INTO {staging} FROM {path} FILE_FORMAT = (TYPE = PARQUET) "
        "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE FORCE = TRUE ON_ERROR = ABORT_STATEMENT"
    )


def put_sql(file: str, path: str) -> str:
    return f"PUT 'file://{file}' {path} AUTO_COMPRESS = FALSE OVERWRITE = TRUE PARALLEL = 4"


def claim_sql(target: TableId, source: TableId, pipeline_id: int, destination_id: int) -> str:
    """Enters who writes a target, unless somebody does."""
    return (
        f"MERGE INTO {own('TABLES')} t USING (SELECT {literal(target.schema)} AS S, {literal(target.name)} AS N) w "
        "ON t.TARGET_SCHEMA = w.S AND t.TARGET_NAME = w.N WHEN NOT MATCHED THEN INSERT (TARGET_SCHEMA, TARGET_NAME, "
        "PIPELINE_ID, DESTINATION_ID, SOURCE_SCHEMA, SOURCE_NAME, COPY_OPEN, COPIED_SINCE) VALUES (w.S, w.N, "
        f"{pipeline_id}, {destination_id}, {literal(source.schema)}, {literal(source.name)}, FALSE, 0)"
    )


def owners_sql(target: TableId) -> str:
    """Who writes a target (pipeline, destination, schema and name of the source's table), and what its source was."""
    return (
        "SELECT PIPELINE_ID, DESTINATION_ID, SOURCE_SCHEMA, SOURCE_NAME, SOURCE_SHAPE, SOURCE_STORAGE, OUTDATED "
        f"FROM {own('TABLES')} WHERE {_is(target)}"
    )


def remember_source_sql(target: TableId, shape: str, storage: str, *, outdated: bool) -> str:
    """Notes what the source is now that the target fits it."""
    return (
        f"UPDATE {own('TABLES')} SET SOURCE_SHAPE = {literal(shape)}, SOURCE_STORAGE = {literal(storage)}, "
        f"OUTDATED = {'TRUE' if outdated else 'FALSE'} WHERE {_is(target)}"
    )


def release_sql(target: TableId) -> str:
    """What a person runs to give a target to another writer."""
    return f"DELETE FROM {own('TABLES')} WHERE {_is(target)};"


def copy_state_sql(target: TableId) -> str:
    """Whether a copy is open, and the stamp it began with."""
    return f"SELECT COPY_OPEN, COPIED_SINCE FROM {own('TABLES')} WHERE {_is(target)}"


def mark_copy_sql(target: TableId, *, since: int | None) -> str:
    """Opens a copy: rows that were loaded before the stamp `since` are not to be trusted. None: ends it."""
    opened = "COPY_OPEN = FALSE" if since is None else f"COPY_OPEN = TRUE, COPIED_SINCE = {since}"
    return f"UPDATE {own('TABLES')} SET {opened} WHERE {_is(target)}"


def _is(target: TableId) -> str:
    return f"TARGET_SCHEMA = {literal(target.schema)} AND TARGET_NAME = {literal(target.name)}"


def take_fence_sql(pipeline_id: int, destination_id: int, epoch: int) -> str:
    """Takes the fence unless a newer epoch holds it; `progress_sql` tells."""
    return (
        f"MERGE INTO {own('PROGRESS')} p USING (SELECT {pipeline_id} AS P, {destination_id} AS D, {epoch} AS E) w "
        "ON p.PIPELINE_ID = w.P AND p.DESTINATION_ID = w.D WHEN MATCHED AND p.EPOCH < w.E THEN UPDATE SET EPOCH = w.E "
        "WHEN NOT MATCHED THEN INSERT (PIPELINE_ID, DESTINATION_ID, EPOCH, STAMP) VALUES (w.P, w.D, w.E, 0)"
    )


def progress_sql(pipeline_id: int, destination_id: int) -> str:
    return (
        f"SELECT EPOCH, COMMIT_LSN, CHANGE_LSN, ORDINAL, STAMP FROM {own('PROGRESS')} "
        f"WHERE PIPELINE_ID = {pipeline_id} AND DESTINATION_ID = {destination_id}"
    )


def write_progress_sql(owner: tuple[int, int, int], stamp: int, place: tuple[str, str, int] | None) -> str:
    """Moves the position, unless another epoch holds the fence: then no row is updated. `owner` ends with the epoch."""
    pipeline_id, destination_id, epoch = owner
    moved = ""
    if place is not None:
        moved = f", COMMIT_LSN = {literal(place[0])}, CHANGE_LSN = {literal(place[1])}, ORDINAL = {place[2]}"
    return (
        f"UPDATE {own('PROGRESS')} SET STAMP = {stamp}{moved} "
        f"WHERE PIPELINE_ID = {pipeline_id} AND DESTINATION_ID = {destination_id} AND EPOCH = {epoch}"
    )


def own_names_sql() -> str:
    """Names of the tables in Rosetta's own schema."""
    return f"SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = {literal(OWN_SCHEMA)}"


def remove_progress_sql(pipeline_id: int, destination_id: int) -> str:
    return f"DELETE FROM {own('PROGRESS')} WHERE PIPELINE_ID = {pipeline_id} AND DESTINATION_ID = {destination_id}"


def remove_claims_sql(pipeline_id: int, destination_id: int) -> str:
    return f"DELETE FROM {own('TABLES')} WHERE PIPELINE_ID = {pipeline_id} AND DESTINATION_ID = {destination_id}"
