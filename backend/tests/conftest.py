"""The API over real PostgreSQL: an empty config database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import httpx
import psycopg2
import pytest
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from fastapi import FastAPI
from tests.clients import API, Sql, Tokens, client_of

from rosetta import migrate
from rosetta.app_env import AppEnv
from rosetta.enums import Role
from rosetta.local.postgres import PostgresCluster
from rosetta.tests.parking import runner_of
from rosetta.tokens import hash_token, new_token, token_prefix

SECRET_KEY = "k3-unit-Zr8qW0vXn5TtB7yLmP2sJd4G"


_EMPTY = """
SET session_replication_role = replica;
DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', r.name);
    END LOOP;
    FOR r IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        PERFORM setval(quote_ident(r.name)::regclass, 1, false);
    END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def migrated_database(cluster: PostgresCluster) -> str:
    """The name of a config database with the schema and nothing in it."""
    name = "config"
    connection = cluster.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    connection.close()
    migrate.upgrade(cluster.dsn(name))
    return name


@pytest.fixture
def config_database(cluster: PostgresCluster, migrated_database: str) -> str:
    """The config database, empty."""
    connection = cluster.connect(migrated_database)
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY)
    connection.close()
    return migrated_database


@pytest.fixture
def sql(cluster: PostgresCluster, config_database: str) -> Iterator[Sql]:
    """Runs SQL on the config database, as a person would."""
    with closing(cluster.connect(config_database)) as connection:
        yield runner_of(connection)


@pytest.fixture
def settings(cluster: PostgresCluster, config_database: str) -> Settings:
    return Settings(
        _env_file=None,
        database_url=cluster.dsn(config_database),
        secret_key=SECRET_KEY,
        app_env=AppEnv.TEST,
        log_folder=None,
        dashboard_folder=None,
        db_pool_size=3,
        connect_timeout_seconds=3,
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    database = DatabaseManager()
    application = create_app(settings, database)
    database.open(settings)
    yield application
    await database.close()


@pytest.fixture
def tokens(sql: Sql) -> Tokens:
    """A token of each role."""
    made = {role: new_token() for role in Role}
    for role, text in made.items():
        sql(
            "INSERT INTO tokens (name, role, token_hash, token_prefix) VALUES (%s, %s, %s, %s)",
            role.value,
            role.value,
            psycopg2.Binary(hash_token(text)),
            token_prefix(text),
        )
    return made


@pytest.fixture
async def admin(app: FastAPI, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, tokens[Role.ADMIN]) as client:
        yield client


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def source_body(cluster: PostgresCluster) -> dict[str, Any]:
    return {
        "name": "shop",
        "pg_host": "127.0.0.1",
        "pg_port": cluster.port,
        "pg_database": "postgres",
        "pg_username": cluster.superuser,
        "pg_password": cluster.password,
        "publication_name": "shop_pub",
        "sslmode": "disable",
    }


@pytest.fixture
def destination_body(cluster: PostgresCluster) -> dict[str, Any]:
    return {
        "name": "warehouse",
        "type": "POSTGRESQL",
        "config": {
            "pg_host": "127.0.0.1",
            "pg_port": cluster.port,
            "pg_database": "postgres",
            "pg_username": cluster.superuser,
            "pg_password": cluster.password,
            "sslmode": "disable",
        },
    }


@pytest.fixture
async def source_id(admin: httpx.AsyncClient, source_body: dict[str, Any]) -> int:
    """A saved source, whose replication id is 4."""
    answer = await admin.post(f"{API}/sources", json=source_body | {"replication_id": 4})
    found: int = answer.json()["id"]
    return found
