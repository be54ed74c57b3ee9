"""The benchmark runs, on a backlog too small to say anything about speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_a_short_run_reports_what_it_measured_and_nothing_else(tmp_path: Path) -> None:
    only = ["native", "ours_fast", "ceiling", "latency"]
    command = [sys.executable, "-m", "compute.bench", "--changes", "3000", "--latency-seconds", "0.5", "--only", *only]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110)
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / ".reports" / "bench.json").read_text())
    assert report["native_ratio"] > 0
    assert report["ceiling_ratio"] > 0
    assert 0 < report["rss_mb"]["fast"] < 1000
    assert 0 < report["latency_ms"]["1000"]["p50"] <= report["latency_ms"]["1000"]["p99"]
    assert "naive_ratio" not in report
    assert "small" not in report["rss_mb"]
