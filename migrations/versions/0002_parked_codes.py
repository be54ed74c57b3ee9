"""What is parked is added up by error code, too: `dlq_totals.error_code`, its trigger, and the index of pages."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DONE = """
SELECT EXISTS (SELECT FROM pg_attribute
               WHERE attrelid = 'dlq_totals'::regclass AND attname = 'error_code' AND NOT attisdropped)
"""
TOTAL_PARKED = """
CREATE OR REPLACE FUNCTION rosetta_total_parked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    touched bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO dlq_totals (pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code,
            state, records, row_count, payload_bytes)
        SELECT pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code, state,
            count(*), sum(row_count), sum(payload_bytes)
        FROM entered GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO dlq_totals (pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code,
            state, records, row_count, payload_bytes)
        SELECT pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code, state,
            -count(*), -sum(row_count), -sum(payload_bytes)
        -- records that go with their pipeline: rosetta_forget_totals was here before
        FROM gone WHERE EXISTS (SELECT FROM pipelines WHERE pipelines.id = gone.pipeline_id)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    ELSE
        INSERT INTO dlq_totals (pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code,
            state, records, row_count, payload_bytes)
        SELECT pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code, state,
            sum(side), sum(side * row_count), sum(side * payload_bytes)
        FROM (SELECT 1 AS side, * FROM entered UNION ALL SELECT -1, * FROM gone) AS changed
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        HAVING sum(side) <> 0 OR sum(side * row_count) <> 0 OR sum(side * payload_bytes) <> 0;
    END IF;
    IF random() >= 0.01 OR current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        touched := (SELECT pipeline_id FROM gone LIMIT 1);
    ELSE
        touched := (SELECT pipeline_id FROM entered LIMIT 1);
    END IF;
    WITH taken AS (
        DELETE FROM dlq_totals WHERE id IN (
            SELECT id FROM dlq_totals WHERE pipeline_id = touched LIMIT 10000 FOR UPDATE SKIP LOCKED)
        RETURNING *)
    INSERT INTO dlq_totals (pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code,
        state, records, row_count, payload_bytes)
    SELECT pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code, state,
        sum(records), sum(row_count), sum(payload_bytes)
    FROM taken GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    HAVING sum(records) <> 0 OR sum(row_count) <> 0 OR sum(payload_bytes) <> 0;
    RETURN NULL;
END $$;
"""
COUNT_AGAIN = """
DELETE FROM dlq_totals;
INSERT INTO dlq_totals (pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code,
    state, records, row_count, payload_bytes)
SELECT pipeline_id, destination_id, schema_name, table_name, kind, error_class, error_code, state,
    count(*), sum(row_count), sum(payload_bytes)
FROM dlq_records GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
"""
PAGES = """
DROP INDEX dlq_records_page;
CREATE INDEX dlq_records_page ON dlq_records (pipeline_id, destination_id, id)
    INCLUDE (state, error_class, error_code, kind, schema_name, table_name);
"""


def upgrade() -> None:
    if op.get_context().as_sql:  # the file of 0001, which was printed, has it
        return
    if op.get_bind().exec_driver_sql(DONE).scalar():
        return
    # Nobody parks meanwhile.
    _run("LOCK TABLE dlq_records IN SHARE ROW EXCLUSIVE MODE; ALTER TABLE dlq_totals ADD COLUMN error_code text;")
    _run(TOTAL_PARKED + COUNT_AGAIN + PAGES)


def downgrade() -> None:
    _run("LOCK TABLE dlq_records IN SHARE ROW EXCLUSIVE MODE;")
    _run(_without_codes(TOTAL_PARKED) + _without_codes(PAGES))
    _run("ALTER TABLE dlq_totals DROP COLUMN error_code;")  # the rows of one class stay apart, their sum is the same


def _without_codes(statement: str) -> str:
    return statement.replace(" error_code,", "").replace("7, 8", "7")


def _run(statements: str) -> None:
    # Without parameters: the statements have percent signs of their own, or may have.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
