"""Verifications are asked for here and carried out by compute."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.clients import API, Sql

from rosetta.secrets import Keyring
from rosetta.tests.parking import Parking, make_parking


@pytest.fixture
def parking(sql: Sql) -> Parking:
    return make_parking(sql, Keyring.from_secret_key("of no use here"))


async def test_a_pipeline_has_one_verification_at_a_time(admin: httpx.AsyncClient, parking: Parking, sql: Sql) -> None:
    path = f"{API}/pipelines/{parking.pipeline_id}/verify"
    asked = await admin.post(path)
    assert (asked.status_code, asked.json()["status"], asked.json()["repair"]) == (202, "PENDING", False)
    run = asked.json()["id"]
    second = await admin.post(path, json={"repair": True})
    assert (second.status_code, second.json()["code"]) == (409, "VERIFICATION_UNDER_WAY")
    assert str(run) in second.json()["remedy"]
    report = {"version": 1, "outcome": "EQUAL", "destinations": []}
    sql(
        "UPDATE verify_runs SET status = 'COMPLETED', report = %s, completed_at = now() WHERE id = %s",
        json.dumps(report),
        run,
    )
    done = (await admin.get(f"{path}/{run}")).json()
    assert (done["status"], done["report"]) == ("COMPLETED", report)
    body = {"repair": True, "destination_id": parking.destination_id}
    third = (await admin.post(path, json=body)).json()
    assert (third["repair"], third["destination_id"]) == (True, parking.destination_id)
    listed = (await admin.get(path, params={"sort": "-id"})).json()
    assert ([item["id"] for item in listed["items"]], listed["total"]) == ([third["id"], run], 2)
    assert (await admin.get(path, params={"status": "PENDING"})).json()["total"] == 1
    cancelled = (await admin.post(f"{path}/{third['id']}/cancel")).json()
    assert (cancelled["status"], cancelled["error_message"]) == ("FAILED", "it was cancelled")
    assert cancelled["completed_at"] is not None
    again = await admin.post(f"{path}/{third['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "VERIFICATION_ENDED")
    assert sql("SELECT action, details -> 'repair' FROM audit_log ORDER BY id") == [
        ("pipeline.verify", False),
        ("pipeline.verify", True),
        ("pipeline.verify_cancel", None),
    ]


async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient, parking: Parking) -> None:
    path = f"{API}/pipelines/{parking.pipeline_id}/verify"
    for answer in (
        await admin.get(f"{path}/4711"),
        await admin.post(f"{path}/4711/cancel"),
        await admin.post(path, json={"destination_id": 4711}),
        await admin.post(f"{API}/pipelines/4711/verify"),
        await admin.get(f"{API}/pipelines/4711/verify"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "ENTITY_NOT_FOUND")
