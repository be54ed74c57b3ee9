"""/sources: what is saved, shown, kept secret and refused."""

from __future__ import annotations

from typing import Any

import httpx
from app.core.config import Settings
from app.core.security import keyring_of
from tests.clients import API, Sql

from rosetta.secrets import is_sealed


async def saved(admin: httpx.AsyncClient, body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = await admin.post(f"{API}/sources", json={**body, **changes})
    assert answer.status_code == 201, answer.text
    source: dict[str, Any] = answer.json()
    return source


async def test_create_read_change_delete(admin: httpx.AsyncClient, source_body: dict[str, Any]) -> None:
    source = await saved(admin, source_body)
    assert source["replication_id"] == source["id"]
    assert source["has_password"] is True
    assert "pg_password" not in source
    assert (await admin.get(f"{API}/sources/{source['id']}")).json() == source | {"pending_cleanup": []}
    changed = await admin.put(f"{API}/sources/{source['id']}", json={**source, "name": "shop2", "pg_port": 5999})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["pg_port"]) == ("shop2", 5999)
    assert changed.json()["updated_at"] > source["updated_at"]
    assert (await admin.delete(f"{API}/sources/{source['id']}")).status_code == 204
    gone = await admin.get(f"{API}/sources/{source['id']}")
    assert gone.status_code == 404
    assert gone.json()["error"] == "EntityNotFoundError"
    assert gone.json()["code"] == "ENTITY_NOT_FOUND"
    assert gone.json()["details"] == {"entity_type": "source", "entity_id": source["id"]}


async def test_the_password_is_sealed_for_its_row(
    admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql, settings: Settings
) -> None:
    source = await saved(admin, source_body)
    stored = sql("SELECT pg_password FROM sources")[0][0]
    assert is_sealed(stored)
    keyring = keyring_of(settings)
    assert keyring.open(stored, f"sources.pg_password:{source['id']}") == source_body["pg_password"]


async def test_a_change_without_a_password_keeps_it(
    admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql
) -> None:
    source = await saved(admin, source_body)
    before = sql("SELECT pg_password FROM sources")
    for password in ({}, {"pg_password": None}, {"pg_password": ""}):
        answer = await admin.put(f"{API}/sources/{source['id']}", json={"pg_port": 1234, **password})
        assert answer.status_code == 200
        assert sql("SELECT pg_password FROM sources") == before
    await admin.put(f"{API}/sources/{source['id']}", json={"pg_password": "another"})
    after = sql("SELECT pg_password FROM sources")
    assert after != before
    assert is_sealed(after[0][0])


async def test_a_password_written_by_sql_is_sealed_when_it_is_read(admin: httpx.AsyncClient, sql: Sql) -> None:
    for name in ("one", "two"):
        sql(
            "INSERT INTO sources (name, pg_host, pg_port, pg_database, pg_username, pg_password, publication_name,"
            " replication_id) VALUES (%s, 'localhost', 5432, 'mydb', 'user', 'pass', 'my_pub', 1)",
            name,
        )
    listed = await admin.get(f"{API}/sources")
    assert [source["has_password"] for source in listed.json()["items"]] == [True, True]
    assert all(is_sealed(password) for (password,) in sql("SELECT pg_password FROM sources"))


async def test_a_changed_connection_rebuilds_its_pipelines(
    admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql
) -> None:
    source = await saved(admin, source_body)
    sql("INSERT INTO pipelines (name, source_id) VALUES ('p', %s)", source["id"])
    await admin.put(f"{API}/sources/{source['id']}", json={"name": "renamed"})
    assert sql("SELECT generation FROM pipelines") == [(1,)]
    await admin.put(f"{API}/sources/{source['id']}", json={"pg_host": "127.0.0.2"})
    assert sql("SELECT generation FROM pipelines") == [(2,)]


async def test_another_publication_is_not_ours(admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql) -> None:
    source = await saved(admin, source_body)
    sql("UPDATE sources SET publication_owned = true")
    kept = await admin.put(f"{API}/sources/{source['id']}", json={"pg_username": "somebody"})
    assert kept.json()["publication_owned"] is True
    other = await admin.put(f"{API}/sources/{source['id']}", json={"publication_name": "other_pub"})
    assert other.json()["publication_owned"] is False


async def test_a_source_in_use_stays(admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql) -> None:
    source = await saved(admin, source_body)
    sql("INSERT INTO pipelines (name, source_id, slot_name) VALUES ('orders', %s, 'rosetta_1_1')", source["id"])
    refused = await admin.delete(f"{API}/sources/{source['id']}")
    assert refused.status_code == 409
    assert refused.json()["code"] == "ENTITY_IN_USE"
    assert refused.json()["details"]["pipelines"][0]["name"] == "orders"
    assert refused.json()["remedy"]
    renumbered = await admin.put(f"{API}/sources/{source['id']}", json={"replication_id": 99})
    assert renumbered.json()["code"] == "SLOT_NAMES_IN_USE"
    sql("DELETE FROM pipelines")
    pending = await admin.delete(f"{API}/sources/{source['id']}")
    assert pending.status_code == 409
    assert pending.json()["code"] == "CLEANUP_PENDING"
    assert pending.json()["details"]["objects"] == [
        {"kind": "DROP_SLOT", "name": "rosetta_1_1", "attempts": 0, "last_error": None}
    ]
    sql("DELETE FROM cleanup_tasks")
    assert (await admin.delete(f"{API}/sources/{source['id']}")).status_code == 204


async def test_a_name_is_given_once(admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql) -> None:
    await saved(admin, source_body)
    again = await admin.post(f"{API}/sources", json=source_body)
    assert again.status_code == 409
    assert again.json()["error"] == "DuplicateEntityError"
    assert source_body["pg_password"] not in again.text
    assert sql("SELECT count(*) FROM sources") == [(1,)]


async def test_a_duplicate_has_its_own_sealed_password(
    admin: httpx.AsyncClient, source_body: dict[str, Any], sql: Sql, settings: Settings
) -> None:
    source = await saved(admin, source_body, replication_name="shop")
    copy = (await admin.post(f"{API}/sources/{source['id']}/duplicate")).json()
    assert copy["name"] == "shop (copy)"
    assert copy["replication_id"] == copy["id"]
    assert copy["replication_name"] is None
    stored = sql("SELECT pg_password FROM sources WHERE id = %s", copy["id"])[0][0]
    opened = keyring_of(settings).open(stored, f"sources.pg_password:{copy['id']}")
    assert opened == source_body["pg_password"]
    named = await admin.post(f"{API}/sources/{source['id']}/duplicate", json={"name": "third"})
    assert named.json()["name"] == "third"


async def test_presets(admin: httpx.AsyncClient, source_body: dict[str, Any]) -> None:
    source = await saved(admin, source_body)
    base = f"{API}/sources/{source['id']}/presets"
    created = await admin.post(base, json={"name": "core", "tables": [{"table_name": "orders"}]})
    assert created.status_code == 201, created.text
    assert created.json()["tables"][0]["table_name"] == "orders"
    assert (await admin.post(base, json={"name": "core", "tables": [{"table_name": "x"}]})).status_code == 409
    preset = created.json()["id"]
    changed = await admin.put(f"{base}/{preset}", json={"name": "all", "tables": [{"table_name": "items"}]})
    assert (changed.json()["name"], changed.json()["tables"][0]["table_name"]) == ("all", "items")
    assert (await admin.get(base)).json()["total"] == 1
    other = await saved(admin, source_body, name="other")
    assert (await admin.put(f"{API}/sources/{other['id']}/presets/{preset}", json={"name": "x"})).status_code == 404
    assert (await admin.delete(f"{base}/{preset}")).status_code == 204
    assert (await admin.get(base)).json()["total"] == 0
    assert (await admin.get(f"{API}/sources/4711/presets")).status_code == 404
