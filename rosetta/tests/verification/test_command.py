"""`rosetta verify`, with a config database and without."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json
from typer.testing import CliRunner, Result

from rosetta.cli.commands import app
from rosetta.local.postgres import PostgresCluster
from rosetta.local.settings import local_settings
from rosetta.sealed import config_binding, source_binding
from rosetta.secrets import Keyring

from .conftest import Pair

pytestmark = pytest.mark.integration

SECRET_KEY = "verification test key, 48 characters or thereabouts"
TABLES = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.orders (id bigint PRIMARY KEY, note text); CREATE TABLE shop.events (id bigint PRIMARY KEY);
    CREATE TABLE shop.people (id bigint PRIMARY KEY, name text);
    INSERT INTO shop.orders SELECT g, 'n' || g FROM generate_series(1, 10) g;
    INSERT INTO shop.people VALUES (1, 'x'), (2, 'y');
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", *arguments], env={"COLUMNS": "200"})


def report(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == found["exit_code"]
    return found


@pytest.fixture
def replicated(pair: Pair) -> Pair:
    pair.run_both(TABLES)
    pair.source.run("CREATE PUBLICATION everything FOR TABLES IN SCHEMA shop")
    return pair


@pytest.fixture
def config(
    replicated: Pair, cluster: PostgresCluster, new_config_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """A config database with one pipeline, its secrets sealed; runs SQL in it."""
    url = cluster.dsn(new_config_database())
    keyring = Keyring.from_secret_key(SECRET_KEY)
    source, target = replicated.source.endpoint, replicated.target.endpoint
    settings = {
        "pg_host": target.host,
        "pg_port": target.port,
        "pg_database": target.database,
        "pg_username": target.user,
        "pg_password": keyring.seal(target.password, config_binding(1, "pg_password")),
        "sslmode": "disable",
    }

    def execute(sql: str, *parameters: object) -> None:
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)

    execute(
        """INSERT INTO sources (id, name, pg_host, pg_port, pg_database, pg_username, pg_password, publication_name,
             replication_id, sslmode) VALUES (1, 'shop', %s, %s, %s, %s, %s, 'everything', 1, 'disable')""",
        *(source.host, source.port, source.database, source.user),
        keyring.seal(source.password, source_binding(1)),
    )
    execute("INSERT INTO destinations (id, name, type, config) VALUES (1, 'copy', 'POSTGRESQL', %s)", Json(settings))
    execute("INSERT INTO pipelines (id, name, source_id, destination_id) VALUES (1, 'SHOP', 1, 1)")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    local_settings.cache_clear()
    yield execute
    local_settings.cache_clear()


def test_a_pipeline_of_all_published_tables(config: Callable[..., None], replicated: Pair) -> None:
    found = report("SHOP")
    assert (found["version"], found["outcome"], found["exit_code"]) == (1, "EQUAL", 0)
    (destination,) = found["pipelines"][0]["destinations"]
    assert destination["destination"] == "copy"
    assert [table["source"] for table in destination["tables"]] == ["shop.events", "shop.orders", "shop.people"]
    replicated.target.run("UPDATE shop.orders SET note = 'wrong' WHERE id = 4; DELETE FROM shop.people WHERE id = 2")
    found = report("SHOP", "--deadline-seconds", "0")
    assert found["exit_code"] == 1
    (destination,) = found["pipelines"][0]["destinations"]
    assert [table["difference_count"] for table in destination["tables"]] == [0, 1, 1]
    assert destination["repair"] == [
        {"source": "shop.orders", "target": "shop.orders", "key_columns": ["id"], "keys": [["4"]]},
        {"source": "shop.people", "target": "shop.people", "key_columns": ["id"], "keys": [["2"]]},
    ]
    only = report("SHOP", "--table", "shop.events", "--destination", "copy")
    assert (only["outcome"], len(only["pipelines"][0]["destinations"][0]["tables"])) == ("EQUAL", 1)


def test_the_human_form_names_keys_and_columns_but_no_value(config: Callable[..., None], replicated: Pair) -> None:
    replicated.target.run("UPDATE shop.orders SET note = 'canary-value' WHERE id = 4")
    result = run("--deadline-seconds", "0")
    assert result.exit_code == 1
    assert "changed id='4': note" in result.stdout
    assert "canary" not in result.output
    assert "'n4' -> 'canary-value'" in run("--deadline-seconds", "0", "--show-values").stdout


def test_renames_selections_and_what_cannot_be_compared(config: Callable[..., None], replicated: Pair) -> None:
    replicated.target.run("""
        CREATE SCHEMA landing; ALTER TABLE shop.orders SET SCHEMA landing; CREATE SCHEMA other;
        ALTER TABLE shop.people SET SCHEMA other; ALTER TABLE other.people RENAME TO persons;
        ALTER TABLE other.persons DROP COLUMN name;
        ALTER TABLE shop.events SET SCHEMA landing; DELETE FROM landing.events WHERE id <= 3""")
    config('UPDATE destinations SET config = config || \'{"pg_schema": "landing"}\'')
    config("""
        INSERT INTO table_syncs (pipeline_destination_id, schema_name, table_name, target_schema, target_name, columns,
                                 filters)
        VALUES (1, 'shop', 'people', 'other', 'persons', '["id"]', '[]'),
               (1, 'shop', 'events', NULL, NULL, NULL, '["id > 3"]'), (1, 'shop', 'gone', NULL, NULL, NULL, '[]')""")
    config("""
        INSERT INTO table_syncs (pipeline_destination_id, schema_name, table_name, target_name, custom_sql)
        VALUES (1, 'shop', 'people', 'computed', 'SELECT id FROM batch')""")
    found = report("SHOP")
    assert found["exit_code"] == 2
    tables = {table["target"]: table for table in found["pipelines"][0]["destinations"][0]["tables"]}
    assert {name: table["outcome"] for name, table in tables.items()} == {
        "landing.orders": "EQUAL",
        "other.persons": "EQUAL",
        "landing.events": "EQUAL",
        "landing.computed": "NOT_COMPARED",
        "landing.gone": "NOT_COMPARED",
    }
    assert "custom_sql" in tables["landing.computed"]["reason"]
    assert "publication" in tables["landing.gone"]["reason"]


def test_a_destination_of_another_kind_is_not_compared(config: Callable[..., None]) -> None:
    config("INSERT INTO destinations (id, name, type) VALUES (2, 'snow', 'SNOWFLAKE')")
    config("INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (1, 2)")
    found = report("SHOP")
    assert [d["outcome"] for d in found["pipelines"][0]["destinations"]] == ["EQUAL", "NOT_COMPARED"]
    assert found["exit_code"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["NOWHERE"], "no pipeline"),
        (["SHOP", "--destination", "nowhere"], "no destination"),
        (["--source-url", "postgresql://u:canary@h/d"], "go together"),
    ],
)
def test_what_cannot_be_meant_exits_with_2(config: Callable[..., None], arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "canary" not in result.output


def test_a_table_that_is_not_replicated_is_said_so(config: Callable[..., None]) -> None:
    found = report("SHOP", "--table", "shop.nothing")
    assert found["exit_code"] == 2
    assert found["pipelines"][0]["destinations"][0]["tables"][0]["reason"] == "it is not replicated"


def test_a_wrong_key_says_so(config: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "another key altogether, of about forty characters")
    local_settings.cache_clear()
    found = report("SHOP")
    assert (found["exit_code"], found["pipelines"][0]["outcome"]) == (2, "NOT_COMPARED")
    assert found["pipelines"][0]["reason"]


def test_two_databases_without_a_config_database(replicated: Pair) -> None:
    def url(name: str) -> str:
        return replicated.source.cluster.dsn(name)

    source, target = url(replicated.source.name), url(replicated.target.name)
    direct = ("--source-url", source, "--target-url", target, "--publication", "everything")
    assert report(*direct)["outcome"] == "EQUAL"
    replicated.target.run("TRUNCATE shop.people")
    found = report(*direct, "--table", "shop.people", "--deadline-seconds", "0")
    assert found["pipelines"][0]["destinations"][0]["tables"][0]["difference_count"] == 2


def test_a_publications_row_filter_and_column_list_are_honoured(replicated: Pair) -> None:
    replicated.source.run("""
        CREATE PUBLICATION a_part FOR TABLE shop.orders WHERE (id > 5), shop.people (id)""")
    replicated.target.run("DELETE FROM shop.orders WHERE id <= 5; UPDATE shop.people SET name = NULL")
    urls = [replicated.source.cluster.dsn(database.name) for database in (replicated.source, replicated.target)]
    direct = ("--source-url", urls[0], "--target-url", urls[1], "--publication", "a_part")
    assert report(*direct)["outcome"] == "EQUAL"
    replicated.target.run("DELETE FROM shop.orders WHERE id = 7")
    assert report(*direct, "--deadline-seconds", "0")["exit_code"] == 1
