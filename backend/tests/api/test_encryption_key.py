"""What the API says of the key that secrets are sealed under: how much, and nothing that opens it."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg2
from app.core.security import keyring_of
from fastapi import FastAPI
from pydantic import SecretStr
from tests.clients import API, Sql
from tests.conftest import SECRET_KEY

from rosetta.rotation import rotate
from rosetta.secrets import Keyring
from rosetta.tests.parking import make_parking

FORMER, FOREIGN = "a former key of this installation", "a key that nobody has any more"


async def shown(admin: httpx.AsyncClient) -> dict[str, Any]:
    answer = await admin.get(f"{API}/settings/encryption-key")
    assert answer.status_code == 200, answer.text
    assert not [key for key in (SECRET_KEY, FORMER, FOREIGN) if key in answer.text]
    found: dict[str, Any] = answer.json()
    return found


async def test_how_much_is_under_which_key_before_and_after_a_rotation(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    first = await shown(admin)
    assert first["previous_key_ids"] == []
    assert first["rotated_at"] is None
    assert first["secrets"] == {"current": 1, "previous": 0, "unknown": 0}, "the password of the source"
    assert first["payloads"] == {"current": 0, "previous": 0, "unknown": 0}

    former, foreign = Keyring.from_secret_key(FORMER), Keyring.from_secret_key(FOREIGN)
    await admin.post(f"{API}/destinations", json=destination_body)
    parking = make_parking(sql, former)
    parking.record(7, 1)
    parking.segment(3, 2)
    sql(
        "UPDATE destinations SET config = jsonb_build_object('pg_host', 'h', 'pg_password', %s::text) WHERE id = %s",
        former.seal("x", f"destinations.config.pg_password:{parking.destination_id}"),
        parking.destination_id,
    )
    forgotten = "UPDATE dlq_records SET payload = '', state = 'DISCARDED', discard_reason = 'a test' WHERE id = %s"
    sql(forgotten, parking.record(8, 3))
    settings = app.state.settings.model_copy(update={"secret_key_previous": (SecretStr(FORMER),)})
    app.state.keyring = keyring_of(settings)
    before = await shown(admin)
    assert (before["key_id"], before["previous_key_ids"]) == (first["key_id"], [former.key_id])
    assert before["secrets"] == {"current": 2, "previous": 1, "unknown": 0}
    assert before["payloads"] == {"current": 0, "previous": 2, "unknown": 0}
    assert before["waiting"] == 1, "a segment is found by its place, not by keys"

    rotate(settings.database_url.get_secret_value(), app.state.keyring)
    after = await shown(admin)
    assert after["secrets"] == {"current": 3, "previous": 0, "unknown": 0}
    assert after["payloads"] == {"current": 2, "previous": 0, "unknown": 0}
    assert after["waiting"] == 1

    sql(
        "UPDATE sources SET pg_password = %s WHERE id = %s",
        foreign.seal("x", f"sources.pg_password:{source_id}"),
        source_id,
    )
    sql("UPDATE dlq_records SET payload = %s WHERE kind = 'SEGMENT'", psycopg2.Binary(foreign.seal_bytes(b"x", "y")))
    lost = await shown(admin)
    assert lost["secrets"] == {"current": 2, "previous": 0, "unknown": 1}
    assert lost["payloads"] == {"current": 1, "previous": 0, "unknown": 1}


async def test_a_rotation_to_this_key_is_remembered(admin: httpx.AsyncClient, sql: Sql) -> None:
    key_id = (await shown(admin))["key_id"]
    entry = (
        "INSERT INTO audit_log (actor_kind, actor_name, action, entity_type, entity_id, created_at)"
        " VALUES ('command', 'rosetta', 'encryption_key.rotate', 'encryption_key', %s, %s)"
    )
    for to, at in (
        (key_id, "2026-03-01T00:00:00Z"),
        (key_id, "2026-04-01T00:00:00Z"),
        ("0" * 16, "2026-05-01T00:00:00Z"),
    ):
        sql(entry, to, at)
    assert (await shown(admin))["rotated_at"] == "2026-04-01T00:00:00Z"
