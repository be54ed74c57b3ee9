"""The key pair of a Snowflake destination: checked before it is saved, and what Snowflake has to be told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from app.core.exceptions import InvalidRequestError
from app.domain.ports import TargetAddress
from app.domain.schemas.inspection import KeyView
from rosetta.dialects.snowflake.sign_in import register_key, unregister_key
from rosetta.enums import DestinationType
from rosetta.errors import ConfigurationError
from rosetta.snowflake import check_account, host_of, key_of

_KEY, _PATH, _PASSPHRASE = (
    "snowflake_private_key",
    "snowflake_private_key_path",
    "snowflake_private_key_passphrase",
)
# A key file need only be there where pipelines run.
_ELSEWHERE = frozenset({"KEY_FILE_MISSING", "KEY_FILE_UNREADABLE"})


async def check_key(config: Mapping[str, Any]) -> None:
    """Raises InvalidRequestError for a private key that cannot be used, or an account that is none.

    In a thread: an encrypted key is made slow to open.
    """
    if "snowflake_account" in config:
        await asyncio.to_thread(_check, config)


def _check(config: Mapping[str, Any]) -> None:
    try:
        check_account(config["snowflake_account"])
        host_of(config.get("snowflake_host") or "", config["snowflake_account"])
        key_of(config)
    except ConfigurationError as error:
        if error.code not in _ELSEWHERE:
            raise InvalidRequestError.of(error) from None


def superseded(changes: Mapping[str, Any], stored: Mapping[str, Any]) -> frozenset[str]:
    """What of a stored config a new key puts out of use: the key or its path, and the passphrase of that."""
    path = changes.get(_PATH)
    is_new = bool(changes.get(_KEY)) or bool(path and path != stored.get(_PATH))
    return frozenset({_KEY, _PATH, _PASSPHRASE} - changes.keys()) if is_new else frozenset()


async def key_view(address: TargetAddress) -> KeyView:
    """What is to be known of a destination's key. Raises InvalidRequestError for one that signs in otherwise."""
    if address.type is not DestinationType.SNOWFLAKE:
        raise InvalidRequestError(
            f"A destination of type {address.type} signs in without a key pair.",
            code="NO_KEY_PAIR",
            remedy="Ask for the key of a Snowflake destination.",
        )
    return await asyncio.to_thread(_view, address.config)


def _view(config: Mapping[str, Any]) -> KeyView:
    user = config["snowflake_user"]
    try:
        key = key_of(config)
    except ConfigurationError as error:
        empty = dict.fromkeys(("fingerprint", "register_sql", "rotate_sql", "retire_sql", "retire_rotated_sql"))
        return KeyView(has_key=True, **empty, problem=error.message, remedy=error.remedy)
    return KeyView(
        has_key=True,
        fingerprint=key.fingerprint,
        register_sql=register_key(user, key),
        rotate_sql=register_key(user, key, 2),
        retire_sql=unregister_key(user),
        retire_rotated_sql=unregister_key(user, 2),
        problem=None,
        remedy=None,
    )
