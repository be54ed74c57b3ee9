"""What is going on: WAL, flow, the dashboard's figures, machines."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import MonitoringServiceDep, PathId, WalMonitorServiceDep
from app.domain.schemas.monitoring import (
    FlowQuery,
    FlowView,
    PipelineFlowView,
    SummaryView,
    SystemMetricQuery,
    SystemMetricView,
    WalMetricQuery,
    WalMetricView,
    WalMonitorView,
)
from rosetta.enums import Role

router = APIRouter(tags=["monitoring"])


@router.get("/wal-metrics")
@router.get("/metrics/wal", include_in_schema=False)
@requires(Role.VIEWER)
async def list_wal_metrics(
    query: Annotated[WalMetricQuery, Query()], service: MonitoringServiceDep
) -> list[WalMetricView]:
    """The WAL monitor's history, the newest first: one row per slot and check."""
    return [WalMetricView.model_validate(row) for row in await service.wal_history(query)]


@router.get("/wal-monitor")
@requires(Role.VIEWER)
async def get_wal_monitor(service: WalMonitorServiceDep) -> list[WalMonitorView]:
    """The newest check of every source, and when its WAL becomes critical if it grows on like this."""
    return await service.views()


@router.get("/pipelines/{pipeline_id}/monitoring")
@requires(Role.VIEWER)
async def get_pipeline_flow(
    pipeline_id: PathId, query: Annotated[FlowQuery, Query()], service: MonitoringServiceDep
) -> PipelineFlowView:
    """Records, bytes and lag of one pipeline, per table and destination over time."""
    return await service.pipeline_flow(pipeline_id, query)


@router.get("/dashboard/summary")
@requires(Role.VIEWER)
async def get_summary(service: MonitoringServiceDep) -> SummaryView:
    return await service.summary()


@router.get("/dashboard/flow")
@requires(Role.VIEWER)
async def get_flow(query: Annotated[FlowQuery, Query()], service: MonitoringServiceDep) -> FlowView:
    """Records, bytes and lag of everything over time."""
    return await service.flow(query)


@router.get("/system-metrics")
@requires(Role.VIEWER)
async def list_system_metrics(
    query: Annotated[SystemMetricQuery, Query()], service: MonitoringServiceDep
) -> list[SystemMetricView]:
    """What the services use, the newest first."""
    return [SystemMetricView.model_validate(row) for row in await service.system_metrics(query)]
