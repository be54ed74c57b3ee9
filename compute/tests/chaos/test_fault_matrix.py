"""The minimum of the fault matrix, each case named after its fault. The rest, and more of each: `make chaos`.

Each case runs over one engine, those that look closest at the source over Debezium; `ROSETTA_CHAOS_ENGINES=both` runs
all of them over both. `ROSETTA_CHAOS_CHANGES` is the number of changes of a case.
"""

from __future__ import annotations

import os

import pytest

from compute.tests.chaos.conftest import Withstands
from compute.tests.chaos.matrix import ENGINES
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]


def over(engine: EngineKind) -> pytest.MarkDecorator:
    """Cases of one engine follow one another, whatever their place here: they share a pipeline."""
    both = os.environ.get("ROSETTA_CHAOS_ENGINES") == "both"
    return pytest.mark.parametrize("engine", ENGINES if both else [engine], scope="module")


debezium, pgoutput = over(EngineKind.DEBEZIUM), over(EngineKind.PGOUTPUT)


@pgoutput
def test_f1_kill_of_the_pipeline_process_at_each_failpoint(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F1", engine)


@pgoutput
def test_f2_kill_of_the_compute_service(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F2", engine)


@pgoutput
def test_f3_sigterm_to_the_compute_service(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F3", engine)


@pgoutput
def test_f4_killed_target(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F4", engine)


@debezium
def test_f5_killed_source(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F5", engine)


@pgoutput
def test_f6_redis_killed_and_flushed(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F6", engine)


@pgoutput
def test_f7_redis_and_a_target_away_together(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F7", engine)


@pgoutput
def test_f8_config_database_away(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F8", engine)


@pgoutput
def test_f9_lines_refused_black_holed_and_reset_after_commit(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F9", engine)


@pgoutput
def test_f10_split_brain(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F10", engine)


@pgoutput
def test_f14_slow_target(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F14", engine)


@pgoutput
def test_f15_lock_on_a_table_of_the_target(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F15", engine)


@pgoutput
def test_f16_poison(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F16", engine)


@debezium
def test_f19_unchanged_toast_and_key_changes(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F19", engine)


@debezium
def test_f22_dropped_slot(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F22", engine)


@debezium
def test_f23_removed_wal(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F23", engine)


@pgoutput
def test_f26_huge_transaction_with_a_crash_in_the_middle(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F26", engine)


@pgoutput
def test_f28_two_instances_frozen_and_woken(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F28", engine)


@pgoutput
def test_f31_replay_meets_newer_and_deleted_rows(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F31", engine)


@pgoutput
def test_f35_pipeline_deleted_while_its_source_is_away(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F35", engine)


@pgoutput
def test_f36_interrupted_backfill(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F36", engine)


@pgoutput
def test_f37_backfill_beside_changes_of_the_same_rows(withstands: Withstands, engine: EngineKind) -> None:
    withstands("F37", engine)
