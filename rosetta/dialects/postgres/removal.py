"""What a pipeline keeps beside its tables in a target, and how it is removed. Pure SQL text."""

from __future__ import annotations

from rosetta.dialects.postgres.ddl import DDL_LOCK
from rosetta.dialects.postgres.merge_table import OWN_SCHEMA
from rosetta.dialects.postgres.text import literal


def own_tables_exist_sql() -> str:
    """Whether Rosetta has ever written to this database."""
    return f"SELECT to_regclass('{OWN_SCHEMA}.progress') IS NOT NULL AND to_regclass('{OWN_SCHEMA}.tables') IS NOT NULL"


def remove_traces_sql(pipeline_id: int, destination_id: int) -> str:
    """Position, fence, claims and side tables of one pipeline at one destination; its target tables stay.

    All or nothing, and harmless when it is done again.
    """
    pair = f"pipeline_id = {pipeline_id} AND destination_id = {destination_id}"
    names = literal(f"_{pipeline_id}_{destination_id}_[0-9]+$")
    return f"""
BEGIN;
SET LOCAL lock_timeout = '5s';
{DDL_LOCK};
DO $$
DECLARE
    side regclass;
BEGIN
    FOR side IN SELECT oid::regclass FROM pg_class
                WHERE relnamespace = '{OWN_SCHEMA}'::regnamespace AND relkind = 'r' AND relname ~ {names} LOOP
        EXECUTE format('DROP TABLE %s', side);
    END LOOP;
END $$;
DELETE FROM {OWN_SCHEMA}.tables WHERE {pair};
DELETE FROM {OWN_SCHEMA}.progress WHERE {pair};
COMMIT"""
