"""`rosetta plan`, `rosetta apply` and `rosetta export`: configuration as code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rosetta.cli.target import api
from rosetta.declaration import Action, Plan, export_document, load_document, make_plan
from rosetta.declaration.carrying_out import carry_out

File = Annotated[Path, typer.Option("--file", "-f", help="The declaration.")]
RenewSecrets = Annotated[bool, typer.Option(help="Send every secret again; they cannot be compared.")]
_DEFAULT = Path("rosetta.yaml")
_MARKS = {"create": "+", "change": "~", "remove": "-"}


def plan(file: File = _DEFAULT, *, renew_secrets: RenewSecrets = False) -> None:
    """Show what `apply` would do, and do nothing. Exit status 2 when there is something to do.

    The API is ROSETTA_URL with ROSETTA_TOKEN, or the local stack's.
    """
    document = load_document(file)
    with api() as remote:
        made = make_plan(document, remote, renew_secrets=renew_secrets)
    _show(made)
    if made.actions:
        raise typer.Exit(2)


def apply(file: File = _DEFAULT, *, renew_secrets: RenewSecrets = False) -> None:
    """Make the installation as the file declares it; what the file does not name stays.

    The API is ROSETTA_URL with ROSETTA_TOKEN, or the local stack's.
    """
    document = load_document(file)
    with api() as remote:
        made = make_plan(document, remote, renew_secrets=renew_secrets)
        _show(made)
        carry_out(made, remote, lambda action: print(f"done: {action.verb} {action.subject}"))


def export() -> None:
    """Print the installation as a declaration, without its secrets."""
    with api() as remote:
        print(export_document(remote), end="")


def _show(made: Plan) -> None:
    for action in made.actions:
        print(f"{_MARKS[action.verb]} {action.subject}{_route(action)}")
        for name, before, after in action.changes:
            print(f"    {name}: {after}" if before is None else f"    {name}: {before} -> {after}")
    if made.undeclared:
        print(f"not declared, left as it is: {', '.join(made.undeclared)}")
    if not made.actions:
        print("nothing to do")


def _route(action: Action) -> str:
    return f" ({action.path.rsplit('/', 1)[-1]})" if action.method == "POST" and action.body is None else ""
