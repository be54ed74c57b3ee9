"""Tags: names that group table syncs of any pipeline."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.clients import API, Sql


@pytest.fixture
async def tables(admin: httpx.AsyncClient, source_body: dict[str, Any], destination_body: dict[str, Any]) -> str:
    """Where the table syncs of a pipeline are, with `orders` (money, pii) and `lines` (money) in it."""
    for name in ("pii", "money"):
        assert (await admin.post(f"{API}/tags", json={"name": name, "color": "#2f6fed"})).status_code == 201
    source = (await admin.post(f"{API}/sources", json=source_body)).json()["id"]
    destination = (await admin.post(f"{API}/destinations", json=destination_body)).json()["id"]
    syncs = [{"table_name": "orders", "tags": ["pii", "money", "pii"]}, {"table_name": "plain"}]
    body = {
        "name": "p",
        "source_id": source,
        "destinations": [{"destination_id": destination, "table_syncs": syncs}],
    }
    made = await admin.post(f"{API}/pipelines", json=body)
    assert made.status_code == 201, made.text
    nested = made.json()["destinations"][0]["table_syncs"]
    assert {sync["table_name"]: sync["tags"] for sync in nested} == {"orders": ["money", "pii"], "plain": []}
    path = f"{API}/pipelines/{made.json()['id']}/destinations/{destination}/tables"
    added = await admin.post(path, json={"table_name": "lines", "tags": ["money"]})
    assert added.json()["tags"] == ["money"]
    return path


async def tagged(admin: httpx.AsyncClient, path: str, *tags: str) -> list[str]:
    page = (await admin.get(path, params={"tag": list(tags), "sort": "table_name"})).json()
    assert page["total"] == len(page["items"])
    return [item["table_name"] for item in page["items"]]


async def test_lists_are_filtered_and_counted_by_tag(admin: httpx.AsyncClient, tables: str) -> None:
    assert await tagged(admin, tables) == ["lines", "orders", "plain"]
    assert await tagged(admin, tables, "money") == ["lines", "orders"]
    assert await tagged(admin, tables, "money", "pii") == ["orders"]
    assert await tagged(admin, tables, "nobody's") == []
    known = (await admin.get(f"{API}/tags")).json()["items"]
    assert [(tag["name"], tag["color"], tag["table_syncs"]) for tag in known] == [
        ("money", "#2f6fed", 2),
        ("pii", "#2f6fed", 1),
    ]


async def test_tags_change_without_touching_the_stream(admin: httpx.AsyncClient, tables: str, sql: Sql) -> None:
    sql("UPDATE table_syncs SET state = 'STREAMING'")
    generation = sql("SELECT generation FROM pipelines")
    orders = next(i for i in (await admin.get(tables)).json()["items"] if i["table_name"] == "orders")
    changed = await admin.put(f"{tables}/{orders['id']}", json={"tags": ["pii"]})
    assert (changed.json()["tags"], changed.json()["desired_state"]) == (["pii"], "ACTIVE")
    assert sql("SELECT details->'changed' FROM audit_log ORDER BY id DESC LIMIT 1") == [(["tags"],)]
    # what GET answers can be sent back, and what is left out stays
    again = await admin.put(f"{tables}/{orders['id']}", json=changed.json())
    assert again.json()["tags"] == ["pii"]
    assert (await admin.put(f"{tables}/{orders['id']}", json={})).json()["tags"] == ["pii"]
    assert (await admin.put(f"{tables}/{orders['id']}", json={"tags": []})).json()["tags"] == []
    assert sql("SELECT generation FROM pipelines") == generation


async def test_a_deleted_tag_leaves_its_table_syncs(admin: httpx.AsyncClient, tables: str, sql: Sql) -> None:
    money = (await admin.get(f"{API}/tags", params={"name": "MON"})).json()["items"][0]["id"]
    assert (await admin.delete(f"{API}/tags/{money}")).status_code == 204
    assert sql("SELECT count(*) FROM table_syncs") == [(3,)]
    assert {tuple(i["tags"]) for i in (await admin.get(tables)).json()["items"]} == {(), ("pii",)}


async def test_an_unknown_tag_is_refused_and_changes_nothing(admin: httpx.AsyncClient, tables: str, sql: Sql) -> None:
    before = sql("SELECT * FROM table_sync_tags ORDER BY 1, 2")
    answer = await admin.post(tables, json={"table_name": "x", "tags": ["money", "absent"]})
    assert (answer.status_code, answer.json()["details"]["entity_id"]) == (404, "absent")
    assert "/tags" in answer.json()["remedy"]
    assert sql("SELECT count(*) FROM table_syncs WHERE table_name = 'x'") == [(0,)]
    assert sql("SELECT * FROM table_sync_tags ORDER BY 1, 2") == before
    double = await admin.post(f"{API}/tags", json={"name": "money"})
    assert (double.status_code, double.json()["code"]) == (409, "DUPLICATE_ENTITY")
    assert (await admin.post(f"{API}/tags", json={"name": "c", "color": "red"})).status_code == 422
