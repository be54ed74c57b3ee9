"""`rosetta doctor`: what is missing, and what mends it."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from rosetta.local.diagnosis import State, diagnose


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check this installation: Python, binaries, ports, Java, config database, services; ends with 1 on a failure."""
    findings = diagnose()
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.state.value:<8} {finding.title}: {finding.detail}")
            if finding.remedy:
                print(f"{'':<8} -> {finding.remedy}")
    if any(finding.state is State.FAILURE for finding in findings):
        raise typer.Exit(1)
