"""How a key signs in: the token that it signs, and the statements that tell Snowflake of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt

from rosetta.dialects.snowflake.keys import SigningKey

# Snowflake refuses what lives longer.
MAX_LIFETIME: Final = timedelta(hours=1)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def sign_in_token(
    key: SigningKey, account: str, user: str, now: datetime | None = None, lifetime: timedelta = timedelta(minutes=30)
) -> str:
    """A bearer token for Snowflake's REST interfaces (header X-Snowflake-Authorization-Token-Type: KEYPAIR_JWT).

    Snowflake counts from its own clock: a token that it meets more than a minute after `now` (the present) of one that
    was never used before is refused there, so it is made just before it is used.
    """
    issued = now or datetime.now(UTC)
    subject = f"{account_name(account)}.{user.upper()}"
    claims = {
        "iss": f"{subject}.{key.fingerprint}",
        "sub": subject,
        "iat": issued,
        "exp": issued + min(lifetime, MAX_LIFETIME),
    }
    return jwt.encode(claims, key.private, algorithm="RS256")


def account_name(account: str) -> str:
    """The account as tokens name it: in capitals, without the region and cloud that a locator is followed by."""
    name, _, rest = account.partition(".")
    if rest == "global":  # the name of a connection, whose last part is not the account's
        name = name.rpartition("-")[0] or name
    return name.upper()


def register_key(user: str, key: SigningKey, slot: int = 1) -> str:
    """The statement that lets `key` sign in as `user`. A user has two slots, so keys change without a gap."""
    return f"ALTER USER {_user(user)} SET {_slot(slot)} = '{key.public_text}';"


def unregister_key(user: str, slot: int = 1) -> str:
    """The statement that takes away what `register_key` gave."""
    return f"ALTER USER {_user(user)} UNSET {_slot(slot)};"


def _slot(slot: int) -> str:
    return {1: "RSA_PUBLIC_KEY", 2: "RSA_PUBLIC_KEY_2"}[slot]


def _user(user: str) -> str:
    """As a statement names it: what needs no quotes gets none, since Snowflake folds it as it did when it was made."""
    if _PLAIN_NAME.fullmatch(user):
        return user
    return '"' + user.replace('"', '""') + '"'
