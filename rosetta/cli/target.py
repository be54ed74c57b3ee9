"""Which installation a command speaks to: the one the environment names, or the local stack."""

from __future__ import annotations

from rosetta.errors import ConfigurationError
from rosetta.local.home import Home
from rosetta.local.settings import local_settings
from rosetta.local.stack import local_addresses
from rosetta.remote import Remote
from rosetta.secrets import Keyring


def config_database_url() -> str:
    """With its password. Raises ConfigurationError when there is neither DATABASE_URL nor a local stack."""
    settings = local_settings()
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    addresses = local_addresses(Home(settings.home()))
    if addresses is None:
        raise ConfigurationError(
            "there is no config database", remedy="Set DATABASE_URL, or start the local stack with `rosetta up`."
        )
    return addresses.config


def api() -> Remote:
    """The API of ROSETTA_URL, or the local stack's. Raises ConfigurationError when there is neither, or no token."""
    settings = local_settings()
    if settings.rosetta_url is not None:
        if settings.rosetta_token is None:
            raise ConfigurationError(
                "ROSETTA_TOKEN is not set", remedy="Make one: `rosetta token create --role admin`."
            )
        return Remote(settings.rosetta_url, settings.rosetta_token.get_secret_value())
    addresses = local_addresses(Home(settings.home()))
    if addresses is None or addresses.secrets.api_token is None:
        raise ConfigurationError(
            "there is no API to speak to", remedy="Set ROSETTA_URL and ROSETTA_TOKEN, or start `rosetta up`."
        )
    return Remote(addresses.backend, addresses.secrets.api_token)


def keyring() -> Keyring:
    """Opens the secrets of `config_database_url`. Raises ConfigurationError when SECRET_KEY is missing for it."""
    settings = local_settings()
    if settings.secret_key is not None:
        previous = [key.get_secret_value() for key in settings.secret_key_previous]
        return Keyring.from_secret_key(settings.secret_key.get_secret_value(), previous)
    if settings.database_url is not None:
        raise ConfigurationError(
            "SECRET_KEY is not set", remedy="Set it to the key of the backend and compute that use DATABASE_URL."
        )
    return Keyring.from_secret_key(Home(settings.home()).secrets().secret_key)
