"""Where Snowflake is and how to sign in, read from a destination's config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

from rosetta.dialects.snowflake.keys import SigningKey, load_key, read_key_file
from rosetta.errors import ConfigurationError

_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_.-]+")
_HOST: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\])(?::(?P<port>\d{1,5}))?/?"
)
_REQUIRED: Final = ("snowflake_account", "snowflake_user", "snowflake_database", "snowflake_schema")
_DOMAIN: Final = ".snowflakecomputing.com"


@dataclass(frozen=True, slots=True)
class SnowflakeEndpoint:
    """Where tables go and how to sign in; the key never appears in its repr.

    Attributes:
        host: the account's own host, or another one that stands for it (a private link, an emulator).
        scheme: `https`; `http` only for this very machine.
        role, warehouse: None: the user's default.
    """

    account: str
    user: str
    database: str
    schema: str
    key: SigningKey = field(repr=False)
    role: str | None = None
    warehouse: str | None = None
    host: str = ""
    port: int = 443
    scheme: str = "https"

    def __str__(self) -> str:
        return f"{self.host}/{self.database}.{self.schema}"

    @property
    def parameters(self) -> dict[str, Any]:
        """It as the connector's parameters, with the key."""
        named = {"role": self.role, "warehouse": self.warehouse}
        return {
            "account": self.account,
            "user": self.user,
            "host": self.host,
            "port": self.port,
            "protocol": self.scheme,
            "database": self.database,
            "schema": self.schema,
            "authenticator": "SNOWFLAKE_JWT",
            "private_key": self.key.der,
            **{name: value for name, value in named.items() if value is not None},
        }


def snowflake_endpoint(config: Mapping[str, object]) -> SnowflakeEndpoint:
    """Reads an opened config's `snowflake_` keys, and its private key from the file that it names or as it was pasted.

    Raises ConfigurationError for what is missing or malformed, with the codes of `load_key` for the private key.
    """
    missing = [name for name in _REQUIRED if not config.get(name)]
    if missing:
        raise ConfigurationError(f"the destination lacks {', '.join(missing)}", remedy="Complete the destination.")
    account = str(config["snowflake_account"])
    check_account(account)
    scheme, host, port = host_of(str(config.get("snowflake_host") or ""), account)
    return SnowflakeEndpoint(
        account=account,
        user=str(config["snowflake_user"]),
        database=str(config["snowflake_database"]),
        schema=str(config["snowflake_schema"]),
        key=key_of(config),
        role=_text(config, "snowflake_role"),
        warehouse=_text(config, "snowflake_warehouse"),
        host=host,
        port=port,
        scheme=scheme,
    )


def key_of(config: Mapping[str, object]) -> SigningKey:
    """The private key of an opened config, pasted or by its path. Raises ConfigurationError as `load_key` does."""
    pasted, path = _text(config, "snowflake_private_key"), _text(config, "snowflake_private_key_path")
    passphrase = _text(config, "snowflake_private_key_passphrase")
    if pasted is not None:
        return load_key(pasted, passphrase)
    if path is None:
        raise ConfigurationError(
            "the destination has no private key",
            code="KEY_MISSING",
            remedy="Give snowflake_private_key_path, or the key itself as snowflake_private_key.",
        )
    return load_key(path if "PRIVATE KEY-----" in path else read_key_file(path), passphrase)


def check_account(account: str) -> None:
    """Raises ConfigurationError unless it is an account identifier: it becomes part of a host name."""
    if _ACCOUNT.fullmatch(account) is None:
        raise ConfigurationError(
            "the account identifier has characters that none has",
            code="ACCOUNT_MALFORMED",
            remedy="Give it as in Snowflake's address, e.g. myorg-myaccount.",
        )


def host_of(given: str, account: str) -> tuple[str, str, int]:
    """Scheme, host and port of `host`, `host:port` or a URL; nothing given: the account's own host.

    Raises ConfigurationError for anything else, and for plain HTTP to another machine.
    """
    if not given:
        return "https", account.replace("_", "-").lower() + _DOMAIN, 443
    found = _HOST.fullmatch(given)
    if found is None or int(found["port"] or 443) > 65535:
        raise ConfigurationError(
            "snowflake_host is no host name", code="HOST_MALFORMED", remedy="Give it as host or host:port."
        )
    scheme, host = found["scheme"] or "https", found["host"].strip("[]")
    if scheme == "http" and not _is_this_machine(host):
        raise ConfigurationError(
            "snowflake_host is not asked in the clear", code="HOST_NOT_ENCRYPTED", remedy="Leave http:// out."
        )
    return scheme, host, int(found["port"] or (443 if scheme == "https" else 80))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(config: Mapping[str, object], key: str) -> str | None:
    value = config.get(key)
    return str(value) if value else None
