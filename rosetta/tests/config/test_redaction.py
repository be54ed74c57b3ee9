"""Secrets and row values are taken out of text; what a person needs to read stays."""

from __future__ import annotations

import pytest

from rosetta.redaction import REDACTED, redact, redact_fields
from rosetta.secrets import Keyring
from rosetta.tokens import new_token

CANARY = "c4n4ry/p@ss:w0rd"
PEM = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIcanaryAAA\ncanaryBBB\n-----END ENCRYPTED PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to postgresql://rosetta:{CANARY}@db.internal:5432/config?sslmode=require",
        f"postgresql+asyncpg://rosetta:{CANARY}@db/config",
        f"redis://:{CANARY}@localhost:6379/0",
        f"dsn: host=db user=rosetta password={CANARY} dbname=x",
        f"host=db password='{CANARY} with spaces' dbname=x",
        f'{{"pg_host": "db", "pg_password": "{CANARY}", "pg_port": 5432}}',
        f"{{'pg_password': '{CANARY}', 'x': 1}}",
        f'snowflake_private_key_passphrase: "{CANARY}"',
        f"SECRET_KEY={CANARY}",
        f"/callback?token={CANARY}&next=/",
        f"Authorization: Bearer {CANARY}",
        f"authorization: Basic {CANARY}",
        "Bearer c4n4ry.c4n4ry.c4n4ry",
        "DETAIL:  Key (email)=(c4n4ry@example.org) already exists.",
        "Key (id, email)=(1, c4n4ry) already exists.",
        "ERROR: null value\nDETAIL:  Failing row contains (1, c4n4ry, (x)).\nHINT: nothing",
        'invalid input syntax for type integer: "c4n4ry"',
        "[SQL: INSERT INTO t VALUES ($1)]\n[parameters: ('c4n4ry', ['c4n4ry'])]\n(Background on this error)",
    ],
)
def test_secret_is_gone(text: str) -> None:
    redacted = redact(text)
    assert "c4n4ry" not in redacted
    assert "w0rd" not in redacted
    assert REDACTED in redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize("pem", [PEM, PEM.replace("\n", "\\n"), PEM[:60], PEM.replace("ENCRYPTED ", "RSA ")])
def test_private_key_is_gone_whole_or_cut_off(pem: str) -> None:
    assert "canary" not in redact(f"loaded {pem}")


def test_tokens_and_sealed_text_are_gone() -> None:
    token, sealed = new_token(), Keyring.from_secret_key("k").seal("x", "sources.pg_password:1")
    redacted = redact(f"used {token}, read {sealed}.")
    assert redacted == f"used {REDACTED}, read {REDACTED}."


@pytest.mark.parametrize(
    "text",
    [
        "password authentication failed for user rosetta",
        "connecting to db.internal:5432/config: Connection refused",
        "SecretError: the secret of sources.pg_password, row 17 was sealed under another key (0123456789abcdef)",
        "SECRET_KEY has fewer than 32 characters",
        "snowflake_private_key_path=/keys/rsa_key.p8",
        "slot rosetta_1_1 retains 16/B374D848",
        "http://localhost:8000/api/v1/sources/1 answered 200",
        "relation public.orders: duplicate key value violates unique constraint orders_pkey",
    ],
)
def test_what_people_need_stays(text: str) -> None:
    assert redact(text) == text


def test_host_and_database_of_a_url_stay() -> None:
    assert (
        redact(f"postgresql://u:{CANARY}@h:5432/d?sslmode=require")
        == f"postgresql://u:{REDACTED}@h:5432/d?sslmode=require"
    )


def test_fields_are_redacted_at_any_depth() -> None:
    fields = {
        "pg_password": CANARY,
        "token": 12345,
        "snowflake_private_key": PEM,
        "secretKey": CANARY,
        "config": {"nested": [{"passphrase": CANARY}, f"redis://:{CANARY}@h/0"]},
        "error": ValueError(f"password={CANARY}"),
        "rows": 3,
        "active": True,
        "lag_seconds": 0.5,
        "pg_username": "rosetta",
        "password": None,
    }
    redacted = redact_fields(fields)
    assert "c4n4ry" not in str(redacted)
    assert "canary" not in str(redacted)
    assert redacted["token"] == REDACTED
    assert {name: redacted[name] for name in ("rows", "active", "lag_seconds", "pg_username", "password")} == {
        "rows": 3,
        "active": True,
        "lag_seconds": 0.5,
        "pg_username": "rosetta",
        "password": None,
    }
