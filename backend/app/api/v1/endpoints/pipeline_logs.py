"""What compute logged of a pipeline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import ExistingPipelineDep, PipelineLogsDep
from app.domain.ports import LogQuestion
from app.domain.schemas.pipeline_log import LogQuery, LogView
from rosetta.enums import Role

router = APIRouter(prefix="/pipelines/{pipeline_id}/logs", tags=["pipelines"])


@router.get("")
@requires(Role.VIEWER)
async def read_pipeline_log(
    pipeline_id: ExistingPipelineDep, query: Annotated[LogQuery, Query()], logs: PipelineLogsDep
) -> LogView:
    """Lines of the log, oldest first, without secrets and row values; `older` and `newer` lead on from here."""
    return LogView.model_validate(await logs.read(LogQuestion(pipeline_id=pipeline_id, **query.model_dump())))
