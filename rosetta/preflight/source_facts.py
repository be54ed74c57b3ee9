"""The one query that gathers all facts about a source."""

from __future__ import annotations

from rosetta.dialects.postgres import literal
from rosetta.dialects.postgres.catalog import publication_tables_sql, published_from
from rosetta.preflight.failover import failover_facts_sql


def source_facts_sql(publication: str, slot_prefix: str) -> str:
    """One jsonb value for `check_source`; needs no rights beyond signing in.

    Args:
        publication: the publication that is to be read; it need not exist.
        slot_prefix: what the names of this source's slots begin with: they do not count as taken.
    """
    # to_jsonb, because the catalogs gained columns over the versions
    return f"""
SELECT jsonb_build_object(
    'version', current_setting('server_version_num')::int,
    'search_path', current_setting('search_path'),
    'in_recovery', pg_is_in_recovery(),
    'standby_feedback', current_setting('hot_standby_feedback')::boolean,
    'user', current_user,
    'database', current_database(),
    'encoding', current_setting('server_encoding'),
    'wal_level', current_setting('wal_level'),
    'may_replicate', (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)
        OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'rds_replication' AND pg_has_role(r.oid, 'MEMBER')),
    'max_slots', current_setting('max_replication_slots')::int,
    'slots', (SELECT count(*) FROM pg_replication_slots),
    'own_slots', (SELECT count(*) FROM pg_replication_slots WHERE starts_with(slot_name::text, {literal(slot_prefix)})),
    'max_senders', current_setting('max_wal_senders')::int,
    'senders', (SELECT count(*) FROM pg_stat_replication),
    'own_senders', (SELECT count(*) FROM pg_replication_slots
        WHERE starts_with(slot_name::text, {literal(slot_prefix)}) AND active),
    'wal_keep', current_setting('max_slot_wal_keep_size'),
    'slot_idle_timeout', COALESCE(current_setting('idle_replication_slot_timeout', true), '0'),
    {failover_facts_sql(literal(slot_prefix))},
    'publication_name', {literal(publication)},
    'publication', (SELECT to_jsonb(p) FROM pg_publication p WHERE p.pubname = {literal(publication)}),
    'tables', ({publication_tables_sql(publication)}),
    'details', ({_details_sql(publication)}),
    'passed_over', ({_PASSED_OVER_SQL}))"""


def _details_sql(publication: str) -> str:
    """Of each published table what its shape does not tell: rights, filters, and partitions that log otherwise."""
    return f"""
    SELECT COALESCE(jsonb_agg(jsonb_build_object(
        'schema', p.schemaname, 'name', p.tablename, 'row_filter', to_jsonb(p) ->> 'rowfilter',
        'usage', has_schema_privilege(c.relnamespace, 'USAGE'),
        'select', has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
              AND (jsonb_typeof(to_jsonb(p) -> 'attnames') IS DISTINCT FROM 'array'
                   OR to_jsonb(p) -> 'attnames' ? a.attname::text)
              AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')),
        'row_security', row_security_active(c.oid),
        'other_partitions', COALESCE((
            SELECT jsonb_agg(jsonb_build_array(ln.nspname, l.relname) ORDER BY ln.nspname, l.relname)
            FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid
            JOIN pg_namespace ln ON ln.oid = l.relnamespace
            WHERE c.relkind = 'p' AND t.isleaf AND l.relreplident <> c.relreplident), '[]'))), '[]')
    {published_from(publication)}"""


# Tables that no publication can hold: unlogged and foreign ones. (Temporary ones belong to one session.)
_PASSED_OVER_SQL = """
    SELECT COALESCE(jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', c.relname,
        'kind', CASE WHEN c.relkind = 'f' THEN 'foreign' ELSE 'unlogged' END) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND (c.relkind = 'f' OR c.relkind = 'r' AND c.relpersistence = 'u')
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""
