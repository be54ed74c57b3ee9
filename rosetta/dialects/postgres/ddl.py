"""Creating and extending target tables, and Rosetta's own tables beside them. Pure SQL text; nothing is dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rosetta.dialects.postgres.merge_table import OWN_SCHEMA
from rosetta.dialects.postgres.text import literal, qualified, quoted
from rosetta.enums import DeleteMode, SyncMode
from rosetta.identifiers import TableId
from rosetta.types import TableSchema

# Held while anything is created, so that two writers that start together do not collide in the catalog.
DDL_LOCK: Final = "SELECT pg_advisory_xact_lock(7216391452069376001)"

OWN_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS {OWN_SCHEMA}.progress (
  pipeline_id bigint, destination_id bigint, commit_lsn pg_lsn, change_lsn pg_lsn, ordinal bigint,
  epoch bigint NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pipeline_id, destination_id));
CREATE TABLE IF NOT EXISTS {OWN_SCHEMA}.tables (
  target_schema text, target_name text, pipeline_id bigint NOT NULL, destination_id bigint NOT NULL,
  sync_id bigint NOT NULL, source_schema text NOT NULL, source_name text NOT NULL,
  copied_since timestamptz, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (target_schema, target_name));
ALTER TABLE {OWN_SCHEMA}.tables
  ADD COLUMN IF NOT EXISTS source_shape jsonb, ADD COLUMN IF NOT EXISTS source_storage text,
  ADD COLUMN IF NOT EXISTS outdated boolean NOT NULL DEFAULT false;
"""
# Whether they are there, as this version needs them.
OWN_TABLES_FOUND: Final = f"""
SELECT to_regclass('{OWN_SCHEMA}.progress') IS NOT NULL AND EXISTS (SELECT FROM pg_attribute
  WHERE attrelid = to_regclass('{OWN_SCHEMA}.tables') AND attname = 'outdated' AND NOT attisdropped)"""

# No `_rosetta_synced_at` of the stream is later than this, whatever the server's clock does.
_MOVE_CLOCK: Final = "updated_at = greatest(updated_at, now())"

_VERSION: Final = {
    "_rosetta_lsn": "bigint NOT NULL DEFAULT 0",
    "_rosetta_seq": "bigint NOT NULL DEFAULT 0",
    "_rosetta_xid": "bigint NOT NULL DEFAULT 0",
    "_rosetta_synced_at": "timestamptz NOT NULL DEFAULT now()",
}
_HISTORY: Final = {
    "_rosetta_op": "text NOT NULL",
    **_VERSION,
    "_rosetta_source_ts": "timestamptz",
    "_rosetta_unchanged": "text[]",
}


def own_columns(mode: SyncMode, delete_mode: DeleteMode) -> Mapping[str, str]:
    """The columns that Rosetta adds to a target, with their declarations.

    In append mode `_rosetta_unchanged` names the columns that a change left as they were without sending
    them (unchanged TOAST), so that their NULL is not taken for the value.
    """
    if mode is SyncMode.APPEND:
        return _HISTORY
    if delete_mode is DeleteMode.SOFT:
        return {**_VERSION, "_rosetta_deleted": "boolean NOT NULL DEFAULT false"}
    return _VERSION


def target_key(schema: TableSchema, mode: SyncMode) -> tuple[str, ...]:
    """What a row of the target is unique by; empty: by nothing."""
    return ("_rosetta_lsn", "_rosetta_seq") if mode is SyncMode.APPEND else schema.key


def create_table_sql(
    target: TableId, schema: TableSchema, types: Mapping[str, str], mode: SyncMode, delete_mode: DeleteMode
) -> str:
    """The target table: the source's columns in its order with `types` by name, NOT NULL on the key alone."""
    key = target_key(schema, mode)
    lines = [f"{quoted(name)} {types[name]}{' NOT NULL' if name in key else ''}" for name in schema.column_names]
    lines += [f"{quoted(name)} {declaration}" for name, declaration in own_columns(mode, delete_mode).items()]
    if key:
        lines.append(f"PRIMARY KEY ({', '.join(quoted(name) for name in key)})")
    statement = f"CREATE TABLE {qualified(target)} ({', '.join(lines)})"
    if mode is SyncMode.APPEND and schema.key:
        # Finds the copied row of a key when a chunk is read again; costs the stream nothing.
        names = ", ".join(quoted(name) for name in schema.key)
        statement += f";\nCREATE INDEX ON {qualified(target)} ({names}) WHERE _rosetta_lsn = 0"
    return statement


def add_columns_sql(target: TableId, declarations: Mapping[str, str]) -> str:
    added = ", ".join(f"ADD COLUMN {quoted(name)} {declaration}" for name, declaration in declarations.items())
    return f"ALTER TABLE {qualified(target)} {added}"


def claim_table_sql(target: TableId, source: TableId, pipeline_id: int, destination_id: int, sync_id: int) -> str:
    """Enters who writes a target; answers the present owner (pipeline, destination, source schema, source name).

    With it comes what the source was when the target was last made to fit: shape, storage, and whether rows of the
    target have missed something since.
    """
    return f"""
INSERT INTO {OWN_SCHEMA}.tables AS t
  (target_schema, target_name, pipeline_id, destination_id, sync_id, source_schema, source_name)
VALUES ({literal(target.schema)}, {literal(target.name)}, {pipeline_id}, {destination_id}, {sync_id},
  {literal(source.schema)}, {literal(source.name)})
ON CONFLICT (target_schema, target_name) DO UPDATE SET sync_id = CASE
  WHEN t.pipeline_id = excluded.pipeline_id AND t.destination_id = excluded.destination_id
  THEN excluded.sync_id ELSE t.sync_id END
RETURNING t.pipeline_id, t.destination_id, t.source_schema, t.source_name,
  t.source_shape, t.source_storage, t.outdated"""


def remember_source_sql(target: TableId, shape: str, storage: str, *, outdated: bool) -> str:
    """Notes what the source is now that the target fits it."""
    return (
        f"UPDATE {OWN_SCHEMA}.tables SET source_shape = {literal(shape)}, source_storage = {literal(storage)}, "
        f"outdated = {outdated} WHERE target_schema = {literal(target.schema)} AND target_name = {literal(target.name)}"
    )


def column_sql(type_name: str, missing: str | None) -> str:
    """How a column that joins a table with rows is declared; `missing` is what they have in it.

    The default stays: rows that were written before the column was there may still come, and do not name it.
    """
    return type_name if missing is None else f"{type_name} DEFAULT {literal(missing)}"


def alter_types_sql(target: TableId, types: Mapping[str, str]) -> str:
    """Gives columns other types, in one pass over the table."""
    altered = ", ".join(f"ALTER COLUMN {quoted(name)} TYPE {type_name}" for name, type_name in types.items())
    return f"ALTER TABLE {qualified(target)} {altered}"


def release_table_sql(target: TableId) -> str:
    """What a person runs to give a target to another writer."""
    return (
        f"DELETE FROM {OWN_SCHEMA}.tables WHERE target_schema = {literal(target.schema)} "
        f"AND target_name = {literal(target.name)};"
    )


def fence_sql(pipeline_id: int, destination_id: int, epoch: int) -> str:
    """Takes the fence; answers a row unless a newer epoch holds it."""
    return (
        f"INSERT INTO {OWN_SCHEMA}.progress AS p (pipeline_id, destination_id, epoch) "
        f"VALUES ({pipeline_id}, {destination_id}, {epoch}) ON CONFLICT (pipeline_id, destination_id) "
        "DO UPDATE SET epoch = excluded.epoch WHERE p.epoch <= excluded.epoch RETURNING p.epoch"
    )


def read_progress_sql(pipeline_id: int, destination_id: int, *, lock: bool) -> str:
    """Epoch and position; `lock` keeps a newer writer out until the transaction ends."""
    return (
        f"SELECT epoch, commit_lsn::text, change_lsn::text, ordinal FROM {OWN_SCHEMA}.progress "
        f"WHERE pipeline_id = {pipeline_id} AND destination_id = {destination_id}{' FOR UPDATE' if lock else ''}"
    )


def write_progress_sql(pipeline_id: int, destination_id: int, position: tuple[str, str, int]) -> str:
    commit_lsn, change_lsn, ordinal = position
    return (
        f"UPDATE {OWN_SCHEMA}.progress SET commit_lsn = {literal(commit_lsn)}, change_lsn = {literal(change_lsn)}, "
        f"ordinal = {ordinal}, {_MOVE_CLOCK} "
        f"WHERE pipeline_id = {pipeline_id} AND destination_id = {destination_id}"
    )


def prepare_claim_sql(pipeline_id: int, destination_id: int, epoch: int) -> str:
    """For the session: what `claim_progress_sql` runs, for planning it costs more than a small batch does."""
    return (
        "DEALLOCATE ALL; PREPARE rosetta_claim (pg_lsn, pg_lsn, bigint, pg_lsn, pg_lsn, bigint) AS WITH moved AS ("
        f"UPDATE {OWN_SCHEMA}.progress SET commit_lsn = $4, change_lsn = $5, ordinal = $6, {_MOVE_CLOCK} "
        f"WHERE pipeline_id = {pipeline_id} AND destination_id = {destination_id} AND epoch = {epoch} "
        "AND commit_lsn = $1 AND change_lsn = $2 AND ordinal = $3 RETURNING 1) SELECT 1 / count(*) FROM moved"
    )


def claim_progress_sql(known: tuple[str, str, int], position: tuple[str, str, int]) -> str:
    """Opens a transaction and moves the position; a division by zero unless epoch and position were as is said.

    The epoch is what `prepare_claim_sql` was told in this session.
    """
    places = ", ".join(
        f"{literal(commit)}, {literal(change)}, {ordinal}" for commit, change, ordinal in (known, position)
    )
    return f"BEGIN; EXECUTE rosetta_claim ({places})"


def touch_progress_sql(pipeline_id: int, destination_id: int) -> str:
    """Notes that something was written without moving the position."""
    return (
        f"UPDATE {OWN_SCHEMA}.progress SET {_MOVE_CLOCK} "
        f"WHERE pipeline_id = {pipeline_id} AND destination_id = {destination_id}"
    )


def mark_copy_sql(target: TableId, pipeline_id: int, destination_id: int) -> str:
    """Notes that rows written before now are not to be trusted until a chunk confirms them.

    The mark lies behind every `_rosetta_synced_at` this stream has written, also where the clock went back.
    """
    return (
        f"UPDATE {OWN_SCHEMA}.tables SET copied_since = "
        "(SELECT greatest(now(), updated_at + interval '1 microsecond') "
        f"FROM {OWN_SCHEMA}.progress WHERE pipeline_id = {pipeline_id} AND destination_id = {destination_id}) "
        f"WHERE target_schema = {literal(target.schema)} AND target_name = {literal(target.name)}"
    )


def end_former_writers_sql(application: str) -> str:
    """Ends sessions of an earlier writer of the same stream that still hold the fence's row."""
    return (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user "
        f"AND application_name = {literal(application)} AND pid <> pg_backend_pid()"
    )


def own_schema_grant(user: str, database: str) -> str:
    """What a person runs so that Rosetta can keep its own tables in a target."""
    return (
        f"GRANT CREATE, TEMPORARY ON DATABASE {quoted(database)} TO {quoted(user)}; "
        f"or, as a superuser: CREATE SCHEMA {OWN_SCHEMA} AUTHORIZATION {quoted(user)};"
    )
