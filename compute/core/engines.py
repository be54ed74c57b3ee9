"""From a pipeline's plan to the engine that reads for it; an engine is imported only where it is used."""

from __future__ import annotations

from compute.config.settings import Settings
from compute.core.catalog.plan import PipelinePlan
from compute.engine.base import ChangeEngine, EngineSource
from rosetta.enums import EngineKind


def create_engine(plan: PipelinePlan, settings: Settings, heap_scale: int) -> ChangeEngine:
    """An engine that is not started yet; the pipeline's own limits go before the settings'."""
    batch_rows = plan.max_batch_rows or settings.pipeline_max_batch_size
    queue_rows = plan.max_queue_rows or settings.pipeline_max_queue_size
    match plan.engine:
        case EngineKind.PGOUTPUT:
            from compute.engine.pgoutput.engine import PgoutputEngine

            return PgoutputEngine(_source(plan), plan.profile, batch_rows=batch_rows, queue_rows=queue_rows)
        case EngineKind.DEBEZIUM:
            from compute.engine.debezium.engine import DebeziumEngine

            return DebeziumEngine(
                _source(plan),
                plan.profile,
                heap_scale=heap_scale,
                batch_rows=batch_rows,
                queue_rows=queue_rows,
            )


def _source(plan: PipelinePlan) -> EngineSource:
    return EngineSource(plan.endpoint, plan.publication, plan.slot)
