"""What a scrape of a compute service shows."""

from __future__ import annotations

import os
import time

from compute.core.supervision import Supervised, SupervisorView
from compute.metrics import render, resident_bytes


def test_a_scrape_shows_every_pipeline() -> None:
    described = Supervised(failures=2).describe(7, time.monotonic()) | {"name": "orders", "pid": os.getpid()}
    view = SupervisorView("here", None, None, None, (described,))
    lines = render(view).decode().splitlines()
    assert "rosetta_supervisor_ready 0.0" in lines
    assert 'rosetta_process_state{pipeline="orders",state="NOT_RUNNING"} 1.0' in lines
    assert 'rosetta_process_failures{pipeline="orders"} 2.0' in lines
    resident = next(line for line in lines if line.startswith("rosetta_process_resident_bytes{"))
    assert float(resident.split()[-1]) > 1_000_000


def test_a_process_that_is_gone_has_no_memory() -> None:
    assert resident_bytes(2**22 + 1) is None
