"""`reconcile` as a table: what is wanted, what runs, what waits -> what is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.core.reconcile import Action, ActionKind, Child, Waiting, Wish, reconcile
from rosetta.enums import DesiredStatus

START = Wish(1, "p", DesiredStatus.START, "f1", destinations={7: "a"})
PAUSE = replace(START, status=DesiredStatus.PAUSE)
REFRESH = replace(START, status=DesiredStatus.REFRESH)
NOW = 100.0

CASES = {
    "wanted, not running": (START, None, None, ActionKind.START),
    "wanted, running": (START, Child(START), None, None),
    "wanted, running, stopping": (START, Child(START, stopping=True), None, None),
    "wanted, owned elsewhere": (replace(START, elsewhere=True), None, None, None),
    "wanted, free, another's to take": (replace(START, ours_to_take=False), None, None, None),
    "running, and its lease has run out": (replace(START, ours_to_take=False), Child(START), None, None),
    "paused, whoever's it would be": (replace(PAUSE, ours_to_take=False), None, None, ActionKind.SETTLE),
    "running, but owned elsewhere now": (replace(START, elsewhere=True), Child(START), None, ActionKind.STOP),
    "source changed": (replace(START, fingerprint="f2"), Child(START), None, ActionKind.STOP),
    "destination changed": (replace(START, destinations={7: "b"}), Child(START), None, ActionKind.STOP),
    "destination joined": (replace(START, destinations={7: "a", 8: "c"}), Child(START), None, None),
    "destination left": (replace(START, destinations={}), Child(START), None, None),
    "waits after a failure": (START, None, Waiting(START, NOW + 1), None),
    "waited long enough": (START, None, Waiting(START, NOW), ActionKind.START),
    "changed while it waits": (replace(START, fingerprint="f2"), None, Waiting(START, NOW + 9), ActionKind.START),
    "paused, running": (PAUSE, Child(START), None, ActionKind.STOP),
    "paused, still ending": (PAUSE, Child(START, stopping=True), None, None),
    "paused, gone, not said yet": (PAUSE, None, None, ActionKind.SETTLE),
    "paused, gone, said": (replace(PAUSE, settled=True), None, None, None),
    "paused while it waits": (replace(PAUSE, settled=True), None, Waiting(START, NOW + 9), ActionKind.SETTLE),
    "paused, but runs elsewhere": (replace(PAUSE, elsewhere=True), None, None, None),
    "refresh, running": (REFRESH, Child(START), None, ActionKind.STOP),
    "refresh, not running": (REFRESH, None, None, ActionKind.START),
    "refresh does not wait": (REFRESH, None, Waiting(START, NOW + 9), ActionKind.START),
    "deleted, running": (None, Child(START), None, ActionKind.STOP),
    "deleted, still ending": (None, Child(START, stopping=True), None, None),
    "deleted while it waits": (None, None, Waiting(START, NOW + 9), ActionKind.FORGET),
}


@pytest.mark.parametrize("name", CASES)
def test_one_pipeline(name: str) -> None:
    wish, child, waiting, expected = CASES[name]
    actions = reconcile([wish] if wish else [], {1: child} if child else {}, {1: waiting} if waiting else {}, NOW)
    assert actions == ([] if expected is None else [Action(expected, 1)])


def test_every_wanted_pipeline_starts_in_one_pass() -> None:
    wishes = [replace(START, pipeline_id=number) for number in range(1, 16)]
    actions = reconcile(wishes, {}, {}, NOW)
    assert actions == [Action(ActionKind.START, number) for number in range(1, 16)]


def test_a_pipeline_that_waits_holds_up_no_other() -> None:
    wishes = [replace(START, pipeline_id=number) for number in (1, 2)]
    assert reconcile(wishes, {}, {1: Waiting(wishes[0], NOW + 60)}, NOW) == [Action(ActionKind.START, 2)]
