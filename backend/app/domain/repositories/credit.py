"""What destinations that bill by use have cost, by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models import Destination, Pipeline, PipelineDestination
from app.domain.ports import CreditUse
from rosetta.enums import DesiredStatus, DestinationType
from rosetta.tables import DestinationCredit

_KEPT: timedelta = timedelta(days=400)


class CreditRepository:
    """Alerts and the dashboard read what is kept here."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def keep(self, destination_id: int, uses: Sequence[CreditUse]) -> None:
        """Saves what each day came to by now, and forgets days that are long gone."""
        table = DestinationCredit
        await self._session.execute(delete(table).where(table.day < func.current_date() - _KEPT))
        if not uses:
            return
        values = [
            {"destination_id": destination_id, "warehouse": use.warehouse, "day": use.day, "credits": use.credits}
            for use in uses
        ]
        statement = insert(table).values(values)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["destination_id", "warehouse", "day"], set_={"credits": statement.excluded.credits}
            )
        )

    async def spending(self) -> Sequence[int]:
        """Destinations that bill by use and that a started pipeline writes to."""
        joined = (
            exists()
            .where(PipelineDestination.destination_id == Destination.id)
            .where(Pipeline.id == PipelineDestination.pipeline_id, Pipeline.status == DesiredStatus.START)
        )
        found = select(Destination.id).where(Destination.type == DestinationType.SNOWFLAKE, joined)
        return list(await self._session.scalars(found.order_by(Destination.id)))
