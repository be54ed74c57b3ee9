"""Plaintext that a person wrote by SQL is sealed in place, and only its own row can open it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, create_engine, select, text
from sqlalchemy.orm import Session

from rosetta.database import sync_url
from rosetta.errors import ConfigurationError, SecretError
from rosetta.local.postgres import PostgresCluster
from rosetta.sealed import SECRET_CONFIG_KEYS, config_binding, open_config, open_source_password, source_binding
from rosetta.sealing import allocate_id, seal_destination, seal_found_secrets, seal_source
from rosetta.secrets import Keyring, is_sealed
from rosetta.tables import Destination, Source

pytestmark = pytest.mark.integration

KEYRING = Keyring.from_secret_key("the key")
PEM = "-----BEGIN PRIVATE KEY-----\ncanary-pem\n-----END PRIVATE KEY-----\n"
BY_HAND = """
INSERT INTO sources (name, pg_host, pg_database, pg_username, pg_password, publication_name)
VALUES ('s', 'h', 'd', 'u', 'canary-source', 'p'), ('trusted', 'h', 'd', 'u', NULL, 'p');
INSERT INTO destinations (name, type, config) VALUES
  ('pg', 'POSTGRESQL', '{"pg_host": "h", "pg_port": 5432, "pg_password": "canary-target"}'),
  ('pem', 'SNOWFLAKE', jsonb_build_object('snowflake_private_key', :pem)),
  ('misplaced', 'SNOWFLAKE', jsonb_build_object('snowflake_private_key_path', :pem)),
  ('path', 'SNOWFLAKE', '{"snowflake_private_key_path": "/keys/rsa_key.p8"}');
INSERT INTO destinations (name, snowflake_account, snowflake_private_key_passphrase)
VALUES ('flat', 'acme', 'canary-passphrase');
"""


@pytest.fixture
def engine(cluster: PostgresCluster, psql_database: str) -> Iterator[Engine]:
    engine = create_engine(sync_url(cluster.dsn(psql_database)), poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        connection.execute(text(BY_HAND), {"pem": PEM})
    yield engine
    engine.dispose()


def by_name(session: Session) -> dict[str, Destination]:
    return {row.name: row for row in session.scalars(select(Destination))}


def test_every_plaintext_secret_is_sealed_once_and_opens(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with Session(engine) as session:
        assert seal_found_secrets(session, KEYRING) == 5
        session.commit()
        assert seal_found_secrets(session, KEYRING) == 0
    logged = [vars(record)["fields"] for record in caplog.records if record.msg == "secret_sealed"]
    assert {(fields["table"], fields["field"]) for fields in logged} == {
        ("sources", "pg_password"),
        ("destinations", "pg_password"),
        ("destinations", "snowflake_private_key"),
        ("destinations", "snowflake_private_key_path"),
        ("destinations", "snowflake_private_key_passphrase"),
    }
    assert "canary" not in str([vars(record) for record in caplog.records])
    with Session(engine) as session:
        source, trusted = session.scalars(select(Source).order_by(Source.id))
        assert is_sealed(source.pg_password or "")
        assert open_source_password(source, KEYRING) == "canary-source"
        assert open_source_password(trusted, KEYRING) == ""
        found = by_name(session)
        assert open_config(found["pg"], KEYRING) == {"pg_host": "h", "pg_port": 5432, "pg_password": "canary-target"}
        assert open_config(found["pem"], KEYRING) == {"snowflake_private_key": PEM}
        assert open_config(found["misplaced"], KEYRING) == {"snowflake_private_key_path": PEM}
        assert open_config(found["flat"], KEYRING)["snowflake_private_key_passphrase"] == "canary-passphrase"
        assert found["path"].config == {"snowflake_private_key_path": "/keys/rsa_key.p8"}


def test_a_dump_of_the_database_has_no_secret(cluster: PostgresCluster, psql_database: str, engine: Engine) -> None:
    command = [str(cluster.bin() / "pg_dump"), cluster.dsn(psql_database)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("canary") == 5
    with Session(engine) as session, session.begin():
        seal_found_secrets(session, KEYRING)
    assert "canary" not in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_sealed_secret_moved_to_another_row_does_not_open(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        seal_found_secrets(session, KEYRING)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sources SET pg_password = (SELECT pg_password FROM sources WHERE name = 's')"))
        from_pg = "(SELECT config FROM destinations WHERE name = 'pg')"
        connection.execute(text(f"UPDATE destinations SET config = {from_pg} WHERE name = 'path'"))
    with Session(engine) as session:
        moved = session.scalars(select(Source).where(Source.name == "trusted")).one()
        with pytest.raises(SecretError):
            open_source_password(moved, KEYRING)
        with pytest.raises(SecretError):
            open_config(by_name(session)["path"], KEYRING)


def test_a_wrong_key_neither_opens_nor_seals_again(engine: Engine) -> None:
    other = Keyring.from_secret_key("another key")
    with Session(engine) as session, session.begin():
        seal_found_secrets(session, KEYRING)
    with Session(engine) as session:
        assert seal_found_secrets(session, other) == 0
        with pytest.raises(SecretError):
            open_config(by_name(session)["pg"], other)


def test_a_new_row_is_sealed_before_it_is_inserted(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        source = Source(
            id=allocate_id(session, Source), name="new", pg_host="h", pg_database="d", pg_username="u",
            pg_password="canary-new", publication_name="p",
        )  # fmt: skip
        assert seal_source(source, KEYRING)
        assert not seal_source(source, KEYRING)
        destination = Destination(
            id=allocate_id(session, Destination), name="new", type="POSTGRESQL", config={"pg_password": "canary-new"}
        )
        assert seal_destination(destination, KEYRING)
        session.add_all([source, destination])
        session.flush()
        assert source.replication_id == source.id
        assert KEYRING.open(source.pg_password or "", source_binding(source.id)) == "canary-new"
        sealed = destination.config["pg_password"]
        assert KEYRING.open(sealed, config_binding(destination.id, "pg_password")) == "canary-new"


def test_a_row_without_id_cannot_be_sealed() -> None:
    with pytest.raises(ConfigurationError):
        seal_source(Source(name="s", pg_password="canary"), KEYRING)
    with pytest.raises(ConfigurationError):
        seal_destination(Destination(name="d", config={"pg_password": "canary"}), KEYRING)


def test_a_password_changed_at_the_same_moment_is_not_overwritten(engine: Engine) -> None:
    with Session(engine) as session:
        session.scalars(select(Source)).all()
        with engine.begin() as other:
            other.execute(text("UPDATE sources SET pg_password = 'canary-newer' WHERE name = 's'"))
        seal_found_secrets(session, KEYRING)
        session.commit()
        source = session.scalars(select(Source).where(Source.name == "s")).one()
        assert open_source_password(source, KEYRING) == "canary-newer"


@pytest.mark.parametrize("key", sorted(SECRET_CONFIG_KEYS))
def test_each_secret_config_key_is_sealed(key: str) -> None:
    destination = Destination(id=1, name="d", config={key: "canary", "other": "stays"})
    assert seal_destination(destination, KEYRING)
    assert "canary" not in str(destination.config)
    assert open_config(destination, KEYRING) == {key: "canary", "other": "stays"}
