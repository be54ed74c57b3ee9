"""Secrets of the backend: one keyring, made from SECRET_KEY."""

from __future__ import annotations

from functools import lru_cache

from app.core.config import Settings, get_settings
from rosetta.secrets import Keyring


def keyring_of(settings: Settings) -> Keyring:
    """The keyring for `settings`. Raises SecretError when SECRET_KEY is of no use."""
    previous = [key.get_secret_value() for key in settings.secret_key_previous]
    return Keyring.from_secret_key(settings.secret_key.get_secret_value(), previous)


@lru_cache(maxsize=1)
def _process_keyring() -> Keyring:
    return keyring_of(get_settings())


def decrypt_value(sealed: str, bound_to: str) -> str:
    """Opens a secret of the config database, for scripts and the console.

    Args:
        sealed: the stored text (`rsk1:...`).
        bound_to: the row it belongs to, e.g. `sources.pg_password:17`.

    Raises SecretError when the key is wrong, the text was changed or it belongs to another row.
    """
    return _process_keyring().open(sealed, bound_to)
