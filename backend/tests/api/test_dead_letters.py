"""The dead-letter queue by the API: what is parked, and what a person decides about it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.clients import Sql, Tokens, client_of
from tests.conftest import SECRET_KEY

from rosetta.dead_letters import open_payload, read_rows
from rosetta.enums import Role
from rosetta.secrets import Keyring
from rosetta.tests.parking import CANARY, Parking, make_parking


@pytest.fixture
def parking(sql: Sql) -> Parking:
    return make_parking(sql, Keyring.from_secret_key(SECRET_KEY))


async def listed(client: httpx.AsyncClient, parking: Parking, **params: Any) -> list[int]:
    answer = await client.get(f"{parking.path}/dlq", params=params)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["total"] >= len(page["items"])
    return [item["id"] for item in page["items"]]


async def test_the_count_is_of_changes_and_only_of_open_ones(admin: httpx.AsyncClient, parking: Parking) -> None:
    assert (await admin.get(f"{parking.path}/dlq/count")).json() == {"count": 0}
    parking.segment(40, 1)
    parking.record(7, 2)
    parking.record(8, 3, state="RECOVERED", payload=b"")
    assert (await admin.get(f"{parking.path}/dlq/count")).json() == {"count": 41}
    other = parking.other_path
    assert (await admin.get(f"{other}/dlq/count")).json() == {"count": 0}
    assert (await admin.get(f"{other}/dlq")).json()["total"] == 0


async def test_a_pipeline_shows_what_is_parked_and_takes_a_policy(
    admin: httpx.AsyncClient, parking: Parking, sql: Sql
) -> None:
    parking.segment(40, 1)
    parking.record(7, 2)
    sql(
        "UPDATE pipeline_destinations SET parked_commit_lsn = '0/10', detached_at = now() WHERE destination_id = %s",
        parking.destination_id,
    )
    pipelines = (await admin.get("/api/v1/pipelines")).json()["items"]
    one = (await admin.get(f"/api/v1/pipelines/{parking.pipeline_id}")).json()
    assert pipelines == [one]
    full, empty = one["destinations"]
    assert (full["parked_records"], full["parked_changes"], full["parked_commit_lsn"]) == (2, 41, "0/10")
    assert full["parked_bytes"] == sql("SELECT sum(payload_bytes)::bigint FROM dlq_records")[0][0]
    assert full["detached_at"] is not None
    assert (empty["parked_records"], empty["parked_changes"], empty["parked_bytes"]) == (0, 0, 0)
    assert (one["wal_budget_bytes"], one["wal_budget_policy"], one["slot_dropped_for"]) == (None, "warn", None)
    changed = await admin.put(parking.path, json={**full, "park_policy": "detach"})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["park_policy"], changed.json()["parked_changes"]) == ("detach", 41)
    budget = {**one, "wal_budget_bytes": 10_000_000, "wal_budget_policy": "pause"}
    answer = (await admin.put(f"/api/v1/pipelines/{parking.pipeline_id}", json=budget)).json()
    assert (answer["wal_budget_bytes"], answer["wal_budget_policy"]) == (10_000_000, "pause")
    wrong = await admin.put(parking.path, json={"park_policy": "drop"})
    assert wrong.status_code == 422
    elsewhere = await admin.put(f"/api/v1/pipelines/{parking.pipeline_id}/destinations/4711", json={})
    assert elsewhere.status_code == 404


async def test_a_list_shows_everything_but_values(admin: httpx.AsyncClient, parking: Parking) -> None:
    number = parking.record(7, 18)
    answer = await admin.get(f"{parking.path}/dlq")
    assert CANARY not in answer.text
    (item,) = answer.json()["items"]
    assert item["id"] == number
    assert {name: item[name] for name in ("kind", "operation", "state", "error_class", "error_code", "attempts")} == {
        "kind": "RECORD",
        "operation": "UPDATE",
        "state": "PARKED",
        "error_class": "DATA",
        "error_code": "22003",
        "attempts": 0,
    }
    assert (item["commit_lsn"], item["row_count"], item["waits_behind"]) == ("0/12", 1, False)


async def test_pages_by_offset_and_by_cursor_in_both_orders(admin: httpx.AsyncClient, parking: Parking) -> None:
    numbers = [parking.record(n, n) for n in range(1, 24)]
    for sort, expected in (("id", numbers), ("-id", numbers[::-1])):
        by_offset = [await listed(admin, parking, sort=sort, limit=5, offset=offset) for offset in range(0, 30, 5)]
        assert list(itertools.chain(*by_offset)) == expected
        assert [len(page) for page in by_offset] == [5, 5, 5, 5, 3, 0]
        by_cursor: list[int] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await admin.get(f"{parking.path}/dlq", params={"sort": sort, "limit": 5, **cursor})).json()
            assert page["total"] == 23
            by_cursor += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert by_cursor == expected
    unsorted = await admin.get(f"{parking.path}/dlq", params={"sort": "attempts"})
    assert (unsorted.status_code, unsorted.json()["code"]) == (422, "UNKNOWN_SORT_FIELD")


async def test_filters(admin: httpx.AsyncClient, parking: Parking) -> None:
    data = parking.record(1, 1)
    outage = parking.segment(3, 2)
    elsewhere = parking.record(1, 3, table_name="items")
    gone = parking.record(2, 4, state="SUPERSEDED", payload=b"")
    retrying = parking.record(3, 5, state="RETRYING")
    assert await listed(admin, parking) == [data, outage, elsewhere, retrying]
    assert await listed(admin, parking, table_name="items") == [elsewhere]
    assert await listed(admin, parking, schema_name="public", table_name="orders") == [data, outage, retrying]
    assert await listed(admin, parking, schema_name="private") == []
    assert await listed(admin, parking, error_class="OUTAGE") == [outage]
    assert await listed(admin, parking, kind="RECORD", error_class="DATA") == [data, elsewhere, retrying]
    assert await listed(admin, parking, state=["SUPERSEDED", "RETRYING"]) == [gone, retrying]
    assert await listed(admin, parking, state="DISCARDED") == []
    wrong = await admin.get(f"{parking.path}/dlq", params={"state": "LOST"})
    assert wrong.status_code == 422


async def test_what_is_open_is_grouped_by_table_and_error(admin: httpx.AsyncClient, parking: Parking, sql: Sql) -> None:
    async def grouped(**params: int) -> tuple[list[tuple[Any, ...]], int]:
        answer = await admin.get(f"{parking.path}/dlq/groups", params=params)
        assert answer.status_code == 200, answer.text
        names = ("schema_name", "table_name", "error_class", "error_code", "records", "changes")
        return [tuple(item[name] for name in names) for item in answer.json()["items"]], answer.json()["total"]

    assert await grouped() == ([], 0)
    parking.segment(40, 1, error_code="CONNECTION_REFUSED")
    first, *others = [parking.record(key, key) for key in range(2, 5)]
    elsewhere = parking.record(5, 5, table_name="items", state="RETRYING")
    parking.record(6, 6, error_code="PG_23502", state="RECOVERED", payload=b"")
    outage = ("public", "orders", "OUTAGE", "CONNECTION_REFUSED", 1, 40)
    item = ("public", "items", "DATA", "22003", 1, 1)
    assert await grouped() == ([outage, ("public", "orders", "DATA", "22003", 3, 3), item], 3)
    # as compute does: refused for another reason, then taken
    sql("UPDATE dlq_records SET attempts = attempts + 1, error_code = 'PG_23514' WHERE id = %s", first)
    two = ("public", "orders", "DATA", "22003", 2, 2)
    assert await grouped() == ([outage, two, item, ("public", "orders", "DATA", "PG_23514", 1, 1)], 4)
    assert await grouped(limit=2) == ([outage, two], 4)
    assert await listed(admin, parking, error_code="PG_23514") == [first]
    assert await listed(admin, parking, table_name="orders", error_code="22003") == others
    sql("UPDATE dlq_records SET state = 'RECOVERED', payload = '' WHERE id = %s", first)
    assert await grouped() == ([outage, two, item], 3)
    asked = await admin.post(f"{parking.path}/recover-dlq", json={"filter": {"error_code": "CONNECTION_REFUSED"}})
    assert (asked.json()["asked"], asked.json()["changes"]) == (1, 40)
    chosen = {"filter": {"table_name": "items", "error_code": "22003"}, "reason": "a test order"}
    assert (await admin.post(f"{parking.path}/dlq/discard", json=chosen)).json()["discarded"] == 1
    assert sql("SELECT id FROM dlq_records WHERE state = 'DISCARDED'") == [(elsewhere,)]
    assert await grouped() == ([outage, two], 2)
    assert (await admin.get(f"{parking.other_path}/dlq/groups")).json() == {"items": [], "total": 0}


async def test_records_of_a_row_are_found_by_its_key(admin: httpx.AsyncClient, parking: Parking, sql: Sql) -> None:
    first, _, third = parking.record(7, 1), parking.record(8, 2), parking.record(7, 3)
    assert await listed(admin, parking, table_name="orders", key="7") == [first, third]
    assert await listed(admin, parking, table_name="orders", key="9") == []
    assert await listed(admin, parking, table_name="orders", key=["7", "7"]) == []
    alone = await admin.get(f"{parking.path}/dlq", params={"key": "7"})
    assert (alone.status_code, alone.json()["code"]) == (422, "KEY_WITHOUT_TABLE")
    wide = await admin.get(f"{parking.path}/dlq", params={"table_name": "orders", "key": ["7"] * 9})
    assert (wide.status_code, wide.json()["code"]) == (422, "KEY_TOO_WIDE")
    chosen = {"filter": {"table_name": "orders", "key": ["7"]}}
    assert (await admin.post(f"{parking.path}/recover-dlq", json=chosen)).json()["asked"] == 2
    assert sql("SELECT details FROM audit_log") == [
        ({"records": 2, "filter": {"table_name": "orders", "by_key": True}},)
    ]


async def test_a_record_is_shown_with_its_values_and_what_waits_behind_it(
    admin: httpx.AsyncClient, parking: Parking
) -> None:
    first = parking.record(7, 1)
    second, third = (parking.record(7, lsn, next_attempt_at="infinity") for lsn in (2, 3))
    parking.record(8, 4)
    seen = (await admin.get(f"{parking.path}/dlq/{second}")).json()
    assert seen["changes"] == [
        {"operation": "UPDATE", "lsn": "0/2", "values": {"id": "7", "note": CANARY, "amount": "2"}, "unchanged": []}
    ]
    assert (seen["columns"], seen["key_columns"]) == (["id", "note", "amount"], ["id"])
    assert (seen["waits_behind"], seen["next_attempt_at"]) == (True, None)
    assert seen["behind"] == {"count": 1, "ids": [third]}
    assert seen["ahead"] == {"count": 1, "ids": [first]}
    items = (await admin.get(f"{parking.path}/dlq")).json()["items"]
    assert [item["waits_behind"] for item in items] == [False, True, True, False]


async def test_a_segment_shows_its_first_changes(admin: httpx.AsyncClient, parking: Parking) -> None:
    first, second = parking.segment(300, 1), parking.segment(2, 2)
    seen = (await admin.get(f"{parking.path}/dlq/{first}", params={"changes": 3})).json()
    assert [change["values"]["id"] for change in seen["changes"]] == ["0", "1", "2"]
    assert (seen["row_count"], seen["behind"]) == (300, {"count": 1, "ids": [second]})
    all_of_it = (await admin.get(f"{parking.path}/dlq/{first}", params={"changes": 500})).json()
    assert len(all_of_it["changes"]) == 300


async def test_viewers_see_no_values(app: FastAPI, tokens: Tokens, parking: Parking) -> None:
    number = parking.record(7, 1)
    async with client_of(app, tokens[Role.VIEWER]) as viewer:
        seen = await viewer.get(f"{parking.path}/dlq/{number}")
        assert CANARY not in seen.text
        assert seen.json()["changes"][0]["values"] is None
        assert seen.json()["columns"] == ["id", "note", "amount"]
    async with client_of(app, tokens[Role.OPERATOR]) as operator:
        assert CANARY in (await operator.get(f"{parking.path}/dlq/{number}")).text


async def test_an_edit_seals_the_new_value_and_asks_for_a_retry(
    admin: httpx.AsyncClient, parking: Parking, sql: Sql, capsys: pytest.CaptureFixture[str]
) -> None:
    number = parking.record(7, 1)
    edited = await admin.put(f"{parking.path}/dlq/{number}", json={"values": {"amount": "12\t5", "note": None}})
    assert edited.status_code == 200, edited.text
    assert edited.json()["changes"][0]["values"] == {"id": "7", "note": None, "amount": "12\t5"}
    token_id = sql("SELECT id FROM tokens WHERE role = 'admin'")[0][0]
    row = sql("SELECT edited_by, retry_requested_at IS NOT NULL, state, payload, payload_bytes FROM dlq_records")[0]
    assert row[:3] == (token_id, True, "PARKED")
    payload = open_payload(bytes(row[3]), parking.keyring, parking.pipeline_id, parking.destination_id)
    assert read_rows(payload)[0].values == {"id": "7", "note": None, "amount": "12\t5"}
    assert row[4] == len(payload.data)
    assert sql("SELECT sum(payload_bytes)::bigint FROM dlq_totals") == [(len(payload.data),)]
    (trail,) = sql("SELECT action, entity_id, details FROM audit_log")
    assert trail == (
        "dlq.edit",
        f"{parking.pipeline_id}/{parking.destination_id}",
        {"record_id": number, "columns": ["amount", "note"], "change": 0},
    )
    assert "12\\t5" not in json.dumps(trail) + capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"values": {"colour": "x"}}, "COLUMN_NOT_FOUND"),
        ({"values": {"id": "8"}}, "KEY_NOT_EDITABLE"),
        ({"values": {"note": "x"}, "change": 1}, "CHANGE_NOT_FOUND"),
        ({"values": {}}, "VALIDATION_ERROR"),
        ({"values": {"note": 5}}, "VALIDATION_ERROR"),
        ({"values": {"note": f"{CANARY}\0"}}, "VALIDATION_ERROR"),
    ],
)
async def test_what_cannot_be_edited_is_refused_without_its_value(
    admin: httpx.AsyncClient, parking: Parking, body: dict[str, Any], code: str
) -> None:
    number = parking.record(7, 1)
    refused = await admin.put(f"{parking.path}/dlq/{number}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["remedy"]
    assert CANARY not in refused.text


async def test_a_segment_cannot_be_edited(admin: httpx.AsyncClient, parking: Parking) -> None:
    refused = await admin.put(f"{parking.path}/dlq/{parking.segment(2, 1)}", json={"values": {"note": "x"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "DLQ_SEGMENT_NOT_EDITABLE")


async def test_a_closed_record_is_shown_and_left_alone(admin: httpx.AsyncClient, parking: Parking) -> None:
    number = parking.record(7, 1, state="RECOVERED", payload=b"")
    seen = (await admin.get(f"{parking.path}/dlq/{number}")).json()
    assert (seen["state"], seen["changes"]) == ("RECOVERED", [])
    for answer in (
        await admin.put(f"{parking.path}/dlq/{number}", json={"values": {"note": "x"}}),
        await admin.post(f"{parking.path}/recover-dlq", json={"ids": [number]}),
        await admin.post(f"{parking.path}/dlq/discard", json={"ids": [number], "reason": "too late"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "DLQ_RECORD_CLOSED")
        assert answer.json()["remedy"]


async def test_a_record_is_found_only_at_its_own_destination(admin: httpx.AsyncClient, parking: Parking) -> None:
    number = parking.record(7, 1)
    for path in (parking.other_path, parking.path.replace("destinations/", "destinations/47")):
        for answer in (
            await admin.get(f"{path}/dlq/{number}"),
            await admin.put(f"{path}/dlq/{number}", json={"values": {"note": "x"}}),
            await admin.post(f"{path}/recover-dlq", json={"ids": [number]}),
            await admin.post(f"{path}/dlq/discard", json={"ids": [number], "reason": "r"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "ENTITY_NOT_FOUND")
            assert answer.json()["remedy"]


async def test_recovery_is_only_asked_for(admin: httpx.AsyncClient, parking: Parking, sql: Sql) -> None:
    parking.segment(10, 1)
    first, second = parking.record(1, 2), parking.record(2, 3)
    everything = await admin.post(f"{parking.path}/recover-dlq")
    assert everything.json()["asked"] == 3
    assert (everything.json()["changes"], everything.json()["complete"]) == (12, True)
    assert "paused" in everything.json()["warnings"][0]
    assert sql("SELECT recover_requested_at IS NOT NULL FROM pipeline_destinations ORDER BY id") == [(True,), (False,)]
    assert sql("SELECT count(*) FROM dlq_records WHERE retry_requested_at IS NOT NULL") == [(0,)]
    sql("UPDATE pipelines SET status = 'START'")
    one = (await admin.post(f"{parking.path}/recover-dlq", json={"ids": [first]})).json()
    assert one == {"asked": 1, "changes": 1, "complete": True, "warnings": []}
    rest = (await admin.post(f"{parking.path}/recover-dlq", json={"filter": {"error_class": "DATA"}})).json()
    assert rest["asked"] == 1  # the other one was asked for already
    asked = sql("SELECT id FROM dlq_records WHERE retry_requested_at IS NOT NULL ORDER BY id")
    assert asked == [(first,), (second,)]
    assert sql("SELECT DISTINCT state FROM dlq_records") == [("PARKED",)]
    assert [row[0] for row in sql("SELECT action FROM audit_log ORDER BY id")] == ["dlq.recover"] * 3


async def test_discarding_needs_a_selection_and_a_reason_and_sets_free_what_waits(
    admin: httpx.AsyncClient, parking: Parking, sql: Sql
) -> None:
    first, behind, other = parking.record(7, 1), parking.record(7, 2), parking.record(8, 3)
    for body in ({"ids": [first]}, {"reason": "r"}, {"ids": [first], "reason": "  "}, {"filter": {}, "reason": "r"}):
        assert (await admin.post(f"{parking.path}/dlq/discard", json=body)).status_code == 422
    both = {"ids": [first], "all": True, "reason": "r"}
    assert (await admin.post(f"{parking.path}/dlq/discard", json=both)).status_code == 422
    done = await admin.post(f"{parking.path}/dlq/discard", json={"ids": [first], "reason": "a test order"})
    assert done.json() == {"discarded": 1, "changes": 1, "complete": True}
    rows = sql("SELECT id, state, discard_reason, payload, retry_requested_at IS NOT NULL FROM dlq_records ORDER BY id")
    assert [(*row[:3], bytes(row[3]) == b"", row[4]) for row in rows] == [
        (first, "DISCARDED", "a test order", True, False),
        (behind, "PARKED", None, False, True),
        (other, "PARKED", None, False, False),
    ]
    trail = sql("SELECT action, details ->> 'reason', details -> 'ids' FROM audit_log")
    assert trail == [("dlq.discard", "a test order", [first])]
    everything = await admin.post(f"{parking.path}/dlq/discard", json={"all": True, "reason": "a new start"})
    assert everything.json()["discarded"] == 2
    assert (await admin.get(f"{parking.path}/dlq/count")).json() == {"count": 0}


async def test_nothing_is_done_when_one_of_the_ids_cannot_be(
    admin: httpx.AsyncClient, parking: Parking, sql: Sql
) -> None:
    number = parking.record(7, 1)
    refused = await admin.post(f"{parking.path}/dlq/discard", json={"ids": [number, 4711], "reason": "r"})
    assert (refused.status_code, refused.json()["details"]["entity_id"]) == (404, 4711)
    assert sql("SELECT state FROM dlq_records") == [("PARKED",)]
    assert sql("SELECT count(*) FROM audit_log") == [(0,)]


async def test_the_totals_follow_every_kind_of_change(parking: Parking, sql: Sql) -> None:
    for n in range(300):  # enough that contributions are added up on the way
        parking.record(n, n + 1)
    sql("UPDATE dlq_records SET state = 'RECOVERED', payload_bytes = 0 WHERE ordinal = 1 AND id % 2 = 0")
    sql("DELETE FROM dlq_records WHERE id % 5 = 0")
    sql("UPDATE dlq_records SET attempts = attempts + 1")
    sql("UPDATE dlq_records SET error_code = CASE id % 3 WHEN 0 THEN 'PG_23514' END WHERE id % 7 <> 0")
    sums = "sum(row_count)::bigint, sum(payload_bytes)::bigint"
    kept = f"SELECT state, error_code, sum(records)::bigint, {sums} FROM dlq_totals"
    counted = f"SELECT state, error_code, count(*), {sums} FROM dlq_records"
    assert sql(f"{kept} GROUP BY 1, 2 ORDER BY 1, 2") == sql(f"{counted} GROUP BY 1, 2 ORDER BY 1, 2")
    sql("DELETE FROM pipelines")
    assert sql("SELECT count(*) FROM dlq_totals") == [(0,)]
