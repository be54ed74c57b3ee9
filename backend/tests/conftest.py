"""The API over real PostgreSQL: a config database of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg2
import pytest
from app.core.config import AppEnv, Settings
from app.core.database import DatabaseManager
from app.main import create_app
from fastapi import FastAPI

from backend.tests.clients import Sql, Tokens, client_of
from rosetta import migrate
from rosetta.enums import Role
from rosetta.local.postgres import PostgresCluster
from rosetta.tokens import hash_token, new_token, token_prefix

SECRET_KEY = "k3-unit-Zr8qW0vXn5TtB7yLmP2sJd4G"
_names = itertools.count(1)


@pytest.fixture(scope="session")
def config_template(cluster: PostgresCluster) -> str:
    """A migrated, empty config database to copy from."""
    name = "config_template"
    connection = cluster.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    connection.close()
    migrate.upgrade(cluster.dsn(name))
    return name


@pytest.fixture
def config_database(cluster: PostgresCluster, config_template: str) -> Iterator[str]:
    """The name of this test's config database."""
    name = f"config{next(_names)}"
    connection = cluster.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {config_template}")
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


@pytest.fixture
def sql(cluster: PostgresCluster, config_database: str) -> Iterator[Sql]:
    """Runs SQL on the config database, as a person would."""
    connection = cluster.connect(config_database)

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    yield run
    connection.close()


@pytest.fixture
def settings(cluster: PostgresCluster, config_database: str) -> Settings:
    return Settings(
        _env_file=None,
        database_url=cluster.dsn(config_database),
        secret_key=SECRET_KEY,
        app_env=AppEnv.TESTING,
        log_folder=None,
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
