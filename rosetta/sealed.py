"""Which columns and config keys are secrets, to what place each is bound, and how a reader of a row opens them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from rosetta.secrets import Keyring, is_sealed

SECRET_CONFIG_KEYS: Final = frozenset(
    {"pg_password", "snowflake_password", "snowflake_private_key", "snowflake_private_key_passphrase"}
)


class SourceSecrets(Protocol):
    """What is read of a row of `sources`."""

    @property
    def id(self) -> int: ...
    @property
    def pg_password(self) -> str | None: ...


class DestinationSecrets(Protocol):
    """What is read of a row of `destinations`."""

    @property
    def id(self) -> int: ...
    @property
    def config(self) -> Mapping[str, Any]: ...


def source_binding(source_id: int) -> str:
    return f"sources.pg_password:{source_id}"


def config_binding(destination_id: int, key: str) -> str:
    return f"destinations.config.{key}:{destination_id}"


def is_secret(key: str, value: object) -> bool:
    """Whether a config value is a secret: by its key, or because it is a private key wherever it was pasted."""
    if not isinstance(value, str) or not value:
        return False
    return key in SECRET_CONFIG_KEYS or "PRIVATE KEY-----" in value


def open_source_password(source: SourceSecrets, keyring: Keyring) -> str:
    """The source's password in plaintext, empty where it has none. Raises SecretError."""
    return _opened(source.pg_password or "", keyring, source_binding(source.id))


def open_config(destination: DestinationSecrets, keyring: Keyring) -> dict[str, Any]:
    """The destination's config with its secrets in plaintext; never to be stored or shown. Raises SecretError."""
    return {
        key: _opened(value, keyring, config_binding(destination.id, key)) if isinstance(value, str) else value
        for key, value in destination.config.items()
    }


def _opened(value: str, keyring: Keyring, bound_to: str) -> str:
    return keyring.open(value, bound_to) if is_sealed(value) else value
