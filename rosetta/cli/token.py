"""`rosetta token`: access to the API."""

from __future__ import annotations

from typing import Annotated

import typer

from rosetta.cli.target import config_database_url
from rosetta.enums import Role
from rosetta.local.access import create_token

token = typer.Typer(help="API tokens.", no_args_is_help=True)


@token.callback()
def _group() -> None:
    """API tokens."""


@token.command("create")
def create(
    name: Annotated[str, typer.Option(help="What the token is for.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.VIEWER,
) -> None:
    """Make a token and print it; it cannot be shown again.

    The config database is DATABASE_URL, or the local stack's.
    """
    print(create_token(config_database_url(), name, role))
