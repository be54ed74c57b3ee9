"""Verifications: a pipeline has one at a time, and compute carries it out beside the stream."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.core.exceptions import ConflictError
from app.domain.models import VerifyRun
from app.domain.repositories import PipelineDestinationRepository, PipelineRepository, VerifyRunRepository
from app.domain.schemas.verification import VerifyQuery, VerifyRequest
from app.domain.services.audit import AuditTrail
from rosetta.enums import VerifyStatus


class VerificationService:
    def __init__(self, runs: VerifyRunRepository, audit: AuditTrail) -> None:
        self._runs = runs
        self._pipelines = PipelineRepository(runs.session)
        self._joins = PipelineDestinationRepository(runs.session)
        self._audit = audit

    async def ask(self, pipeline_id: int, body: VerifyRequest) -> VerifyRun:
        """Asks for a verification. Raises EntityNotFoundError, ConflictError while another one is not at its end."""
        await self._pipelines.get(pipeline_id, lock=True)
        if body.destination_id is not None:
            await self._joins.plain(pipeline_id, body.destination_id)
        open_run = await self._runs.open_run(pipeline_id)
        if open_run is not None:
            raise ConflictError(
                f"Verification {open_run.id} of pipeline {pipeline_id} is not at its end.",
                code="VERIFICATION_UNDER_WAY",
                remedy=f"Wait for it: GET /api/v1/pipelines/{pipeline_id}/verify/{open_run.id}.",
                details={"run_id": open_run.id, "status": open_run.status.value},
            )
        run = await self._runs.add(
            VerifyRun(pipeline_id=pipeline_id, destination_id=body.destination_id, repair=body.repair)
        )
        await self._audit.record(
            "pipeline.verify", pipeline_id, run_id=run.id, destination_id=body.destination_id, repair=body.repair
        )
        return run

    async def cancel(self, pipeline_id: int, run_id: int) -> VerifyRun:
        """Ends a verification that waits or is carried out. Raises EntityNotFoundError, ConflictError at its end."""
        run = await self._runs.of(pipeline_id, run_id, lock=True)
        if run.status not in {VerifyStatus.PENDING, VerifyStatus.EXECUTING}:
            raise ConflictError(
                f"Verification {run_id} of pipeline {pipeline_id} is at its end.",
                code="VERIFICATION_ENDED",
                remedy="Nothing is left to cancel.",
                details={"run_id": run_id, "status": run.status.value},
            )
        run.status, run.error_message, run.completed_at = VerifyStatus.FAILED, "it was cancelled", datetime.now(UTC)
        await self._runs.session.flush()
        await self._audit.record("pipeline.verify_cancel", pipeline_id, run_id=run_id)
        return run

    async def page(self, pipeline_id: int, query: VerifyQuery) -> tuple[Sequence[VerifyRun], int]:
        """Raises EntityNotFoundError."""
        await self._pipelines.require([pipeline_id])
        return await self._runs.matching(pipeline_id, query)

    async def get(self, pipeline_id: int, run_id: int) -> VerifyRun:
        """Raises EntityNotFoundError."""
        return await self._runs.of(pipeline_id, run_id)
