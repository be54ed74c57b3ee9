"""Replaying parked changes behind the position: what the target has newer, and what was replayed before. SQL text."""

from __future__ import annotations

from typing import Final

from rosetta.dialects.postgres.merge import version
from rosetta.dialects.postgres.merge_table import OWN_SCHEMA, MergeTable

# A table without a key cannot tell a change that it has from one that it lacks, so each replayed change is noted.
# Only a replay whose outcome the writer did not learn comes again, and that within minutes.
_KEPT_FOR: Final = "7 days"

NOTES_FOUND: Final = f"SELECT to_regclass('{OWN_SCHEMA}.replays') IS NOT NULL"
CREATE_NOTES: Final = f"""
CREATE TABLE IF NOT EXISTS {OWN_SCHEMA}.replays (
  pipeline_id bigint, destination_id bigint, sync_id bigint, lsn bigint, seq bigint,
  replayed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pipeline_id, destination_id, sync_id, lsn, seq))"""


def stale_sql(table: MergeTable, *, copying: bool) -> str:
    """Ids (_lsn, _seq) of the staged changes whose target row, or its tombstone, is newer."""
    newer = (
        f"SELECT s._lsn, s._seq FROM {table.staging} s, {table.name} t "
        f"WHERE {table.equal(table.target_key('t.'), table.staged_key('s.'))} AND {version()} > (s._lsn, s._seq)"
    )
    return f"{newer} UNION SELECT s._lsn, s._seq {_buried(table)}" if copying else newer


def drop_known_sql(table: MergeTable, *, copying: bool) -> str:
    """Drops the staged rows that the target has in this very version, and those that something newer has deleted.

    The row that a change was made from is gone once the change is applied: it must not be looked for again.
    """
    statement = (
        f"DELETE FROM {table.staging} s USING {table.name} t WHERE s._op <> 'd' AND "
        f"{table.equal(table.target_key('t.'), table.staged_key('s.'))} AND {version()} = (s._lsn, s._seq)"
    )
    if not copying:
        return statement
    buried = f"DELETE FROM {table.staging} WHERE (_lsn, _seq) IN (SELECT s._lsn, s._seq {_buried(table)})"
    return f"{statement};\n{buried}"


def _buried(table: MergeTable) -> str:
    return (
        f"FROM {table.staging} s, {table.tombstones} d "
        f"WHERE {table.equal(table.side_key('d.'), table.staged_key('s.'))} AND (d._lsn, d._seq) > (s._lsn, s._seq)"
    )


def note_sql(table: MergeTable, owner: tuple[int, int, int]) -> str:
    """Drops the staged changes that were replayed before, and notes the others.

    `owner`: pipeline, destination, sync.
    """
    pipeline_id, destination_id, sync_id = owner
    mine = f"pipeline_id = {pipeline_id} AND destination_id = {destination_id} AND sync_id = {sync_id}"
    return (
        f"DELETE FROM {table.staging} s USING {OWN_SCHEMA}.replays r "
        f"WHERE {mine} AND r.lsn = s._lsn AND r.seq = s._seq;\n"
        f"INSERT INTO {OWN_SCHEMA}.replays (pipeline_id, destination_id, sync_id, lsn, seq) "
        f"SELECT {pipeline_id}, {destination_id}, {sync_id}, _lsn, _seq FROM {table.staging};\n"
        f"DELETE FROM {OWN_SCHEMA}.replays WHERE {mine} AND replayed_at < now() - interval '{_KEPT_FOR}'"
    )


def empty_older_sql(table: MergeTable, lsn: int) -> str:
    """What a replayed TRUNCATE does: empties the table of everything up to `lsn`."""
    if table.soft_delete:
        return (
            f"UPDATE {table.name} SET _rosetta_deleted = true, _rosetta_synced_at = now() "
            f"WHERE NOT _rosetta_deleted AND _rosetta_lsn <= {lsn}"
        )
    return f"DELETE FROM {table.name} WHERE _rosetta_lsn <= {lsn}"
