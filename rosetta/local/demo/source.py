"""Prepares the sample's databases: the source with its rows, the targets empty."""

from __future__ import annotations

from contextlib import closing
from importlib.resources import files

import psycopg2
import psycopg2.extensions

from rosetta.dialects.postgres.text import literal, quoted
from rosetta.local.postgres import PostgresCluster

SOURCE = "shop"
TARGETS = ("warehouse", "archive")


def ensure_database(cluster: PostgresCluster, name: str, password: str, *, replication: bool = False) -> None:
    """Makes the role `name`, which is no superuser, and a database of that name that it owns; keeps those there are."""
    right = "REPLICATION" if replication else "NOREPLICATION"
    with closing(cluster.connect()) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        cursor.execute(f"{verb} ROLE {quoted(name)} LOGIN {right} PASSWORD {literal(password)}")
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {quoted(name)} OWNER {quoted(name)} TEMPLATE template0")


def ensure_shop(url: str) -> bool:
    """Makes the sample's tables with their first rows, all or none; False when they are there already."""
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        if _has_shop(session):
            return False
        cursor.execute(files("rosetta.local.demo").joinpath("schema.sql").read_text(encoding="utf-8"))
        return True


def _has_shop(session: psycopg2.extensions.connection) -> bool:
    with session.cursor() as cursor:
        cursor.execute("SELECT to_regclass('shop.clock') IS NOT NULL")
        row = cursor.fetchone()
        return row is not None and bool(row[0])
