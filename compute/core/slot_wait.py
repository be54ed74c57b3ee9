"""Tells people what keeps a slot from being made: the source waits for every transaction that is open then.

A standby waits until it hears which those are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from compute.core.catalog import Catalog
from compute.core.catalog.plan import PipelinePlan
from compute.core.exit_codes import Failure
from compute.sources.postgres import PostgresSource, standby_waits
from rosetta.enums import HealthStatus, ObservedStatus
from rosetta.errors import OutageError
from rosetta.logs import get_logger

_LOOK_SECONDS = 3.0
_log = get_logger("compute.slot")


@contextmanager
def told(catalog: Catalog, plan: PipelinePlan, source: PostgresSource) -> Iterator[None]:
    """While the block runs, and longer than a moment, the pipeline's state names the transactions it waits for."""
    ended = threading.Event()

    def look() -> None:
        said = False
        while not ended.wait(_LOOK_SECONDS):
            with suppress(OutageError):  # who makes the slot says so if it lasts
                survey = source.survey([plan.slot])
                seconds = survey.oldest_transaction_seconds
                if survey.on_standby:
                    failure = Failure.of(standby_waits())
                elif seconds is None or seconds < _LOOK_SECONDS:
                    continue
                else:
                    failure = _open_transactions(seconds)
                catalog.observations.declare(plan.pipeline_id, ObservedStatus.STARTING, HealthStatus.DEGRADED, failure)
                if not said:
                    _log.warning("slot_waits", slot=plan.slot, code=failure.code, error=failure.message)
                said = True

    thread = threading.Thread(target=look, name="slot-wait", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_LOOK_SECONDS)


def _open_transactions(seconds: float) -> Failure:
    return Failure(
        "OPEN_TRANSACTIONS",
        f"the slot waits for transactions that are open at the source; the oldest has been for {seconds:.0f} s",
        "SELECT pid, usename, application_name, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL "
        "ORDER BY xact_start; and end what is oldest.",
    )
