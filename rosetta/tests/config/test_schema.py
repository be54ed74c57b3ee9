"""One schema, however it was made: by psql, by Alembic, or as the mapping describes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import NullPool, create_engine

from rosetta import enums
from rosetta.database import sync_url
from rosetta.errors import ConfigurationError, OutageError
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.migrate import configuration, upgrade
from rosetta.tables import Base, OneOf
from rosetta.tests.config.catalog import BEHAVIOUR, STRUCTURE, snapshot
from rosetta.tests.config.conftest import REPOSITORY, SCHEMA_FILE

pytestmark = pytest.mark.integration

EVERYTHING = {**STRUCTURE, **BEHAVIOUR}


def stamped(cluster: PostgresCluster, database: str) -> list[str]:
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        return [version for (version,) in cursor.fetchall()]


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, from backend/, with nothing but DATABASE_URL."""
    environment = {**os.environ, "DATABASE_URL": url}
    environment.pop("CONFIG_DATABASE_URL", None)
    return subprocess.run(
        [Path(sys.executable).with_name("alembic"), *arguments],
        cwd=REPOSITORY / "backend",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_psql_and_alembic_give_the_identical_schema(
    cluster: PostgresCluster, psql_database: str, migrated_database: str
) -> None:
    by_psql = snapshot(cluster, psql_database, EVERYTHING)
    assert len(by_psql["triggers"]) > 30
    assert by_psql == snapshot(cluster, migrated_database, EVERYTHING)


def test_mapping_gives_the_identical_schema(
    cluster: PostgresCluster, psql_database: str, new_database: Callable[[], str]
) -> None:
    mapped = new_database()
    engine = create_engine(sync_url(cluster.dsn(mapped)), poolclass=NullPool)
    Base.metadata.create_all(engine)
    by_psql, by_mapping = (snapshot(cluster, name, STRUCTURE) for name in (psql_database, mapped))
    for part in STRUCTURE:
        assert by_psql[part] == by_mapping[part], part


def test_alembic_check_sees_no_drift(cluster: PostgresCluster, migrated_database: str) -> None:
    command.check(configuration(cluster.dsn(migrated_database)))


def test_alembic_check_would_see_drift(cluster: PostgresCluster, migrated_database: str) -> None:
    with closing(cluster.connect(migrated_database)) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE wal_monitor ALTER current_lsn TYPE text, DROP COLUMN last_error")
        cursor.execute("DROP INDEX dlq_records_page")
    checked = alembic(cluster.dsn(migrated_database), "check")
    assert checked.returncode != 0
    assert "wal_monitor" in checked.stderr
    assert "dlq_records_page" in checked.stderr


def test_upgrade_downgrade_upgrade_is_clean(cluster: PostgresCluster, migrated_database: str) -> None:
    before = snapshot(cluster, migrated_database, EVERYTHING)
    config = configuration(cluster.dsn(migrated_database))
    command.downgrade(config, "base")
    assert not any(snapshot(cluster, migrated_database, EVERYTHING).values())
    command.upgrade(config, "head")
    assert snapshot(cluster, migrated_database, EVERYTHING) == before


def test_psql_then_alembic_only_stamps(cluster: PostgresCluster, psql_database: str) -> None:
    with closing(cluster.connect(psql_database)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO settings (key, value) VALUES ('kept', 'true')")
        before = snapshot(cluster, psql_database, EVERYTHING)
        upgrade(cluster.dsn(psql_database))
        cursor.execute("SELECT value FROM settings WHERE key = 'kept'")
        assert cursor.fetchone() == (True,)
    assert stamped(cluster, psql_database) == ["0002"]
    assert snapshot(cluster, psql_database, EVERYTHING) == before


def test_what_was_parked_before_codes_were_counted_is_counted_by_them(
    cluster: PostgresCluster, new_database: Callable[[], str]
) -> None:
    database = new_database()
    upgrade(cluster.dsn(database))
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:

        def park(code: str, place: str) -> None:
            cursor.execute(
                "INSERT INTO dlq_records (pipeline_id, source_id, destination_id, schema_name, table_name, kind,"
                " commit_lsn, change_lsn, ordinal, payload, payload_bytes, error_class, error_code, error_message)"
                " VALUES (1, 1, 1, 's', 't', 'RECORD', %s, %s, 0, '', 10, 'DATA', %s, 'refused')",
                (place, place, code),
            )

        # The records need no pipeline here.
        cursor.execute(
            "ALTER TABLE dlq_records DROP CONSTRAINT dlq_records_pipeline_id_fkey,"
            " DROP CONSTRAINT dlq_records_source_id_fkey, DROP CONSTRAINT dlq_records_destination_id_fkey"
        )
        now = snapshot(cluster, database, EVERYTHING)
        command.downgrade(configuration(cluster.dsn(database)), "0001")
        park("PG_23514", "0/1")
        park("PG_23514", "0/2")
        assert snapshot(cluster, database, EVERYTHING) != now
        upgrade(cluster.dsn(database))
        park("PG_23505", "0/3")
        cursor.execute(
            "SELECT error_code, sum(records)::int, sum(payload_bytes)::int FROM dlq_totals GROUP BY 1 ORDER BY 1"
        )
        assert cursor.fetchall() == [("PG_23505", 1, 10), ("PG_23514", 2, 20)]
    then = snapshot(cluster, database, EVERYTHING)
    # A column that was dropped keeps its number.
    assert [(table, *rest) for table, _, *rest in then.pop("columns")] == [
        (table, *rest) for table, _, *rest in now.pop("columns")
    ]
    assert then == now


def test_a_broken_off_psql_run_is_refused(cluster: PostgresCluster, new_database: Callable[[], str]) -> None:
    database = new_database()
    text = SCHEMA_FILE.read_text()
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(text[: text.index("CREATE TABLE pipelines")])
    with pytest.raises(ConfigurationError, match="broken off") as refused:
        upgrade(cluster.dsn(database))
    assert refused.value.remedy


def test_what_0001_takes_for_the_end_of_the_file_is_its_end() -> None:
    assert (
        SCHEMA_FILE.read_text()
        .strip()
        .splitlines()[-1]
        .startswith("CREATE TRIGGER notify_update AFTER UPDATE ON settings")
    )


def test_two_services_may_migrate_at_once(cluster: PostgresCluster, new_database: Callable[[], str]) -> None:
    database = new_database()
    url = cluster.dsn(database)
    code = "import sys; from rosetta.migrate import upgrade; sys.stdin.readline(); upgrade(sys.argv[1])"
    services = [
        subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
        )
        for _ in range(4)
    ]
    for service in services:
        assert service.stdin
        service.stdin.write(b"go\n")
        service.stdin.flush()
    for service in services:
        _, errors = service.communicate(timeout=60)
        assert service.returncode == 0, errors.decode()
    assert stamped(cluster, database) == ["0002"]
    assert len(snapshot(cluster, database, STRUCTURE)["tables"]) >= len(Base.metadata.tables)


def test_the_commands_of_the_documents_work_in_backend(
    cluster: PostgresCluster, new_database: Callable[[], str]
) -> None:
    database = new_database()
    for scheme, arguments in (
        ("postgres", ("upgrade", "head")),
        ("postgresql", ("check",)),
        ("postgresql+asyncpg", ("downgrade", "-1")),
        ("postgresql+psycopg2", ("upgrade", "head")),
    ):
        done = alembic(cluster.dsn(database).replace("postgresql", scheme, 1), *arguments)
        assert done.returncode == 0, done.stderr
    assert stamped(cluster, database) == ["0002"]


def test_autogenerate_writes_the_next_numbered_revision(
    cluster: PostgresCluster, migrated_database: str, tmp_path: Path
) -> None:
    with closing(cluster.connect(migrated_database)) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE users DROP COLUMN role, DROP COLUMN last_login_at")
    config = configuration(cluster.dsn(migrated_database))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    versions = config.get_main_option("script_location", "") + "/versions"
    config.set_main_option("version_locations", f"{versions}{os.pathsep}{tmp_path}")
    command.revision(config, "add a column", autogenerate=True, version_path=str(tmp_path))
    written = (tmp_path / "0003_add_a_column.py").read_text()
    assert "sa.Column('role', sa.Text()" in written
    compile(written, "0003", "exec")


def test_offline_mode_prints_the_schema(
    cluster: PostgresCluster,
    new_database: Callable[[], str],
    tmp_path: Path,
    psql: Callable[[str, Path], None],
    psql_database: str,
) -> None:
    printed = alembic(cluster.dsn(), "upgrade", "head", "--sql")
    assert printed.returncode == 0, printed.stderr
    script = tmp_path / "offline.sql"
    script.write_text(printed.stdout)
    database = new_database()
    psql(database, script)
    assert snapshot(cluster, database, EVERYTHING) == snapshot(cluster, psql_database, EVERYTHING)


def test_an_unreachable_database_is_an_outage_and_shows_no_password() -> None:
    with pytest.raises(OutageError) as raised:
        upgrade(f"postgresql://rosetta:hunter2-canary@127.0.0.1:{free_port()}/config")
    assert "hunter2-canary" not in str(raised.value)


def test_a_database_of_a_newer_version_is_refused(cluster: PostgresCluster, migrated_database: str) -> None:
    with closing(cluster.connect(migrated_database)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        upgrade(cluster.dsn(migrated_database))


def test_enumerations_equal_the_check_constraints(cluster: PostgresCluster, psql_database: str) -> None:
    """Every CHECK that lists values stands for an enumeration, every enumeration of the mapping for a CHECK."""
    listed = {}
    for table, _, kind, definition, *_ in snapshot(cluster, psql_database, STRUCTURE)["constraints"]:
        found = re.fullmatch(r"CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)", definition)
        if kind == "c" and found and "jsonb_typeof" not in definition:
            listed[table, found[1]] = re.findall(r"'([^']*)'::text", found[2])
    mapped = {
        (table.name, column.name): [member.value for member in column.type.values]
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, OneOf)
    }
    assert listed == mapped
    used = {
        column.type.values
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, OneOf)
    }
    declared = {item for item in vars(enums).values() if isinstance(item, type) and item.__module__ == enums.__name__}
    assert declared - used == {enums.ReplicaIdentity}, "an enumeration that no column has"
