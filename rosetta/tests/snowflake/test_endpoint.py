"""Where Snowflake is, read from a destination's config, and what the connector's errors mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rosetta.errors import ConfigurationError, DataError, OutageError
from rosetta.snowflake import host_of, snowflake_endpoint, translate_error

PEM = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CONFIG: dict[str, Any] = {
    "snowflake_account": "My_Org-acct",
    "snowflake_user": "LOADER",
    "snowflake_database": "LANDING",
    "snowflake_schema": "PUBLIC",
    "snowflake_private_key": PEM,
}


def test_the_host_is_the_accounts_unless_another_is_given(tmp_path: Path) -> None:
    found = snowflake_endpoint(CONFIG)
    assert (found.scheme, found.host, found.port) == ("https", "my-org-acct.snowflakecomputing.com", 443)
    file = tmp_path / "rsa_key.p8"
    file.write_text(PEM)
    by_path = {key: value for key, value in CONFIG.items() if key != "snowflake_private_key"}
    assert snowflake_endpoint(by_path | {"snowflake_private_key_path": str(file)}).key.der == found.key.der
    assert snowflake_endpoint(by_path | {"snowflake_private_key_path": PEM}).key.der == found.key.der
    assert PEM.splitlines()[1] not in repr(found)
    assert "role" not in found.parameters
    assert snowflake_endpoint(CONFIG | {"snowflake_role": "R"}).parameters["role"] == "R"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("acct.privatelink.snowflakecomputing.com", ("https", "acct.privatelink.snowflakecomputing.com", 443)),
        ("https://proxy:8443/", ("https", "proxy", 8443)),
        ("http://127.0.0.1:8084", ("http", "127.0.0.1", 8084)),
        ("http://localhost", ("http", "localhost", 80)),
        ("[::1]:8084", ("https", "::1", 8084)),
    ],
)
def test_forms_of_the_host(given: str, place: tuple[str, str, int]) -> None:
    assert host_of(given, "a") == place


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"snowflake_host": "http://snowflake.example"}, "HOST_NOT_ENCRYPTED"),
        ({"snowflake_host": "http://127.0.0.1.example"}, "HOST_NOT_ENCRYPTED"),
        ({"snowflake_host": "user@host"}, "HOST_MALFORMED"),
        ({"snowflake_host": "host/path"}, "HOST_MALFORMED"),
        ({"snowflake_host": "host:99999"}, "HOST_MALFORMED"),
        ({"snowflake_account": "evil.example/"}, "ACCOUNT_MALFORMED"),
        ({"snowflake_account": ""}, "CONFIGURATION_ERROR"),
        ({"snowflake_private_key": ""}, "KEY_MISSING"),
        ({"snowflake_private_key_passphrase": "p"}, "KEY_PASSPHRASE_NEEDLESS"),
    ],
)
def test_what_is_missing_or_malformed_is_told(change: dict[str, str], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        snowflake_endpoint(CONFIG | change)
    assert caught.value.code == code


class SaidError(Exception):
    """As the connector raises them."""

    def __init__(self, errno: int, sqlstate: str, text: str) -> None:
        super().__init__(text)
        self.errno = errno
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SaidError(390144, "28000", "Failed to login: JWT token is invalid. [4f]"), "KEY_REJECTED"),
        (SaidError(250001, "08001", "JWT token is invalid. [4f]"), "KEY_REJECTED"),
        (SaidError(394302, "08001", "JWT_TOKEN_INVALID_ISSUE_TIME"), "TOKEN_EXPIRED"),
        (SaidError(394300, "08001", "canary"), "USER_UNKNOWN"),
        (SaidError(390114, "08001", "Authentication token has expired."), "SESSION_EXPIRED"),
        (SaidError(250001, "08001", "Role 'R' specified in the connect string is not granted"), "ROLE_NOT_GRANTED"),
        (SaidError(606, "57P03", "No active warehouse selected"), "WAREHOUSE_MISSING"),
        (SaidError(250001, "08001", "HTTP request failed: Connection refused (os error 111)"), "CONNECTION_REFUSED"),
        (SaidError(250001, "08001", "invalid peer certificate: canary"), "TLS_FAILED"),
        (SaidError(14, "HYT00", "login timed out after 5s"), "CONNECTION_TIMEOUT"),
        (SaidError(250001, "08001", "canary"), "CONNECTION_FAILED"),
    ],
)
def test_what_keeps_us_out_is_an_outage_with_its_own_code(error: SaidError, code: str) -> None:
    found = translate_error(error, "connecting")
    assert (type(found), found.code) == (OutageError, code)
    assert "canary" not in found.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            SaidError(3001, "42501", "SQL access control error: Insufficient privileges to canary"),
            "INSUFFICIENT_PRIVILEGE",
        ),
        (SaidError(2003, "02000", "Object 'canary' does not exist or not authorized."), "OBJECT_MISSING"),
        (SaidError(1003, "42000", "syntax error near canary"), "SF_1003"),
    ],
)
def test_a_refused_statement_is_no_outage(error: SaidError, code: str) -> None:
    found = translate_error(error, "asking")
    assert (type(found), found.code) == (DataError, code)
    assert "canary" not in found.message


@pytest.mark.parametrize("error", [SaidError(100038, "22018", "Numeric value 'canary' is not recognized")])
def test_a_refused_value_is_a_data_error_that_does_not_repeat_it(error: SaidError) -> None:
    found = translate_error(error, "loading")
    assert isinstance(found, DataError)
    assert "canary" not in found.message
