"""A service whose clock is wrong."""

from __future__ import annotations

from pathlib import Path

_SKEWED = """
import os, time
_real, _real_ns, _skew = time.time, time.time_ns, float(os.environ["CLOCK_SKEW_SECONDS"])
time.time = lambda: _real() + _skew
time.time_ns = lambda: _real_ns() + int(_skew * 1e9)
"""


def skewed(folder: Path, seconds: float) -> dict[str, str]:
    """What makes a Python process, and all that it spawns, see the time so much later; `folder` gets a file."""
    (folder / "sitecustomize.py").write_text(_SKEWED)
    return {"PYTHONPATH": str(folder), "CLOCK_SKEW_SECONDS": str(seconds)}
