"""Is what the targets hold what the source holds?"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import PathId, VerificationServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.verification import VerifyQuery, VerifyRequest, VerifyRunView
from rosetta.enums import Role

router = APIRouter(prefix="/pipelines/{pipeline_id}/verify", tags=["verification"])


@router.post("", status_code=HTTPStatus.ACCEPTED)
@requires(Role.OPERATOR)
async def verify_pipeline(
    pipeline_id: PathId, service: VerificationServiceDep, body: VerifyRequest | None = None
) -> VerifyRunView:
    """Asks compute to compare every row, while the pipeline runs; one verification of a pipeline at a time."""
    return VerifyRunView.model_validate(await service.ask(pipeline_id, body or VerifyRequest()))


@router.post("/{run_id}/cancel")
@requires(Role.OPERATOR)
async def cancel_verification(pipeline_id: PathId, run_id: PathId, service: VerificationServiceDep) -> VerifyRunView:
    """Ends a verification that waits or is carried out; compute lets go of it within seconds."""
    return VerifyRunView.model_validate(await service.cancel(pipeline_id, run_id))


@router.get("")
@requires(Role.VIEWER)
async def list_verifications(
    pipeline_id: PathId, query: Annotated[VerifyQuery, Query()], service: VerificationServiceDep
) -> Page[VerifyRunView]:
    return Page[VerifyRunView].of(*await service.page(pipeline_id, query), query)


@router.get("/{run_id}")
@requires(Role.VIEWER)
async def get_verification(pipeline_id: PathId, run_id: PathId, service: VerificationServiceDep) -> VerifyRunView:
    return VerifyRunView.model_validate(await service.get(pipeline_id, run_id))
