-- A worked example: what a person types to replicate a database. Load it after 001_create_table.sql
-- (or `alembic upgrade head`): psql -f 002_seed_data.sql. Loading it twice changes nothing.
--
-- It fits the servers of docker-compose.yml (source on 5434, target on 5435). Nothing runs yet: the
-- pipeline is paused. The passwords are the development ones; the first service that reads these rows
-- seals them in place.
BEGIN;

-- Where changes come from. The publication `rosetta` must exist there:
--   CREATE PUBLICATION rosetta FOR TABLE customers, orders;
INSERT INTO sources (name, pg_host, pg_port, pg_database, pg_username, pg_password, publication_name, replication_id)
VALUES ('shop', 'localhost', 5434, 'postgres', 'postgres', 'postgres', 'rosetta', 1)
ON CONFLICT (name) DO NOTHING;

-- Where they go: PostgreSQL ...
INSERT INTO destinations (name, type, config)
VALUES ('warehouse', 'POSTGRESQL', '{
    "pg_host": "localhost", "pg_port": 5435, "pg_database": "postgres",
    "pg_username": "postgres", "pg_password": "postgres", "pg_schema": "landing", "sslmode": "prefer"}')
ON CONFLICT (name) DO NOTHING;

-- ... and Snowflake, by the flat columns: a trigger folds them into config. Put your own account in.
INSERT INTO destinations (name, snowflake_account, snowflake_user, snowflake_db, snowflake_schema, snowflake_role,
    snowflake_warehouse, snowflake_private_key_path)
VALUES ('analytics', 'your-account', 'ROSETTA', 'ANALYTICS', 'LANDING', 'ROSETTA_ROLE', 'ROSETTA_WH', 'rsa_key.p8')
ON CONFLICT (name) DO NOTHING;

-- One pipeline, one replication slot (rosetta_1_<pipeline id>). By SQL, status 'START' would start it at once.
INSERT INTO pipelines (name, source_id, destination_id, status)
SELECT 'LANDING_SHOP', s.id, d.id, 'PAUSE' FROM sources s, destinations d
WHERE s.name = 'shop' AND d.name = 'warehouse'
ON CONFLICT (name) DO NOTHING;

-- Every table of the publication is replicated under its own name unless sync_all_tables is turned off;
-- this one is renamed on its way.
INSERT INTO table_syncs (pipeline_destination_id, table_name, target_name)
SELECT pd.id, 'customers', 'customer'
FROM pipelines p JOIN pipeline_destinations pd ON pd.pipeline_id = p.id
WHERE p.name = 'LANDING_SHOP'
ON CONFLICT DO NOTHING;

INSERT INTO presets (source_id, name, definition)
SELECT s.id, 'sales', '{"tables": [{"schema_name": "public", "table_name": "orders"}]}' FROM sources s WHERE s.name = 'shop'
ON CONFLICT DO NOTHING;

INSERT INTO tags (name, color) VALUES ('personal data', '#b45309') ON CONFLICT DO NOTHING;
INSERT INTO table_sync_tags (table_sync_id, tag_id)
SELECT ts.id, t.id FROM table_syncs ts, tags t WHERE ts.table_name = 'customers' AND t.name = 'personal data'
ON CONFLICT DO NOTHING;

COMMIT;

-- SELECT p.name, pm.status, pm.health_status FROM pipelines p JOIN pipeline_metadata pm ON p.id = pm.pipeline_id;
-- UPDATE pipelines SET status = 'START' WHERE name = 'LANDING_SHOP';
