"""The account behind a Snowflake destination, met through the real connector: each way to fail has its own words."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from app.domain.repositories.alert import RULES
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from fastapi import FastAPI
from tests.api.test_requests import check_error
from tests.clients import API, Sql, passes_of

from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.local.ports import free_port
from rosetta.tests.snowflake.account import Account, serving

PHRASE = "canary-phrase-3b7e"
OURS, THEIRS = (SigningKey(rsa.generate_private_key(65537, 2048)) for _ in range(2))


def pem(key: SigningKey) -> str:
    return key.private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PHRASE.encode())
    ).decode()


@pytest.fixture
def account() -> Iterator[Account]:
    with serving(Account("org-acct", "loader", [OURS])) as served:
        yield served


@pytest.fixture
def body(account: Account) -> dict[str, Any]:
    return {
        "name": "sf",
        "snowflake_account": "org-acct",
        "snowflake_user": "loader",
        "snowflake_database": "LANDING",
        "snowflake_schema": "PUBLIC",
        "snowflake_role": "LOADER",
        "snowflake_warehouse": "LOADING",
        "snowflake_host": account.host,
        "snowflake_private_key": pem(OURS),
        "snowflake_private_key_passphrase": PHRASE,
    }


async def saved(admin: httpx.AsyncClient, body: dict[str, Any]) -> str:
    answer = await admin.post(f"{API}/destinations", json=body)
    assert answer.status_code == 201, answer.text
    return f"{API}/destinations/{answer.json()['id']}"


async def test_both_forms_of_the_connection_test_tell_who_answered(
    admin: httpx.AsyncClient, body: dict[str, Any], account: Account
) -> None:
    path = await saved(admin, body)
    nested = {"name": "sf", "type": "SNOWFLAKE", "config": {key: body[key] for key in body if key != "name"}}
    for answer in (
        await admin.post(f"{API}/destinations/test-connection", json=body),
        await admin.post(f"{API}/destinations/test-connection", json=nested),
        await admin.post(f"{path}/test-connection"),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.json()["message"] == "Connected to Snowflake 9.30.1 as LOADER."
        assert (answer.json()["warehouse"], answer.json()["schema_name"]) == ("LOADING", "PUBLIC")
    assert {statement.split("(")[0] for statement in account.statements} == {"SELECT CURRENT_VERSION"}


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], int, str]] = {
    # what is changed about the account, about the destination; what the API must say
    "wrong key": ({"keys": [THEIRS]}, {}, 422, "KEY_REJECTED"),
    "other account": ({"name": "other"}, {}, 422, "KEY_REJECTED"),
    "expired token": ({"ahead_seconds": 500}, {}, 422, "TOKEN_EXPIRED"),
    "wrong passphrase": ({}, {"snowflake_private_key_passphrase": "wrong"}, 422, "KEY_PASSPHRASE_WRONG"),
    "no passphrase": ({}, {"snowflake_private_key_passphrase": None}, 422, "KEY_PASSPHRASE_MISSING"),
    "no key file": (
        {},
        {"snowflake_private_key": None, "snowflake_private_key_path": "/nowhere/rsa_key.p8"},
        422,
        "KEY_FILE_MISSING",
    ),
    "revoked role": ({"roles": set()}, {}, 422, "ROLE_NOT_GRANTED"),
    "disabled user": ({"disabled": True}, {}, 422, "USER_NOT_ALLOWED"),
    "warehouse": ({"warehouses": set()}, {}, 422, "WAREHOUSE_NOT_FOUND"),
    "no warehouse": ({}, {"snowflake_warehouse": None}, 422, "WAREHOUSE_MISSING"),
    "database": ({"databases": set()}, {}, 422, "DATABASE_NOT_FOUND"),
    "schema": ({"schemas": set()}, {}, 422, "SCHEMA_NOT_FOUND"),
    "host": ({}, {"snowflake_host": "no-such-host.invalid"}, 422, "HOST_NOT_FOUND"),
    "refused": ({}, {"snowflake_host": f"127.0.0.1:{free_port()}"}, 503, "CONNECTION_REFUSED"),
    "no tls": ({}, {"snowflake_host": "https://127.0.0.1:PORT"}, 422, "TLS_FAILED"),
    "metadata": ({}, {"snowflake_host": "169.254.169.254"}, 422, "ADDRESS_NOT_ALLOWED"),
    "in the clear": ({}, {"snowflake_host": "http://169.254.169.254"}, 422, "HOST_NOT_ENCRYPTED"),
}


async def test_each_fault_has_its_own_message_and_remedy(
    admin: httpx.AsyncClient, body: dict[str, Any], account: Account
) -> None:
    good, told = dict(vars(account)), {}
    for name, (at_account, at_destination, status, code) in FAULTS.items():
        vars(account).update(good, **at_account)
        sent = {key: value for key, value in (body | at_destination).items() if value is not None}
        sent["snowflake_host"] = sent["snowflake_host"].replace("PORT", str(account.port))
        error = check_error(await admin.post(f"{API}/destinations/test-connection", json=sent), status)
        assert (error["code"], bool(error["remedy"])) == (code, True), name
        assert PHRASE not in str(error)
        told[name] = error["message"]
    assert told["warehouse"] != told["no warehouse"]
    assert len(set(told.values())) == len(FAULTS) - 1  # a key that is wrong and an account that is: no telling apart


async def test_a_key_is_checked_before_it_is_saved_and_shown_as_snowflake_knows_it(
    admin: httpx.AsyncClient, body: dict[str, Any], sql: Sql, account: Account
) -> None:
    for change, code in (
        ({"snowflake_private_key_passphrase": "wrong"}, "KEY_PASSPHRASE_WRONG"),
        ({"snowflake_account": "a/b"}, "ACCOUNT_MALFORMED"),
        ({"snowflake_host": "http://example.org"}, "HOST_NOT_ENCRYPTED"),
        ({"snowflake_private_key": "canary"}, "KEY_MALFORMED"),
        ({"snowflake_private_key": pem(OURS).replace("\n", "\\n"), "snowflake_numeric_scale": 38}, "VALIDATION_ERROR"),
    ):
        refused = check_error(await admin.post(f"{API}/destinations", json=body | change), 422)
        assert refused["code"] == code
    assert sql("SELECT count(*) FROM destinations") == [(0,)]
    path = await saved(admin, body | {"snowflake_private_key": "".join(pem(OURS).splitlines()[1:-1])})
    key = (await admin.get(f"{path}/key")).json()
    assert (key["has_key"], key["fingerprint"], key["problem"]) == (True, OURS.fingerprint, None)
    assert key["register_sql"] == f"ALTER USER loader SET RSA_PUBLIC_KEY = '{OURS.public_text}';"
    refused = check_error(await admin.put(path, json={"snowflake_private_key_passphrase": "wrong"}), 422)
    assert refused["code"] == "KEY_PASSPHRASE_WRONG"

    # a rotation: the new key goes into the second slot, is tried, replaces the old one, which then goes
    new = {"snowflake_private_key": pem(THEIRS), "snowflake_private_key_passphrase": PHRASE}
    shown = (await admin.post(f"{API}/destinations/inspect-key", json=body | new)).json()
    assert shown["rotate_sql"] == f"ALTER USER loader SET RSA_PUBLIC_KEY_2 = '{THEIRS.public_text}';"
    account.keys = [OURS, THEIRS]
    assert (await admin.post(f"{API}/destinations/test-connection", json=body | new)).status_code == 200
    assert (await admin.put(path, json=new)).status_code == 200
    account.keys = [THEIRS]
    assert (await admin.post(f"{path}/test-connection")).status_code == 200
    assert (await admin.get(f"{path}/key")).json()["fingerprint"] == THEIRS.fingerprint

    # the passphrase goes with its key, and the key with the path of another
    plain = {"snowflake_private_key": b64encode(OURS.der).decode()}
    assert (await admin.put(path, json=plain)).status_code == 200
    assert (await admin.get(f"{path}/key")).json()["fingerprint"] == OURS.fingerprint
    elsewhere = {"snowflake_private_key_path": "/keys/rsa_key.p8"}
    assert (await admin.put(path, json=elsewhere)).status_code == 200
    assert "no key file" in (await admin.get(f"{path}/key")).json()["problem"]
    heard = str([key, shown, (await admin.get(path)).json()])
    assert PHRASE not in heard
    assert pem(THEIRS).splitlines()[1] not in heard


async def test_a_key_that_is_elsewhere_is_said_to_be(admin: httpx.AsyncClient, body: dict[str, Any]) -> None:
    config = {key: value for key, value in body.items() if "private_key" not in key}
    path = await saved(admin, config | {"snowflake_private_key_path": "/keys/rsa_key.p8"})
    key = (await admin.get(f"{path}/key")).json()
    assert (key["fingerprint"], key["register_sql"]) == (None, None)
    assert "no key file" in key["problem"]
    assert key["remedy"]


async def test_preflight_names_missing_rights_and_the_sql_that_grants_them(
    admin: httpx.AsyncClient, body: dict[str, Any], account: Account
) -> None:
    path = await saved(admin, body)
    account.grants = {
        "LOADER": [("CREATE TABLE", "SCHEMA", "LANDING.PUBLIC"), ("USAGE", "ROLE", "BASE")],
        "BASE": [("CREATE SCHEMA", "DATABASE", '"LANDING"'), ("USAGE", "ROLE", "LOADER")],
    }
    report = (await admin.get(f"{path}/preflight")).json()
    assert report["ready"] is False
    (error,) = (finding for finding in report["findings"] if finding["severity"] == "error")
    assert error["sql"] == 'GRANT CREATE STAGE ON SCHEMA "LANDING"."PUBLIC" TO ROLE "LOADER";'
    account.grants["BASE"].append(("OWNERSHIP", "SCHEMA", "LANDING.PUBLIC"))
    assert (await admin.get(f"{path}/preflight")).json()["ready"] is True
    account.warehouses = set()
    report = (await admin.get(f"{path}/preflight")).json()
    assert [finding["code"] for finding in report["findings"] if finding["severity"] == "error"] == [
        "WAREHOUSE_NOT_FOUND"
    ]


async def test_schema_shows_tables_and_columns(
    admin: httpx.AsyncClient, body: dict[str, Any], account: Account
) -> None:
    path = await saved(admin, body)
    number = '{"type":"FIXED","precision":38,"scale":0,"nullable":false}'
    text = '{"type":"TEXT","length":16777216,"byteLength":16777216,"nullable":true,"fixed":false}'
    account.columns = [
        ("ORDERS", "PUBLIC", "ID", number, "NOT_NULL"),
        ("ORDERS", "PUBLIC", "NOTE", text, "true"),
        ("ITEMS", "PUBLIC", "DATA", '{"type":"VARIANT","nullable":true}', "true"),
    ]
    found = (await admin.get(f"{path}/schema")).json()["tables"]
    assert [(table["schema_name"], table["table_name"]) for table in found] == [
        ("PUBLIC", "ORDERS"),
        ("PUBLIC", "ITEMS"),
    ]
    assert found[0]["columns"] == [
        {"name": "ID", "type": "NUMBER(38,0)", "nullable": False},
        {"name": "NOTE", "type": "VARCHAR(16777216)", "nullable": True},
    ]


async def test_credits_are_read_rarely_kept_and_told(
    app: FastAPI, admin: httpx.AsyncClient, body: dict[str, Any], account: Account, sql: Sql
) -> None:
    path = await saved(admin, body)
    unreadable = (await admin.get(f"{path}/credits")).json()
    assert (unreadable["readable"], unreadable["days"], unreadable["total"]) == (False, [], "0")
    assert "USAGE_VIEWER TO ROLE LOADER" in unreadable["remedy"]
    assert "canary" not in str(unreadable)

    (today,), (before,) = sql("SELECT current_date::text UNION ALL SELECT (current_date - 40)::text")
    account.credits = [("LOADING", today, "30.5"), ("LOADING", before, "0.25")]
    app.state.meters._meters["SNOWFLAKE"]._kept.clear()
    month = (await admin.get(f"{path}/credits")).json()
    assert (month["readable"], month["days"]) == (True, [{"warehouse": "LOADING", "day": today, "credits": "30.5"}])
    year = (await admin.get(f"{path}/credits", params={"days": 366})).json()
    assert year["total"] == "30.75"
    asked = [statement for statement in account.statements if "METERING" in statement]
    assert len(asked) == 2  # the second time for both
    check_error(await admin.get(f"{path}/credits", params={"days": 367}), 422)
    config = {"pg_host": "127.0.0.1", "pg_database": "d", "pg_username": "u"}
    postgres = await saved(admin, {"name": "pg", "type": "POSTGRESQL", "config": config})
    assert check_error(await admin.get(f"{postgres}/credits"), 422)["code"] == "NO_CREDITS"
    assert check_error(await admin.get(f"{postgres}/key"), 422)["code"] == "NO_KEY_PAIR"

    # the background task does the same for destinations that are written to, and the rule looks at what is kept
    passes = passes_of(app, app.state.settings)
    sql("DELETE FROM destination_credits")
    await passes.meter()
    assert sql("SELECT count(*) FROM destination_credits") == [(0,)]
    sql("INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name) VALUES ('s','h','d','u','p')")
    sql(
        "INSERT INTO pipelines (name, source_id, destination_id, status) SELECT 'p', id, %s, 'START' FROM sources",
        int(path.rpartition("/")[2]),
    )
    await passes.meter()
    assert sql("SELECT credits::text FROM destination_credits") == [("30.5",)]
    assert "CREDITS" in RULES
    await passes.alert()
    told = (await admin.get(f"{API}/notifications", params={"limit": 100})).json()["items"]
    assert [row["message"] for row in told if row["kind"] == "CREDITS"] == [
        f"Its warehouses used 30.5 credits on {today}."
    ]

    # what two destinations use of one warehouse is used once
    await saved(admin, body | {"name": "the same warehouse again"})
    sql(
        "INSERT INTO destination_credits SELECT max(d.id), warehouse, day, credits"
        " FROM destination_credits, destinations d GROUP BY 2, 3, 4"
    )
    assert (await admin.get(f"{API}/dashboard/summary")).json()["snowflake_credits"] == "30.5"
    account.keys = []
    app.state.meters._meters["SNOWFLAKE"]._kept.clear()
    await passes.meter()  # a destination that is away does not end the task
