"""How the command ends: what it says last, and what of Ctrl-C at any time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rosetta.cli import up

COMMAND = Path(sys.executable).with_name("rosetta")
# Stands for a module that the command imports; Ctrl-C comes while it does.
INTERRUPTED = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
while True:
    pass
"""


@pytest.mark.parametrize("module", ["typer", "sqlalchemy"])
def test_ctrl_c_while_it_is_importing_is_quiet(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(INTERRUPTED)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([COMMAND, "--help"], env=environment, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_who_only_waited_for_the_first_row_learns_how_to_sign_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/rosetta", "up", "--until-first-row"])
    up.take_leave()
    said = capsys.readouterr().out
    assert ".venv/bin/rosetta up keeps it running and shows a link that signs in" in said
    assert ".venv/bin/rosetta token create, while it runs" in said
