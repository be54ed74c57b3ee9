"""Commands that are given a selection: its options come before their own, and become one value."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from rosetta.cli.dlq_options import selecting
from rosetta.cli.dlq_selection import Chosen
from rosetta.enums import DlqKind, ErrorClass


@pytest.fixture
def taken() -> list[tuple[Chosen, str]]:
    return []


@pytest.fixture
def app(taken: list[tuple[Chosen, str]]) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @selecting
    def take(wanted: Chosen, *, reason: Annotated[str, typer.Option(help="Why.")]) -> None:
        """Take records."""
        taken.append((wanted, reason))

    return app


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["3", "4"], Chosen(ids=(3, 4))),
        (["--pipeline", "p", "--all"], Chosen(pipeline="p", everything=True)),
        (
            [
                *("--pipeline", "p", "--destination", "d", "--table", "s.t"),
                *("--class", "DATA", "--code", "22003", "--kind", "RECORD", "--key", "1", "--key", "2"),
            ],
            Chosen((), "p", "d", "s.t", ErrorClass.DATA, "22003", DlqKind.RECORD, ("1", "2")),
        ),
    ],
)
def test_the_selection_is_one_value(
    app: typer.Typer, taken: list[tuple[Chosen, str]], words: list[str], wanted: Chosen
) -> None:
    outcome = CliRunner().invoke(app, [*words, "--reason", "because"])
    assert outcome.exit_code == 0, outcome.output
    assert taken == [(wanted, "because")]


def test_a_commands_own_options_stay_its_own(app: typer.Typer, taken: list[tuple[Chosen, str]]) -> None:
    assert CliRunner().invoke(app, ["3"]).exit_code == 2
    assert taken == []
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert "Take records." in shown
    assert shown.index("--pipeline") < shown.index("--reason")
