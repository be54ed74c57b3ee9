"""The dashboard's story in a real browser, against the real backend, compute and databases.

Pictures, and the bars of size and speed, are left to `make e2e`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / ".tool" / "bin" / "python"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]


def web(*arguments: str) -> subprocess.CompletedProcess[str]:
    python = TOOL if TOOL.exists() else Path(sys.executable)
    environment = {name: value for name, value in os.environ.items() if name not in {"STAGE_PORT", "STAGE_KEPT"}}
    command: list[str | Path] = [python, ROOT / "scripts" / "web.py", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_story_of_an_installation_from_first_sign_in_to_deletion() -> None:
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("needs Debian's chromium")
    for step in (["bundle"], ["run", "e2e"]):
        answer = web(*step)
        if answer.stderr.startswith("SKIPPED"):
            pytest.skip(answer.stderr)
        assert answer.returncode == 0, answer.stdout[-6000:] + answer.stderr[-2000:]
