"""An instance is taken for dead only where that is certain."""

from __future__ import annotations

import os
import subprocess
import sys

from compute.core.instance import has_died, new_instance_id, place


def test_a_process_that_ended_has_died() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert has_died(f"{place()}:{gone.pid}:0badcafe")


def test_one_that_runs_has_not() -> None:
    assert not has_died(f"{place()}:{os.getppid()}:0badcafe")


def test_a_former_bearer_of_our_own_pid_has_died() -> None:
    assert has_died(new_instance_id())


def test_another_machine_cannot_be_judged_from_here() -> None:
    assert not has_died("elsewhere/1234abcd/4026531836:1:0badcafe")
    assert not has_died("no pid in this one")
