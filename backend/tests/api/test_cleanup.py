"""What pipelines left behind at a source or a destination, and how to get rid of one that never comes back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.clients import API, Sql


@pytest.fixture
async def left(
    admin: httpx.AsyncClient, sql: Sql, source_body: dict[str, Any], destination_body: dict[str, Any]
) -> str:
    """A source whose only pipeline was deleted while it was away."""
    await admin.post(f"{API}/sources", json=source_body)
    await admin.post(f"{API}/destinations", json=destination_body)
    await admin.post(f"{API}/pipelines", json={"name": "p", "source_id": 1, "destination_id": 1})
    sql("UPDATE sources SET publication_owned = true; UPDATE pipelines SET slot_name = 'rosetta_1_1'")
    assert (await admin.delete(f"{API}/pipelines/1")).status_code == 204
    sql("UPDATE cleanup_tasks SET attempts = 3, last_error = 'slot: Connection refused' WHERE kind = 'DROP_SLOT'")
    return f"{API}/sources/1"


async def test_what_is_pending_is_shown_where_one_looks(admin: httpx.AsyncClient, left: str) -> None:
    source = (await admin.get(left)).json()
    pending = {task["kind"]: task for task in source["pending_cleanup"]}
    assert set(pending) == {"DROP_SLOT", "DROP_PUBLICATION"}
    slot = pending["DROP_SLOT"]
    assert (slot["object_name"], slot["attempts"]) == ("rosetta_1_1", 3)
    assert slot["last_error"] == "slot: Connection refused"
    assert (await admin.put(left, json=source)).status_code == 200  # what was got can be sent back
    refused = await admin.delete(left)
    assert (refused.status_code, refused.json()["code"]) == (409, "CLEANUP_PENDING")
    assert "force=true" in refused.json()["remedy"]
    assert refused.json()["details"]["objects"][0]["last_error"] == "slot: Connection refused"


async def test_force_gives_up_and_says_what_to_drop_by_hand(admin: httpx.AsyncClient, left: str, sql: Sql) -> None:
    done = await admin.delete(left, params={"force": True})
    assert done.status_code == 200
    assert {(one["kind"], one["sql"]) for one in done.json()["left_behind"]} == {
        ("DROP_SLOT", "SELECT pg_drop_replication_slot('rosetta_1_1')"),
        ("DROP_PUBLICATION", 'DROP PUBLICATION IF EXISTS "shop_pub"'),
    }
    assert (await admin.get(left)).status_code == 404
    assert sql("SELECT count(*) FROM cleanup_tasks WHERE source_id IS NOT NULL") == [(0,)]
    trail = sql("SELECT details -> 'left_behind' FROM audit_log WHERE action = 'source.delete'")[0][0]
    assert sorted(trail) == ["DROP_PUBLICATION shop_pub", "DROP_SLOT rosetta_1_1"]


async def test_a_destination_is_given_up_the_same_way(admin: httpx.AsyncClient, left: str, sql: Sql) -> None:
    sql(
        "INSERT INTO cleanup_tasks (kind, destination_id, object_name) VALUES ('DROP_STAGING', 1, '1')"
        " ON CONFLICT DO NOTHING"
    )
    path = f"{API}/destinations/1"
    destination = (await admin.get(path)).json()
    assert [task["kind"] for task in destination["pending_cleanup"]] == ["DROP_STAGING"]
    assert (await admin.put(path, json=destination)).status_code == 200
    assert (await admin.delete(path)).json()["code"] == "CLEANUP_PENDING"
    (staging,) = (await admin.delete(path, params={"force": True})).json()["left_behind"]
    assert "pipeline_id = 1 AND destination_id = 1" in staging["sql"]
    assert (await admin.get(path)).status_code == 404


async def test_force_is_no_way_around_a_pipeline(
    admin: httpx.AsyncClient, sql: Sql, source_body: dict[str, Any], destination_body: dict[str, Any]
) -> None:
    await admin.post(f"{API}/sources", json=source_body)
    await admin.post(f"{API}/destinations", json=destination_body)
    await admin.post(f"{API}/pipelines", json={"name": "p", "source_id": 1, "destination_id": 1})
    for path in (f"{API}/sources/1", f"{API}/destinations/1"):
        refused = await admin.delete(path, params={"force": True})
        assert (refused.status_code, refused.json()["code"]) == (409, "ENTITY_IN_USE")
    await admin.delete(f"{API}/pipelines/1")
    sql("DELETE FROM cleanup_tasks")
    for path in (f"{API}/sources/1", f"{API}/destinations/1"):
        assert (await admin.delete(path, params={"force": True})).status_code == 204  # nothing was left behind
