"""A pipeline's process waits a while for a source that does not answer, and for no other reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compute.core import slot
from compute.core.catalog.plan import PipelinePlan
from rosetta.enums import EngineKind, Profile
from rosetta.errors import OutageError
from rosetta.postgres import PostgresEndpoint

PLAN = PipelinePlan(
    pipeline_id=1,
    name="p",
    source_id=1,
    endpoint=PostgresEndpoint("127.0.0.1", 1, "d", "u", "", "disable"),
    publication="pub",
    slot="slot",
    acknowledged=None,
    origin=None,
    dropped_for=None,
    failover=False,
    engine=EngineKind.PGOUTPUT,
    profile=Profile.SMALL,
    max_batch_rows=None,
    max_queue_rows=None,
    destinations=(),
)


def answers(monkeypatch: pytest.MonkeyPatch, *codes: str | None) -> Iterator[str | None]:
    """Makes the source answer one look after the other; None: it is there."""
    left = iter(codes)

    def look(plan: PipelinePlan) -> None:
        code = next(left)
        if code is not None:
            raise OutageError("away", code=code)

    monkeypatch.setattr(slot, "check_source_ready", look)
    monkeypatch.setattr(slot, "_LOOK_AGAIN_SECONDS", 0.001)
    return left


def test_it_goes_on_when_the_source_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    left = answers(monkeypatch, "CONNECTION_REFUSED", "CONNECTION_FAILED", None)
    slot.await_source(PLAN, 60.0)
    assert list(left) == []


@pytest.mark.parametrize(("code", "patience_seconds"), [("CONNECTION_REFUSED", 0.0), ("AUTHENTICATION_FAILED", 60.0)])
def test_it_says_so_in_the_end_or_where_waiting_is_no_use(
    monkeypatch: pytest.MonkeyPatch, code: str, patience_seconds: float
) -> None:
    answers(monkeypatch, code)
    with pytest.raises(OutageError) as caught:
        slot.await_source(PLAN, patience_seconds)
    assert caught.value.code == code
