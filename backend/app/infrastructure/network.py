"""Where sources and destinations may be: checked on the address that is then connected to."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from app.core.exceptions import ConnectionRejectedError
from rosetta.endpoints import is_one_host
from rosetta.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Cloud metadata services outside the link-local range.
_METADATA = frozenset({ip_address("100.100.100.200"), ip_address("fd00:ec2::254")})
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
_ENTRY = re.compile(
    r"\[(?P<bracketed>[^\]]+)\](?::(?P<port6>\d+))?|(?P<plain>[0-9./]+)(?::(?P<port4>\d+))?|(?P<v6>[0-9a-fA-F:./]+)"
)


@dataclass(frozen=True, slots=True)
class AllowedNetwork:
    """One entry of CONNECT_ALLOWLIST; `port` None allows every port."""

    network: Network
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> AllowedNetwork:
        """Reads `10.0.0.0/8`, `10.1.2.3/32:5432`, `fd00::/8` or `[fd00::/8]:5432`. Raises ConfigurationError."""
        found = _ENTRY.fullmatch(entry.strip())
        try:
            if found is None:
                raise ValueError(entry)
            port = found["port6"] or found["port4"]
            network = ip_network(found["bracketed"] or found["plain"] or found["v6"], strict=False)
            return cls(network, int(port) if port else None)
        except ValueError:
            raise ConfigurationError(
                "CONNECT_ALLOWLIST has an entry that is no network",
                remedy="Write entries as CIDR or CIDR:port, e.g. 10.0.0.0/8:5432.",
            ) from None

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in {None, port}


@dataclass(frozen=True, slots=True)
class ConnectPolicy:
    """What may be connected to.

    Attributes:
        allowed: when not empty, only these.
        own: addresses of Rosetta's own services as (host, port), refused unless they are allowed explicitly.
    """

    allowed: Sequence[AllowedNetwork] = ()
    own: Sequence[tuple[str, int]] = ()

    async def resolve(self, host: str, port: int, timeout_seconds: float) -> str:
        """The address to connect to, as text. Raises ConnectionRejectedError when there is none that may be."""
        if not is_one_host(host):
            raise _refused("A host is one name or one address, not a list and not a socket.")
        addresses = await _lookup(host, port, timeout_seconds)
        own = [
            (address, own_port)
            for name, own_port in self.own
            for address in await _known(name, own_port, timeout_seconds)
        ]
        for address in addresses:
            if self._may(address, port, own):
                return str(address)
        raise _refused("This address may not be connected to.")

    def _may(self, address: Address, port: int, own: Iterable[tuple[Address, int]]) -> bool:
        effective = _meant(address)
        if self.allowed:
            return any(entry.covers(effective, port) for entry in self.allowed)
        if effective.is_link_local or effective.is_multicast or effective.is_unspecified or effective in _METADATA:
            return False
        # A server on loopback listens on all of its addresses, unless it was told otherwise.
        return not any(
            port == own_port and (effective == _meant(one) or (effective.is_loopback and _meant(one).is_loopback))
            for one, own_port in own
        )


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


async def _lookup(host: str, port: int, timeout_seconds: float) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_seconds):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # TimeoutError is an OSError; a label that IDNA refuses is a UnicodeError
        raise ConnectionRejectedError(
            "The host name cannot be resolved.", code="HOST_NOT_FOUND", remedy="Correct the host name."
        ) from None
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


async def _known(host: str, port: int, timeout_seconds: float) -> list[Address]:
    """Addresses of our own service; none when its name does not resolve now (then nobody reaches it by name either)."""
    try:
        return await _lookup(host, port, timeout_seconds)
    except ConnectionRejectedError:
        return []


def _refused(message: str) -> ConnectionRejectedError:
    return ConnectionRejectedError(
        message, code="ADDRESS_NOT_ALLOWED", remedy="Ask the operator to add the address to CONNECT_ALLOWLIST."
    )
