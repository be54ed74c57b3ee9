"""/sources: what is saved, shown, kept secret and refused."""

from __future__ import annotations

from typing import Any

import httpx

API = "/api/v1"


async def test_source_crud(admin: httpx.AsyncClient, source_body: dict[str, Any]) -> None:
    created = await admin.post(f"{API}/sources", json=source_body)
    assert created.status_code == 201, created.text
    source = created.json()
    assert source["replication_id"] == source["id"]
    assert source["has_password"] is True
    assert "pg_password" not in source
    assert (await admin.get(f"{API}/sources/{source['id']}")).json() == source
    changed = await admin.put(f"{API}/sources/{source['id']}", json={**source, "name": "shop2", "pg_port": 5999})
    assert changed.status_code == 200, changed.text
    assert changed.json()["name"] == "shop2"
    assert changed.json()["pg_port"] == 5999
    assert changed.json()["updated_at"] > source["updated_at"]
    assert (await admin.delete(f"{API}/sources/{source['id']}")).status_code == 204
    gone = await admin.get(f"{API}/sources/{source['id']}")
    assert gone.status_code == 404
    assert gone.json()["error"] == "EntityNotFoundError"
    assert gone.json()["details"] == {"entity_type": "source", "entity_id": source["id"]}
