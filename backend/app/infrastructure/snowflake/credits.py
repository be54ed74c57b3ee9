"""`CreditMeter` over Snowflake's own view of what its warehouses use."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from app.core.exceptions import ConnectionRejectedError
from app.domain.ports import CreditReport, CreditUse, TargetAddress
from app.infrastructure.snowflake.session import SnowflakeSessions, rows

# The view is up to three hours behind, and asking it takes a running warehouse: credits.
_KEPT_FOR: Final = timedelta(hours=1)
_MOST_KEPT: Final = 256
# A destination is asked for this many days at once, whatever a request wants of them.
MAX_DAYS: Final = 366
_USAGE: Final = """
SELECT WAREHOUSE_NAME, TO_VARCHAR(CONVERT_TIMEZONE('UTC', START_TIME)::DATE, 'YYYY-MM-DD') AS USED_ON,
    TO_VARCHAR(SUM(CREDITS_USED)) AS USED
FROM SNOWFLAKE.ACCOUNT_USAGE.WAREHOUSE_METERING_HISTORY
WHERE START_TIME >= DATEADD('day', %s, CURRENT_DATE()) AND WAREHOUSE_NAME = CURRENT_WAREHOUSE()
GROUP BY 1, 2 ORDER BY 2 DESC, 1
"""
# What Snowflake says when the role may not look there: nothing is wrong with the destination then.
_NOT_READABLE: Final = "The role may not read what the warehouse uses."
_REMEDY: Final = "Run as ACCOUNTADMIN: GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE {role};"


class SnowflakeCredits:
    """Keeps each destination's report for an hour; used by one event loop."""

    def __init__(self, sessions: SnowflakeSessions) -> None:
        self._sessions = sessions
        self._kept: OrderedDict[int | None, tuple[object, CreditReport]] = OrderedDict()
        self._asking: dict[int | None, asyncio.Lock] = {}

    async def report(self, address: TargetAddress, days: int) -> CreditReport:
        async with self._asking.setdefault(address.destination_id, asyncio.Lock()):
            report = self._known(address) or await self._ask(address)
        self._asking.pop(address.destination_id, None)
        oldest = datetime.now(UTC).date() - timedelta(days=days - 1)
        return CreditReport(tuple(use for use in report.uses if use.day >= oldest), report.read_at, report.hindrance)

    def _known(self, address: TargetAddress) -> CreditReport | None:
        kept = self._kept.get(address.destination_id)
        if kept is None or kept[0] != address.config or datetime.now(UTC) - kept[1].read_at > _KEPT_FOR:
            return None
        return kept[1]

    async def _ask(self, address: TargetAddress) -> CreditReport:
        now = datetime.now(UTC)
        try:
            found = await self._sessions.run(address, lambda connection: rows(connection, _USAGE, (1 - MAX_DAYS,)))
        except ConnectionRejectedError as error:
            if error.code not in {"OBJECT_MISSING", "INSUFFICIENT_PRIVILEGE"}:
                raise
            role = address.config.get("snowflake_role") or "<role>"
            hindrance = ConnectionRejectedError(
                _NOT_READABLE, code="CREDITS_NOT_READABLE", remedy=_REMEDY.format(role=role)
            )
            report = CreditReport((), now, hindrance)
        else:
            uses = (CreditUse(str(row[0]), datetime.fromisoformat(row[1]).date(), Decimal(row[2])) for row in found)
            report = CreditReport(tuple(uses), now)
        self._kept[address.destination_id] = (dict(address.config), report)
        self._kept.move_to_end(address.destination_id)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return report
