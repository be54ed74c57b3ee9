"""The minimum of the fault matrix, each case named after its fault. The rest, and more of each: `make chaos`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]

Withstands = Callable[[str], None]


def test_f1_kill_of_the_pipeline_process_at_each_failpoint(withstands: Withstands) -> None:
    withstands("F1")


def test_f2_kill_of_the_compute_service(withstands: Withstands) -> None:
    withstands("F2")


def test_f3_sigterm_to_the_compute_service(withstands: Withstands) -> None:
    withstands("F3")


def test_f4_killed_target(withstands: Withstands) -> None:
    withstands("F4")


def test_f5_killed_source(withstands: Withstands) -> None:
    withstands("F5")


def test_f6_redis_killed_and_flushed(withstands: Withstands) -> None:
    withstands("F6")


def test_f7_redis_and_a_target_away_together(withstands: Withstands) -> None:
    withstands("F7")


def test_f8_config_database_away(withstands: Withstands) -> None:
    withstands("F8")


def test_f9_lines_refused_black_holed_and_reset_after_commit(withstands: Withstands) -> None:
    withstands("F9")


def test_f10_split_brain(withstands: Withstands) -> None:
    withstands("F10")


def test_f14_slow_target(withstands: Withstands) -> None:
    withstands("F14")


def test_f16_poison(withstands: Withstands) -> None:
    withstands("F16")


def test_f19_unchanged_toast_and_key_changes(withstands: Withstands) -> None:
    withstands("F19")


def test_f22_dropped_slot(withstands: Withstands) -> None:
    withstands("F22")


def test_f23_removed_wal(withstands: Withstands) -> None:
    withstands("F23")


def test_f26_huge_transaction_with_a_crash_in_the_middle(withstands: Withstands) -> None:
    withstands("F26")


def test_f28_two_instances_frozen_and_woken(withstands: Withstands) -> None:
    withstands("F28")


def test_f31_replay_meets_newer_and_deleted_rows(withstands: Withstands) -> None:
    withstands("F31")


def test_f35_pipeline_deleted_while_its_source_is_away(withstands: Withstands) -> None:
    withstands("F35")


def test_f36_interrupted_backfill(withstands: Withstands) -> None:
    withstands("F36")


def test_f37_backfill_beside_changes_of_the_same_rows(withstands: Withstands) -> None:
    withstands("F37")
