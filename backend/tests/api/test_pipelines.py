"""Pipelines, their destinations and table syncs: what is wanted, nested, and never half-created."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.clients import API, Sql, Tokens, client_of

from rosetta.enums import Role


@pytest.fixture
def source_id(sql: Sql) -> int:
    row = sql(
        "INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name)"
        " VALUES ('s', 'h', 'd', 'u', 'p') RETURNING id"
    )
    number: int = row[0][0]
    return number


@pytest.fixture
def destination_ids(sql: Sql) -> list[int]:
    rows = sql(
        "INSERT INTO destinations (name, type, config) VALUES ('a', 'POSTGRESQL', '{}'), ('b', 'POSTGRESQL', '{}'),"
        " ('c', 'POSTGRESQL', '{}') RETURNING id"
    )
    return [row[0] for row in rows]


async def created(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"{API}/pipelines", json={"name": "orders", **body})
    assert answer.status_code == 201, answer.text
    pipeline: dict[str, Any] = answer.json()
    return pipeline


async def test_a_new_pipeline_is_paused_whatever_the_body_says(admin: httpx.AsyncClient, source_id: int) -> None:
    pipeline = await created(admin, source_id=source_id, status="START")
    assert pipeline["status"] == "PAUSE"
    assert len(pipeline["warnings"]) == 1
    assert f"/pipelines/{pipeline['id']}/start" in pipeline["warnings"][0]
    silent = await created(admin, name="other", source_id=source_id, status="PAUSE")
    assert silent["warnings"] == []


async def test_destinations_are_taken_in_all_three_ways(
    admin: httpx.AsyncClient, source_id: int, destination_ids: list[int]
) -> None:
    a, b, c = destination_ids
    nested = {"destination_id": c, "table_syncs": [{"table_name": "orders", "target_schema": "landing"}]}
    pipeline = await created(
        admin, source_id=source_id, destination_id=a, destination_ids=[a, b], destinations=[nested]
    )
    by_name = {join["destination"]["name"]: join for join in pipeline["destinations"]}
    assert set(by_name) == {"a", "b", "c"}
    assert by_name["a"]["sync_all_tables"] is True
    assert by_name["c"]["sync_all_tables"] is False
    assert by_name["c"]["table_syncs"][0]["target_schema"] == "landing"
    assert by_name["b"]["metadata"]["status"] == "PAUSED"
    assert pipeline["source"] == {"id": source_id, "name": "s"}
    assert (await admin.get(f"{API}/pipelines/{pipeline['id']}")).json() == pipeline
    assert (await admin.get(f"{API}/pipelines")).json()["items"] == [pipeline]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"source_id": 4711}, 404, "ENTITY_NOT_FOUND"),
        ({"destination_ids": [4711]}, 404, "ENTITY_NOT_FOUND"),
        ({"destinations": [{"destination_id": 1}, {"destination_id": 1}]}, 422, "DESTINATION_TWICE"),
        ({"destinations": [{"destination_id": 1, "table_syncs": [{"table_name": "t"}] * 2}]}, 409, "DUPLICATE_ENTITY"),
        (
            {"destinations": [{"destination_id": 1, "table_syncs": [{"table_name": "t", "masks": {"ssn": "blur"}}]}]},
            422,
            "TABLE_RULES_INVALID",
        ),
        ({"source_id": 2**63}, 422, "VALIDATION_ERROR"),
        ({"status": "RUNNING"}, 422, "VALIDATION_ERROR"),
    ],
)
@pytest.mark.usefixtures("destination_ids")
async def test_nothing_is_half_created(
    admin: httpx.AsyncClient,
    sql: Sql,
    source_id: int,
    body: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = await admin.post(f"{API}/pipelines", json={"name": "orders", "source_id": source_id, **body})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remedy"]
    for table in ("pipelines", "pipeline_destinations", "pipeline_metadata", "table_syncs", "audit_log"):
        assert sql(f"SELECT count(*) FROM {table}") == [(0,)], table


async def test_what_is_wanted_is_stated_and_mirrored(
    admin: httpx.AsyncClient, source_id: int, destination_ids: list[int]
) -> None:
    pipeline = await created(admin, source_id=source_id, destination_id=destination_ids[0])
    path = f"{API}/pipelines/{pipeline['id']}"
    for verb, status, observed in (
        ("start", "START", "STARTING"),
        ("pause", "PAUSE", "PAUSING"),
        ("refresh", "REFRESH", "RESTARTING"),
    ):
        answer = (await admin.post(f"{path}/{verb}")).json()
        assert answer["status"] == status
        assert answer["destinations"][0]["metadata"]["status"] == observed
        metadata = await admin.get(f"{path}/destinations/{destination_ids[0]}/metadata")
        assert metadata.json()["status"] == observed


async def test_a_pipeline_without_destinations_does_not_start(admin: httpx.AsyncClient, source_id: int) -> None:
    pipeline = await created(admin, source_id=source_id)
    answer = await admin.post(f"{API}/pipelines/{pipeline['id']}/start")
    assert (answer.status_code, answer.json()["code"]) == (409, "PIPELINE_HAS_NO_DESTINATIONS")
    assert (await admin.get(f"{API}/pipelines/{pipeline['id']}")).json()["status"] == "PAUSE"


async def test_changes_rebuild_the_process_only_where_needed(
    admin: httpx.AsyncClient, source_id: int, destination_ids: list[int]
) -> None:
    pipeline = await created(admin, source_id=source_id, destination_id=destination_ids[0])
    path = f"{API}/pipelines/{pipeline['id']}"
    renamed = (await admin.put(path, json={**pipeline, "name": "renamed"})).json()
    assert (renamed["name"], renamed["generation"]) == ("renamed", 1)
    tuned = (await admin.put(path, json={"profile": "fast", "max_batch_rows": 5000})).json()
    assert (tuned["profile"], tuned["max_batch_rows"], tuned["generation"]) == ("fast", 5000, 2)
    started = (await admin.put(path, json={"status": "START"})).json()
    assert started["status"] == "START"
    moved = await admin.put(path, json={"source_id": source_id + 1})
    assert (moved.status_code, moved.json()["code"]) == (409, "SOURCE_IS_FIXED")


async def test_deleting_leaves_the_slot_to_be_cleaned_up(admin: httpx.AsyncClient, sql: Sql, source_id: int) -> None:
    pipeline = await created(admin, source_id=source_id)
    sql("UPDATE pipelines SET slot_name = 'rosetta_1_1'")
    assert (await admin.delete(f"{API}/pipelines/{pipeline['id']}")).status_code == 204
    assert (await admin.get(f"{API}/pipelines/{pipeline['id']}")).status_code == 404
    assert sql("SELECT kind, object_name FROM cleanup_tasks") == [("DROP_SLOT", "rosetta_1_1")]


async def test_destinations_join_and_leave(
    admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_ids: list[int]
) -> None:
    pipeline = await created(admin, source_id=source_id)
    base = f"{API}/pipelines/{pipeline['id']}/destinations"
    body = {"destination_id": destination_ids[0], "table_syncs": [{"table_name": "orders"}]}
    joined = await admin.post(base, json=body)
    assert joined.status_code == 201, joined.text
    assert joined.json()["destination"]["name"] == "a"
    assert joined.json()["metadata"]["health_status"] == "UNKNOWN"
    again = await admin.post(base, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "DUPLICATE_ENTITY")
    unknown = await admin.post(base, json={"destination_id": 4711})
    assert unknown.json()["details"] == {"entity_type": "destination", "entity_id": 4711}
    assert (await admin.post(f"{API}/pipelines/4711/destinations", json=body)).status_code == 404
    assert (await admin.delete(f"{base}/{destination_ids[0]}")).status_code == 204
    assert (await admin.delete(f"{base}/{destination_ids[0]}")).status_code == 404
    assert (await admin.get(f"{base}/{destination_ids[0]}/metadata")).status_code == 404
    assert sql("SELECT count(*) FROM table_syncs") == [(0,)]


async def test_table_syncs(admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_ids: list[int]) -> None:
    pipeline = await created(admin, source_id=source_id, destination_id=destination_ids[0])
    base = f"{API}/pipelines/{pipeline['id']}/destinations/{destination_ids[0]}/tables"
    sync = (await admin.post(base, json={"table_name": "orders"})).json()
    assert (sync["schema_name"], sync["mode"], sync["state"]) == ("public", "current", "PENDING")
    assert (await admin.post(base, json={"table_name": "orders"})).json()["code"] == "DUPLICATE_ENTITY"
    await admin.post(base, json={"table_name": "items", "delete_mode": "soft", "mode": "append"})
    assert (await admin.get(base)).json()["total"] == 2
    assert (await admin.get(base, params={"table_name": "items"})).json()["items"][0]["delete_mode"] == "soft"
    path = f"{base}/{sync['id']}"
    fresh = (await admin.put(path, json={"target_name": "o"})).json()
    assert (fresh["target_name"], fresh["desired_state"]) == ("o", "ACTIVE")
    sql("UPDATE table_syncs SET state = 'STREAMING'")
    moved = (await admin.put(path, json={**fresh, "target_name": "orders2"})).json()
    assert (moved["target_name"], moved["desired_state"]) == ("orders2", "RESYNC")
    assert sql("SELECT generation FROM pipelines") == [(3,)]
    retabled = await admin.put(path, json={"table_name": "items"})
    assert (retabled.status_code, retabled.json()["code"]) == (409, "TABLE_IS_FIXED")
    for verb, desired in (("pause", "PAUSED"), ("resume", "ACTIVE"), ("resync", "RESYNC")):
        assert (await admin.post(f"{path}/{verb}")).json()["desired_state"] == desired
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.post(f"{path}/pause")).status_code == 404
    # else the table would come back by itself
    assert sql("SELECT sync_all_tables FROM pipeline_destinations") == [(False,)]


async def test_a_destination_is_resynced_whole(
    admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_ids: list[int]
) -> None:
    a, b, _ = destination_ids
    pipeline = await created(admin, source_id=source_id, destination_ids=[a, b])
    base = f"{API}/pipelines/{pipeline['id']}/destinations"
    for destination, names in ((a, ("orders", "items", "notes")), (b, ("orders",))):
        for name in names:
            await admin.post(f"{base}/{destination}/tables", json={"table_name": name})
    sql("UPDATE table_syncs SET desired_state = 'PAUSED' WHERE table_name = 'notes'")
    answer = await admin.post(f"{base}/{a}/resync")
    assert answer.status_code == 200
    wanted = {sync["table_name"]: sync["desired_state"] for sync in answer.json()["table_syncs"]}
    assert wanted == {"orders": "RESYNC", "items": "RESYNC", "notes": "PAUSED"}
    assert (await admin.get(f"{base}/{b}/tables")).json()["items"][0]["desired_state"] == "ACTIVE"
    assert (await admin.post(f"{base}/{destination_ids[2]}/resync")).status_code == 404


async def test_a_sync_is_found_only_below_its_own_destination(
    admin: httpx.AsyncClient, source_id: int, destination_ids: list[int]
) -> None:
    a, b, _ = destination_ids
    pipeline = await created(admin, source_id=source_id, destination_ids=[a, b])
    base = f"{API}/pipelines/{pipeline['id']}/destinations"
    sync = (await admin.post(f"{base}/{a}/tables", json={"table_name": "orders"})).json()
    assert (await admin.put(f"{base}/{b}/tables/{sync['id']}", json={"target_name": "x"})).status_code == 404
    assert (await admin.delete(f"{base}/{b}/tables/{sync['id']}")).status_code == 404
    assert (await admin.get(f"{base}/4711/tables")).status_code == 404


async def test_custom_sql_is_for_admins_and_stands_alone(
    app: FastAPI, tokens: Tokens, admin: httpx.AsyncClient, source_id: int, destination_ids: list[int]
) -> None:
    pipeline = await created(admin, source_id=source_id, destination_id=destination_ids[0])
    base = f"{API}/pipelines/{pipeline['id']}/destinations/{destination_ids[0]}/tables"
    statement = {"custom_sql": "SELECT id, upper(name) AS name FROM batch"}
    mixed = await admin.post(base, json={"table_name": "t", "columns": ["id"], **statement})
    assert (mixed.status_code, mixed.json()["code"]) == (422, "TABLE_RULES_INVALID")
    sync = (await admin.post(base, json={"table_name": "t", **statement})).json()
    assert sync["custom_sql"] == statement["custom_sql"]
    async with client_of(app, tokens[Role.OPERATOR]) as operator:
        refused = await operator.post(base, json={"table_name": "u", **statement})
        assert (refused.status_code, refused.json()["details"]["required_role"]) == (403, "admin")
        another = await operator.put(f"{base}/{sync['id']}", json={"custom_sql": "SELECT id FROM batch"})
        assert another.status_code == 403
        kept = await operator.put(f"{base}/{sync['id']}", json={"target_name": "v", **statement})
        assert (kept.status_code, kept.json()["target_name"]) == (200, "v")
        joined = {"destination_id": destination_ids[1], "table_syncs": [{"table_name": "t", **statement}]}
        assert (await operator.post(f"{API}/pipelines/{pipeline['id']}/destinations", json=joined)).status_code == 403


async def test_rules_are_stored_as_they_are_meant_and_refused_where_they_mean_nothing(
    admin: httpx.AsyncClient, source_id: int, destination_ids: list[int]
) -> None:
    pipeline = await created(admin, source_id=source_id, destination_id=destination_ids[0])
    base = f"{API}/pipelines/{pipeline['id']}/destinations/{destination_ids[0]}/tables"
    rules = {"columns": {"id": "key", "ssn": "ssn"}, "masks": {"ssn": "hash"}, "filters": ["id > 1"]}
    sync = (await admin.post(base, json={"table_name": "t", **rules})).json()
    assert sync["filters"] == [{"column": "id", "operator": ">", "value": "1"}]
    again = (await admin.put(f"{base}/{sync['id']}", json=sync)).json()
    assert {**again, "updated_at": None} == {**sync, "updated_at": None}
    for wrong in ({"columns": {"a": "x", "b": "x"}}, {"masks": {"ssn": "blur"}}, {"filters": ["id >"]}):
        for refused in (
            await admin.post(base, json={"table_name": "u", **wrong}),
            await admin.put(f"{base}/{sync['id']}", json=wrong),
            await admin.post(f"{base}/validate", json={"table_name": "t", **wrong}),
        ):
            assert refused.status_code == 422
            assert refused.json()["remedy"]
    assert (await admin.post(f"{base}/validate", json={"table_name": "t", "sync_id": 4711})).status_code == 404
