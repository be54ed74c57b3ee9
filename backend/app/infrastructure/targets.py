"""Which adapter looks at which kind of destination."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.exceptions import InvalidRequestError
from app.domain.ports import CreditMeter, CreditReport, TargetAddress, TargetDatabase, TargetInfo, TargetTable
from rosetta.enums import DestinationType
from rosetta.preflight import Finding


class TargetsByType:
    """`TargetDatabase` for every type that it has an adapter for; all of them, see `app.api.deps`."""

    def __init__(self, adapters: Mapping[DestinationType, TargetDatabase]) -> None:
        self._adapters = adapters

    async def server(self, address: TargetAddress) -> TargetInfo:
        return await self._adapters[address.type].server(address)

    async def preflight(self, address: TargetAddress) -> list[Finding]:
        return await self._adapters[address.type].preflight(address)

    async def tables(self, address: TargetAddress) -> list[TargetTable]:
        return await self._adapters[address.type].tables(address)


class MetersByType:
    """`CreditMeter` for the types that have one."""

    def __init__(self, meters: Mapping[DestinationType, CreditMeter]) -> None:
        self._meters = meters

    async def report(self, address: TargetAddress, days: int) -> CreditReport:
        """Raises InvalidRequestError for a type that does not bill by use."""
        meter = self._meters.get(address.type)
        if meter is None:
            raise InvalidRequestError(
                f"A destination of type {address.type} uses no credits.",
                code="NO_CREDITS",
                remedy="Ask for the credits of a Snowflake destination.",
            )
        return await meter.report(address, days)
