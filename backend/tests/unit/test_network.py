"""Which addresses may be connected to."""

from __future__ import annotations

import pytest
from app.core.exceptions import ConnectionRejectedError
from app.infrastructure.network import AllowedNetwork, ConnectPolicy

from rosetta.errors import ConfigurationError


async def resolved(policy: ConnectPolicy, host: str, port: int = 5432) -> str:
    return await policy.resolve(host, port, timeout_seconds=3)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "8.8.8.8", "::1", "fd00::1"])
async def test_private_and_public_hosts_are_meant_to_be_reached(host: str) -> None:
    assert await resolved(ConnectPolicy(), host) == host


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "2852039166",  # 169.254.169.254 as one number
        "127.0.0.1,10.0.0.1",
        "/var/run/postgresql",
        "@abstract",
    ],
)
async def test_what_nobody_means_is_refused(host: str) -> None:
    with pytest.raises(ConnectionRejectedError) as refusal:
        await resolved(ConnectPolicy(), host)
    assert refusal.value.code in {"ADDRESS_NOT_ALLOWED", "HOST_NOT_FOUND"}
    assert refusal.value.remedy


async def test_our_own_database_is_refused_by_every_name() -> None:
    policy = ConnectPolicy(own=[("localhost", 5433)])
    for host in ("localhost", "127.0.0.1", "::ffff:127.0.0.1", "127.8.8.8", "::1"):
        with pytest.raises(ConnectionRejectedError):
            await resolved(policy, host, 5433)
        assert await resolved(policy, host, 5434)


async def test_an_allow_list_is_the_whole_truth() -> None:
    policy = ConnectPolicy(allowed=[AllowedNetwork.parse("10.0.0.0/8:5432"), AllowedNetwork.parse("[fd00::/8]")])
    assert await resolved(policy, "10.9.9.9") == "10.9.9.9"
    assert await resolved(policy, "fd00::7", 1) == "fd00::7"
    for host, port in (("10.9.9.9", 22), ("192.168.0.1", 5432), ("127.0.0.1", 5432)):
        with pytest.raises(ConnectionRejectedError):
            await resolved(policy, host, port)


@pytest.mark.parametrize("entry", ["", "host.example", "10.0.0.0/33", "10.0.0.0/8:port", "[fd00::/8"])
def test_an_entry_that_is_no_network_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError):
        AllowedNetwork.parse(entry)
