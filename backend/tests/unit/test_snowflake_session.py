"""Sessions on Snowflake accounts: to the address that was checked and to no other, whatever the server says."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trustme
from app.core.exceptions import ApplicationError
from app.domain.ports import TargetAddress
from app.infrastructure.network import ConnectPolicy
from app.infrastructure.snowflake import SnowflakeSessions, SnowflakeTarget
from app.infrastructure.snowflake import session as session_module
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.enums import DestinationType
from rosetta.snowflake import Patience
from rosetta.snowflake.trust import trust
from rosetta.tests.snowflake.account import Account, serving

KEY = SigningKey(rsa.generate_private_key(65537, 2048))


async def test_tls_is_with_the_host_and_a_redirect_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    trusted, certificate = tmp_path / "ca.pem", tmp_path / "server.pem"
    authority.cert_pem.write_to_path(str(trusted))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    context = trust()
    authority.configure_trust(context)
    monkeypatch.setattr(session_module, "trust", lambda: context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    monkeypatch.setattr(session_module, "_PATIENCE", Patience(2, 2, 2))
    pem = KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    config = {
        "snowflake_account": "a",
        "snowflake_user": "u",
        "snowflake_database": "LANDING",
        "snowflake_schema": "PUBLIC",
        "snowflake_warehouse": "LOADING",
        "snowflake_private_key": pem,
    }
    target = SnowflakeTarget(SnowflakeSessions(ConnectPolicy(), 5))
    with (
        serving(Account("a", "u", [KEY], certificate=certificate)) as account,
        serving(Account("a", "u", [KEY], certificate=certificate)) as other,
    ):
        address = TargetAddress(DestinationType.SNOWFLAKE, config | {"snowflake_host": account.host})
        assert (await target.server(address)).warehouse == "LOADING"
        asked = len(account.statements)
        assert asked == 1
        account.redirected_to = f"https://{other.host}"
        with pytest.raises(ApplicationError) as caught:
            await target.server(address)
        assert caught.value.code in {"CONNECTION_FAILED", "ACCOUNT_NOT_FOUND", "CONNECTION_TIMEOUT"}
        assert other.statements == []
        assert other.logins == 0
        # A key that is refused has the clock asked for: at the checked address as well, without looking it up again.
        account.redirected_to, account.ahead_seconds = None, 500
        looked_up: list[str] = []
        real = socket.getaddrinfo

        def look_up(host: str, *arguments: Any, **options: Any) -> Any:
            looked_up.append(host)
            return real(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        with pytest.raises(ApplicationError) as caught:
            await target.server(address)
        assert caught.value.code == "TOKEN_EXPIRED"
        assert looked_up.count("localhost") == 1
