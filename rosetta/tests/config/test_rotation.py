"""A new SECRET_KEY: everything sealed moves to it, and the old key opens nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from rosetta.database import sync_url
from rosetta.dead_letters import Payload, open_payload, seal_payload
from rosetta.errors import SecretError
from rosetta.local.postgres import PostgresCluster
from rosetta.rotation import Rotation, rotate
from rosetta.sealed import open_config, open_source_password
from rosetta.secrets import Keyring
from rosetta.tables import Destination, DlqRecord, Source

OLD, NEW = "the old key of this installation", "the new key of this installation"
PAYLOAD = Payload(("id",), ("id",), b"c\t1\t0\t1\t1\t\\N\t\\N\t7\n", 1)


def fill(url: str, keyring: Keyring) -> None:
    """A source, a destination and a parked change, sealed by `keyring`."""
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sources (name, pg_host, pg_database, pg_username, pg_password, publication_name,"
            " replication_id) VALUES ('s', 'h', 'd', 'u', %s, 'p', 1)",
            (keyring.seal("canary", "sources.pg_password:1"),),
        )
        cursor.execute(
            "INSERT INTO destinations (name, type, config) VALUES ('d', 'POSTGRESQL',"
            " jsonb_build_object('pg_host', 'h', 'pg_password', %s::text))",
            (keyring.seal("canary", "destinations.config.pg_password:1"),),
        )
        cursor.execute("INSERT INTO pipelines (name, source_id, destination_id) VALUES ('p', 1, 1)")
        cursor.execute(
            "INSERT INTO dlq_records (pipeline_id, source_id, destination_id, schema_name, table_name, kind,"
            " commit_lsn, change_lsn, ordinal, payload, payload_bytes, error_class, error_message, key_hashes)"
            " VALUES (1, 1, 1, 'public', 't', 'RECORD', '0/1', '0/1', 0, %s, 1, 'DATA', 'x', %s)",
            (seal_payload(PAYLOAD, keyring, 1, 1), [keyring.digests(b"7")[0]]),
        )


def test_everything_moves_to_the_new_key(cluster: PostgresCluster, new_config_database: Callable[[], str]) -> None:
    url = cluster.dsn(new_config_database())
    fill(url, Keyring.from_secret_key(OLD))
    both, new = Keyring.from_secret_key(NEW, [OLD]), Keyring.from_secret_key(NEW)
    assert rotate(url, both) == Rotation(secrets=2, payloads=1, waiting=1)
    assert rotate(url, both) == Rotation(secrets=0, payloads=0, waiting=1), "again changes nothing"
    with Session(create_engine(sync_url(url), poolclass=NullPool)) as session:
        source, destination = session.get_one(Source, 1), session.get_one(Destination, 1)
        record = session.get_one(DlqRecord, 1)
        assert open_source_password(source, new) == "canary"
        assert open_config(destination, new) == {"pg_host": "h", "pg_password": "canary"}
        assert open_payload(record.payload, new, 1, 1) == PAYLOAD
        with pytest.raises(SecretError):
            open_source_password(source, Keyring.from_secret_key(OLD))


def test_what_no_key_opens_stops_the_rotation(cluster: PostgresCluster, new_config_database: Callable[[], str]) -> None:
    url = cluster.dsn(new_config_database())
    fill(url, Keyring.from_secret_key("a key that nobody has any more"))
    with pytest.raises(SecretError) as refused:
        rotate(url, Keyring.from_secret_key(NEW, [OLD]))
    assert refused.value.code == "SECRET_KEY_UNKNOWN"
    assert "canary" not in refused.value.message
