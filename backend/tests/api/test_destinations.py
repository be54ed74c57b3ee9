"""/destinations: both forms of bodies, secrets, what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from app.core.config import Settings
from app.core.security import keyring_of
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from tests.clients import API, Sql

from rosetta.secrets import is_sealed

PHRASE = "canary-passphrase"
PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PHRASE.encode()))
    .decode()
)
SNOWFLAKE = {
    "snowflake_account": "org-account",
    "snowflake_user": "LOADER",
    "snowflake_database": "LANDING",
    "snowflake_schema": "PUBLIC",
    "snowflake_role": "LOADER",
    "snowflake_private_key_path": "/keys/rsa_key.p8",
    "snowflake_private_key_passphrase": PHRASE,
}


async def saved(admin: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await admin.post(f"{API}/destinations", json=body)
    assert answer.status_code == 201, answer.text
    destination: dict[str, Any] = answer.json()
    return destination


async def test_create_read_change_delete(admin: httpx.AsyncClient, destination_body: dict[str, Any]) -> None:
    created = await saved(admin, destination_body)
    assert created["secrets"] == {"pg_password": True}
    assert created["has_password"] is True
    assert "pg_password" not in created["config"]
    path = f"{API}/destinations/{created['id']}"
    assert (await admin.get(path)).json() == created | {"pending_cleanup": []}
    renamed = await admin.put(path, json={"name": "lake"})
    assert renamed.json()["name"] == "lake"
    assert renamed.json()["config"] == created["config"]
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get(path)).status_code == 404


@pytest.mark.parametrize("database_key", ["snowflake_database", "snowflake_db"])
@pytest.mark.parametrize("flat", [True, False])
async def test_snowflake_bodies_are_stored_alike(
    admin: httpx.AsyncClient, sql: Sql, flat: bool, database_key: str
) -> None:
    config = {database_key if key == "snowflake_database" else key: value for key, value in SNOWFLAKE.items()}
    body = {"name": "sf", **config} if flat else {"name": "sf", "type": "SNOWFLAKE", "config": config}
    created = await saved(admin, body)
    assert created["type"] == "SNOWFLAKE"
    public = {key: value for key, value in SNOWFLAKE.items() if "passphrase" not in key}
    assert created["config"] == public
    assert created["secrets"] == {"snowflake_private_key": False, "snowflake_private_key_passphrase": True}
    stored = sql("SELECT config FROM destinations")[0][0]
    assert is_sealed(stored["snowflake_private_key_passphrase"])


@pytest.mark.parametrize("key", ["snowflake_private_key", "snowflake_private_key_path"])
async def test_a_pasted_key_is_sealed_wherever_it_was_pasted(admin: httpx.AsyncClient, sql: Sql, key: str) -> None:
    config = {name: value for name, value in SNOWFLAKE.items() if name != "snowflake_private_key_path"} | {key: PEM}
    created = await saved(admin, {"name": "sf", "type": "SNOWFLAKE", "config": config})
    assert created["secrets"]["snowflake_private_key"] is True
    assert PEM.splitlines()[1] not in str(sql("SELECT config FROM destinations"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "MYSQL"}, "type"),
        ({"config": {"pg_host": "h"}}, "pg_database"),
        ({"config": "text"}, "config"),
        ({"config": None}, "config"),
        ({"type": "SNOWFLAKE"}, "snowflake_account"),
        ({"type": "SNOWFLAKE", "config": {**SNOWFLAKE, "snowflake_private_key_path": None}}, "private_key"),
        ({"pg_prot": 1}, "pg_prot"),
    ],
)
async def test_a_body_that_is_not_one_says_where(
    admin: httpx.AsyncClient, destination_body: dict[str, Any], sql: Sql, change: dict[str, Any], field: str
) -> None:
    answer = await admin.post(f"{API}/destinations", json={**destination_body, **change})
    assert answer.status_code == 422
    assert field in str(answer.json()["details"]["errors"])
    assert sql("SELECT count(*) FROM destinations") == [(0,)]


async def test_a_change_lies_over_what_is_stored(
    admin: httpx.AsyncClient, destination_body: dict[str, Any], sql: Sql, settings: Settings
) -> None:
    created = await saved(admin, destination_body)
    path = f"{API}/destinations/{created['id']}"
    sql("INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name) VALUES ('s','h','d','u','p')")
    sql("INSERT INTO pipelines (name, source_id, destination_id) SELECT 'p', id, %s FROM sources", created["id"])
    changed = (await admin.put(path, json={"config": {"pg_schema": "landing", "pg_password": ""}})).json()
    assert changed["config"] == created["config"] | {"pg_schema": "landing"}
    stored = sql("SELECT config FROM destinations")[0][0]["pg_password"]
    binding = f"destinations.config.pg_password:{created['id']}"
    assert keyring_of(settings).open(stored, binding) == destination_body["config"]["pg_password"]
    assert sql("SELECT generation FROM pipelines") == [(2,)]
    assert (await admin.put(path, json=changed)).json()["config"] == changed["config"]
    assert sql("SELECT generation FROM pipelines") == [(2,)]
    removed = (await admin.put(path, json={"pg_schema": None})).json()
    assert "pg_schema" not in removed["config"]
    invalid = await admin.put(path, json={"config": {"pg_port": 0}})
    assert (invalid.status_code, invalid.json()["code"]) == (422, "INVALID_CONFIG")
    retyped = await admin.put(path, json={"type": "SNOWFLAKE"})
    assert (retyped.status_code, retyped.json()["code"]) == (409, "TYPE_IS_FIXED")


async def test_a_secret_that_no_longer_opens_can_be_replaced(
    admin: httpx.AsyncClient, destination_body: dict[str, Any], sql: Sql
) -> None:
    created = await saved(admin, destination_body)
    path = f"{API}/destinations/{created['id']}"
    foreign = "rsk1:0123456789abcdef:" + "A" * 60
    sql("UPDATE destinations SET config = config || jsonb_build_object('pg_password', %s::text)", foreign)
    lost = await admin.post(f"{path}/test-connection")
    assert (lost.status_code, lost.json()["code"]) == (409, "SECRET_KEY_UNKNOWN")
    assert lost.json()["remedy"]
    password = destination_body["config"]["pg_password"]
    assert (await admin.put(path, json={"pg_password": password})).status_code == 200
    assert (await admin.post(f"{path}/test-connection")).status_code == 200


async def test_flat_sql_rows_are_shown_and_sealed(admin: httpx.AsyncClient, sql: Sql) -> None:
    sql(
        "INSERT INTO destinations (name, snowflake_account, snowflake_user, snowflake_db, snowflake_schema,"
        " snowflake_role, snowflake_private_key_path, snowflake_private_key_passphrase)"
        " VALUES ('sf', 'a', 'u', 'd', 's', 'r', '/k', 'canary-passphrase')"
    )
    listed = (await admin.get(f"{API}/destinations")).json()["items"]
    assert listed[0]["config"]["snowflake_database"] == "d"
    assert "canary-passphrase" not in str(sql("SELECT config FROM destinations"))


async def test_a_row_with_garbage_is_shown_without_it(admin: httpx.AsyncClient, sql: Sql) -> None:
    garbage = '{"password": "canary", "pg_host": 7}'
    sql("INSERT INTO destinations (name, type, config) VALUES ('odd', 'POSTGRESQL', %s)", garbage)
    listed = await admin.get(f"{API}/destinations")
    assert listed.json()["items"][0]["config"] == {"pg_host": 7}
    preflight = await admin.get(f"{API}/destinations/{listed.json()['items'][0]['id']}/preflight")
    assert (preflight.status_code, preflight.json()["code"]) == (422, "INVALID_CONFIG")
    assert "canary" not in preflight.text


async def test_a_destination_in_use_stays(admin: httpx.AsyncClient, destination_body: dict[str, Any], sql: Sql) -> None:
    created = await saved(admin, destination_body)
    sql("INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name) VALUES ('s','h','d','u','p')")
    sql("INSERT INTO pipelines (name, source_id, destination_id) SELECT 'orders', id, %s FROM sources", created["id"])
    refused = await admin.delete(f"{API}/destinations/{created['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "ENTITY_IN_USE")
    assert refused.json()["details"]["pipelines"][0]["name"] == "orders"
    assert refused.json()["remedy"]


async def test_a_duplicate_has_its_own_sealed_secrets(
    admin: httpx.AsyncClient, destination_body: dict[str, Any], sql: Sql, settings: Settings
) -> None:
    created = await saved(admin, destination_body)
    copy = (await admin.post(f"{API}/destinations/{created['id']}/duplicate")).json()
    stored = sql("SELECT config FROM destinations WHERE id = %s", copy["id"])[0][0]["pg_password"]
    opened = keyring_of(settings).open(stored, f"destinations.config.pg_password:{copy['id']}")
    assert opened == destination_body["config"]["pg_password"]
    assert copy["config"] == created["config"]
