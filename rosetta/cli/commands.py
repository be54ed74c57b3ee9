"""Everything that can be typed behind `rosetta`; one file for each subcommand."""

from __future__ import annotations

import typer

from rosetta.cli.backfill import backfill
from rosetta.cli.declaration import apply, export, plan
from rosetta.cli.dlq import dlq
from rosetta.cli.doctor import doctor
from rosetta.cli.rotate_key import rotate_key
from rosetta.cli.sign_in_link import sign_in_link
from rosetta.cli.token import token
from rosetta.cli.up import up
from rosetta.cli.verify import verify

app = typer.Typer(
    name="rosetta",
    help="Real-time replication from PostgreSQL to many databases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so secrets
)
app.command()(up)
app.command()(doctor)
app.command()(verify)
app.command("sign-in-link")(sign_in_link)
app.command()(plan)
app.command()(apply)
app.command()(export)
app.command("rotate-key")(rotate_key)
app.add_typer(backfill, name="backfill")
app.add_typer(dlq, name="dlq")
app.add_typer(token, name="token")
