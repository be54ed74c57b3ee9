"""Backfills are asked for here and carried out by compute."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.clients import API, Sql

from rosetta.secrets import Keyring
from rosetta.tests.parking import Parking, make_parking


@pytest.fixture
def parking(sql: Sql) -> Parking:
    return make_parking(sql, Keyring.from_secret_key("of no use here"))


@pytest.fixture
def path(parking: Parking) -> str:
    return f"{API}/pipelines/{parking.pipeline_id}/backfill"


async def test_a_backfill_is_queued_with_typed_filters_and_says_why_it_waits(
    admin: httpx.AsyncClient, parking: Parking, path: str, sql: Sql
) -> None:
    body = {
        "table_name": "orders",
        "filters": ["amount >= 5", {"column": "note", "operator": "in", "value": ["it's", 7]}, "note IS NOT NULL"],
        "destination_ids": [parking.destination_id, parking.destination_id],
    }
    asked = await admin.post(path, json=body)
    assert asked.status_code == 202, asked.text
    job = asked.json()
    assert job["filters"] == [
        {"column": "amount", "operator": ">=", "value": "5"},
        {"column": "note", "operator": "IN", "value": ["it's", "7"]},
        {"column": "note", "operator": "IS NOT NULL"},
    ]
    assert (job["status"], job["status_reason"]) == ("PENDING", "the pipeline is paused")
    assert (job["schema_name"], job["destination_ids"]) == ("public", [parking.destination_id])
    figures = ("rows_done", "rows_estimated", "rows_per_second", "seconds_left")
    assert [job[name] for name in figures] == [0, None, None, None]
    sql("UPDATE pipelines SET status = 'START'")
    assert (await admin.get(f"{path}/{job['id']}")).json()["status_reason"] == "waits for the pipeline to run"
    assert sql("SELECT action, details -> 'filtered_by' FROM audit_log") == [
        ("backfill.start", ["amount >=", "note IN", "note IS NOT NULL"])
    ]


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({}, 422, "VALIDATION_ERROR"),
    ({"table_name": "orders", "filters": ["id = 1"] * 6}, 422, "VALIDATION_ERROR"),
    ({"table_name": "orders", "filters": [7]}, 422, "VALIDATION_ERROR"),
    ({"table_name": "orders", "filters": [{"column": "id", "operator": "=", "sql": "1"}]}, 422, "VALIDATION_ERROR"),
    ({"table_name": "orders", "filters": ["id = 1; DROP TABLE orders"]}, 422, "FILTER_INVALID"),
    ({"table_name": "orders", "filters": ["id = 1 OR 1 = 1"]}, 422, "FILTER_INVALID"),
    ({"table_name": "orders", "filters": [{"column": "id", "operator": "~", "value": 1}]}, 422, "FILTER_INVALID"),
    ({"table_name": "orders", "filters": [{"column": "id", "operator": "BETWEEN", "value": 1}]}, 422, "FILTER_INVALID"),
    ({"table_name": "orders", "batch_rows": 0}, 422, "VALIDATION_ERROR"),
    ({"table_name": "orders", "destination_ids": []}, 422, "VALIDATION_ERROR"),
    ({"table_name": "orders", "destination_ids": [4711]}, 409, "DESTINATION_NOT_FED"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD)
async def test_a_bad_body_is_refused_with_its_remedy(
    admin: httpx.AsyncClient, path: str, sql: Sql, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await admin.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remedy"]
    assert sql("SELECT count(*) FROM queue_backfill_data") == [(0,)]


async def test_a_table_that_no_chosen_destination_has_is_refused(
    admin: httpx.AsyncClient, parking: Parking, path: str, sql: Sql
) -> None:
    missing = {"table_name": "nowhere", "destination_ids": [parking.destination_id]}
    answer = await admin.post(path, json=missing)
    assert (answer.status_code, answer.json()["code"]) == (409, "TABLE_NOT_SYNCED")
    # the other one takes every table, and nobody has told it yet which there are
    assert (await admin.post(path, json={"table_name": "nowhere"})).status_code == 202
    sql("UPDATE pipeline_destinations SET sync_all_tables = false")
    assert (await admin.post(path, json={"table_name": "nowhere"})).status_code == 409


async def test_backfills_are_listed_without_their_parts_and_cancelled(
    admin: httpx.AsyncClient, parking: Parking, path: str, sql: Sql
) -> None:
    first, second = [(await admin.post(path, json={"table_name": "orders"})).json()["id"] for _ in range(2)]
    sql(
        "INSERT INTO queue_backfill_data (pipeline_id, table_sync_id, backfill_id, table_name)"
        " VALUES (%s, %s, %s, 'orders')",
        parking.pipeline_id,
        parking.sync_id,
        second,
    )
    sql("UPDATE queue_backfill_data SET status = 'EXECUTING' WHERE id = %s", second)
    listed = (await admin.get(path, params={"sort": "-id"})).json()
    assert ([item["id"] for item in listed["items"]], listed["total"]) == ([second, first], 2)
    assert (await admin.get(path, params={"status": "EXECUTING"})).json()["total"] == 1
    waiting = (await admin.post(f"{path}/{first}/cancel")).json()
    assert (waiting["status"], waiting["status_reason"]) == ("CANCELLED", None)
    assert waiting["completed_at"] is not None
    under_way = (await admin.post(f"{path}/{second}/cancel")).json()
    assert (under_way["status"], under_way["cancel_requested"]) == ("EXECUTING", True)
    again = await admin.post(f"{path}/{first}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "BACKFILL_ENDED")


async def test_a_status_that_is_written_by_hand_is_a_wish(
    admin: httpx.AsyncClient, parking: Parking, path: str, sql: Sql
) -> None:
    for began in ("PENDING", "EXECUTING"):
        job = (await admin.post(path, json={"table_name": "orders"})).json()["id"]
        sql("UPDATE queue_backfill_data SET status = %s WHERE id = %s", began, job)
        sql("UPDATE queue_backfill_data SET status = 'CANCELLED' WHERE id = %s", job)
        found = (await admin.get(f"{path}/{job}")).json()
        assert found["cancel_requested"]
        assert found["status"] == ("CANCELLED" if began == "PENDING" else "EXECUTING")


async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient, parking: Parking, path: str) -> None:
    for answer in (
        await admin.get(f"{path}/4711"),
        await admin.post(f"{path}/4711/cancel"),
        await admin.post(f"{API}/pipelines/4711/backfill", json={"table_name": "orders"}),
        await admin.get(f"{API}/pipelines/4711/backfill"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "ENTITY_NOT_FOUND")
