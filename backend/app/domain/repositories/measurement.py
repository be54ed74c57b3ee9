"""What was measured: WAL, flow, machines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, inspect, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from app.domain.models import DataFlowRecord, Source, SystemMetric, WalMetric, WalMonitor
from app.domain.repositories.base import BaseRepository
from app.domain.schemas.monitoring import FlowQuery

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TABLE_KEY = (DataFlowRecord.destination_id, DataFlowRecord.schema_name, DataFlowRecord.table_name)


class WalRepository(BaseRepository[WalMonitor]):
    model = WalMonitor
    entity_type = "WAL check"
    sortable = ("source_id",)

    async def due(self) -> Sequence[int]:
        """Ids of the sources whose next check has come."""
        rows = await self.session.scalars(
            select(Source.id)
            .outerjoin(WalMonitor, WalMonitor.source_id == Source.id)
            .where(or_(WalMonitor.next_check_at.is_(None), WalMonitor.next_check_at <= func.now()))
            .order_by(Source.id)
        )
        return rows.all()

    async def failures_of(self, source_id: int) -> int:
        """Checks in a row that failed."""
        found = await self.session.scalar(
            select(WalMonitor.consecutive_failures).where(WalMonitor.source_id == source_id)
        )
        return found or 0

    async def put(self, source_id: int, next_check_in: timedelta, values: dict[str, Any]) -> None:
        """Keeps a check; what `values` does not name stays."""
        row = {**values, "checked_at": func.now(), "next_check_at": func.now() + next_check_in}
        statement = insert(WalMonitor).values(source_id=source_id, **row)
        await self.session.execute(statement.on_conflict_do_update(index_elements=["source_id"], set_=row))

    async def add_metrics(self, rows: Sequence[WalMetric]) -> None:
        self.session.add_all(rows)
        await self.session.flush()

    async def all(self) -> Sequence[WalMonitor]:
        rows = await self.session.scalars(select(WalMonitor).order_by(WalMonitor.source_id))
        return rows.all()

    async def history(self, source_id: int | None, limit: int) -> Sequence[WalMetric]:
        """The newest first."""
        statement = select(WalMetric).order_by(WalMetric.recorded_at.desc(), WalMetric.id.desc()).limit(limit)
        if source_id is not None:
            statement = statement.where(WalMetric.source_id == source_id)
        return (await self.session.scalars(statement)).all()

    async def growth(self, window: timedelta) -> dict[int, float]:
        """Bytes a second by which the most retained WAL of each source grew within `window`.

        A source without two measurements is not in it.
        """
        per_time = (
            select(
                WalMetric.source_id,
                WalMetric.recorded_at.label("at"),
                func.max(WalMetric.retained_bytes).label("bytes"),
            )
            .where(WalMetric.recorded_at > func.now() - window)
            .group_by(WalMetric.source_id, WalMetric.recorded_at)
            .subquery()
        )
        slope = func.regr_slope(per_time.c.bytes, func.extract("epoch", per_time.c.at))
        rows = await self.session.execute(select(per_time.c.source_id, slope).group_by(per_time.c.source_id))
        return {source_id: float(growth) for source_id, growth in rows if growth is not None}


class FlowRepository(BaseRepository[DataFlowRecord]):
    model = DataFlowRecord
    entity_type = "measurement"
    sortable = ("minute",)

    async def series(self, query: FlowQuery, pipeline_id: int | None = None) -> Sequence[RowMapping]:
        """Records, bytes and the worst lag, per step of time and, for one pipeline, per table and destination."""
        step = func.date_bin(timedelta(minutes=query.step_minutes), DataFlowRecord.minute, _EPOCH)
        keys: list[ColumnElement[Any]] = [step.label("minute")]
        if pipeline_id is not None:
            keys += [column.expression for column in _TABLE_KEY]
        statement = select(
            *keys,
            func.sum(DataFlowRecord.records).label("records"),
            func.sum(DataFlowRecord.bytes).label("bytes"),
            func.max(DataFlowRecord.lag_seconds_max).label("lag_seconds_max"),
        ).where(DataFlowRecord.minute >= func.now() - timedelta(minutes=query.minutes))
        if pipeline_id is not None:
            statement = statement.where(DataFlowRecord.pipeline_id == pipeline_id)
        if query.destination_id is not None:
            statement = statement.where(DataFlowRecord.destination_id == query.destination_id)
        if query.table_name is not None:
            statement = statement.where(DataFlowRecord.table_name == query.table_name)
        rows = await self.session.execute(statement.group_by(*keys).order_by(*keys).limit(query.limit))
        return rows.mappings().all()


class SystemMetricRepository(BaseRepository[SystemMetric]):
    model = SystemMetric
    entity_type = "system metric"

    async def newest(self, service: str | None, limit: int) -> Sequence[SystemMetric]:
        statement = select(SystemMetric).order_by(SystemMetric.recorded_at.desc(), SystemMetric.id.desc()).limit(limit)
        if service is not None:
            statement = statement.where(SystemMetric.service == service)
        return (await self.session.scalars(statement)).all()

    async def forget(self, wal: timedelta, flow: timedelta, system: timedelta) -> None:
        """Deletes measurements older than each of these, but for what somebody else deletes at this moment."""
        for column, age in (
            (WalMetric.recorded_at, wal),
            (DataFlowRecord.minute, flow),
            (SystemMetric.recorded_at, system),
        ):
            key = tuple_(*inspect(column.class_).primary_key)
            old = select(*inspect(column.class_).primary_key).where(column < func.now() - age)
            await self.session.execute(
                delete(column.class_)
                .where(key.in_(old.with_for_update(skip_locked=True)))
                .execution_options(synchronize_session=False)
            )
