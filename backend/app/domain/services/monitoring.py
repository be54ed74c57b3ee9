"""Measurements, as people look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.models import SystemMetric, WalMetric
from app.domain.repositories import (
    FlowRepository,
    PipelineRepository,
    SummaryRepository,
    SystemMetricRepository,
    WalRepository,
)
from app.domain.schemas.monitoring import (
    FlowPoint,
    FlowQuery,
    FlowView,
    InstanceView,
    PipelineFlowView,
    ProblemView,
    SummaryView,
    SystemMetricQuery,
    TableFlowPoint,
    WalMetricQuery,
)

_PROBLEMS_SHOWN: Final = 50


class MonitoringService:
    def __init__(
        self,
        pipelines: PipelineRepository,
        wal: WalRepository,
        flow: FlowRepository,
        system: SystemMetricRepository,
        summary: SummaryRepository,
    ) -> None:
        self._pipelines = pipelines
        self._wal = wal
        self._flow = flow
        self._system = system
        self._summary = summary

    async def wal_history(self, query: WalMetricQuery) -> Sequence[WalMetric]:
        return await self._wal.history(query.source_id, query.limit)

    async def system_metrics(self, query: SystemMetricQuery) -> Sequence[SystemMetric]:
        return await self._system.newest(query.service, query.limit)

    async def flow(self, query: FlowQuery) -> FlowView:
        points = [FlowPoint(**row) for row in await self._flow.series(query)]
        return FlowView(minutes=query.minutes, step_minutes=query.step_minutes, points=points)

    async def pipeline_flow(self, pipeline_id: int, query: FlowQuery) -> PipelineFlowView:
        """Raises EntityNotFoundError."""
        await self._pipelines.require([pipeline_id])
        points = [TableFlowPoint(**row) for row in await self._flow.series(query, pipeline_id)]
        return PipelineFlowView(minutes=query.minutes, step_minutes=query.step_minutes, points=points)

    async def summary(self) -> SummaryView:
        counts = await self._summary.counts()
        instances = [InstanceView(**row) for row in await self._summary.instances()]
        problems = [ProblemView(**row) for row in await self._summary.problems(_PROBLEMS_SHOWN)]
        return SummaryView(**counts, instances=instances, problems=problems)
