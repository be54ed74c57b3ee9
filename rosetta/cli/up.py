"""`rosetta up`: the whole platform on this machine, with sample data."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from rosetta.errors import ConfigurationError, OutageError, RosettaError
from rosetta.local.demo.progress import Arrived, look
from rosetta.local.home import Home
from rosetta.local.settings import local_settings
from rosetta.local.stack import Stack, running_stack
from rosetta.local.supervisor import StopRequested, request_stop, stop_signals

LOOK_SECONDS: Final = 0.2
LINE_SECONDS: Final = 3.0
REPEAT_SECONDS: Final = 15.0
FIRST_ROW_SECONDS: Final = 120.0
AT_WORK: Final = frozenset({"RUNNING", "SNAPSHOTTING"})


def up(
    until_first_row: Annotated[
        bool, typer.Option("--until-first-row", help="Stop after the first replicated row; print the seconds.")
    ] = False,
) -> None:
    """Start PostgreSQL, Valkey, the backend and compute, with a sample that changes all the time.

    Ctrl-C stops everything and keeps the data.
    """
    began = local_settings().rosetta_started_at or time.time()
    home = Home(local_settings().home())
    cold = home.is_new()
    try:
        with stop_signals(request_stop), running_stack(home, say) as stack:
            pipeline = stack.ensure_sample()
            first = wait_for_first_row(stack, pipeline, began, cold)
            say(f"first replicated row after {first:.1f} s")
            if until_first_row:
                write_report(first, cold)
                take_leave()
                return
            introduce(stack, home)
            keep_running(stack, pipeline)
    except StopRequested:
        say(f"stopped; the data stay in {home.path}")


def say(line: str) -> None:
    """Prints at once; a reader who went away does not keep the stack from being stopped."""
    with contextlib.suppress(BrokenPipeError):
        print(f"{datetime.now():%H:%M:%S}  {line}", flush=True)  # noqa: DTZ005 - the clock on the reader's wall


def introduce(stack: Stack, home: Home) -> None:
    """Says where everything is; the token only when it is new, and each time a link that signs in once."""
    say(f"dashboard  {stack.sign_in_link() or 'is not built; `make bundle` builds it, then start again'}")
    say(f"API        {stack.addresses.backend}/docs")
    if stack.new_token is not None:
        say(f"token      {stack.new_token} (shown once; `rosetta token create` makes others)")
    say(f"logs       {home.logs}")
    say(f"compare    {_typed()} verify")
    say("stop       Ctrl-C")


def take_leave() -> None:
    """Says how to sign in where nothing runs any more: each start makes a link, and tokens are made beside it."""
    say(f"go on      {_typed()} up keeps it running and shows a link that signs in")
    say(f"token      {_typed()} token create, while it runs")


def _typed() -> str:
    """This command, as it can be typed here again."""
    command = Path.cwd() / sys.argv[0]
    return str(command.relative_to(Path.cwd())) if command.is_relative_to(Path.cwd()) else command.name


def wait_for_first_row(stack: Stack, pipeline: int, began: float, cold: bool) -> float:
    """Seconds from `began` (Unix time) until a row of this run was seen in every target.

    Cold, that is any row; warm, one that the source changed since. Raises OutageError when none comes.
    """
    deadline = time.monotonic() + FIRST_ROW_SECONDS
    next_look = time.monotonic() + LINE_SECONDS
    said, repeat_at = "", 0.0
    while True:
        stack.watch()
        waited = time.time() - began
        if all(_is_first(look(url), waited, cold) for url in stack.addresses.targets.values()):
            return waited
        now = time.monotonic()
        if now > deadline:
            raise OutageError(
                f"no row arrived within {FIRST_ROW_SECONDS:.0f} s; the pipeline: {state(stack, pipeline) or 'RUNNING'}",
                remedy=f"Look into {stack.home.logs}.",
            )
        if now > next_look:
            next_look = now + LINE_SECONDS
            line = f"waiting for the first row; {state(stack, pipeline) or 'the pipeline runs'}"
            if line != said or now > repeat_at:
                say(line)
                said, repeat_at = line, now + REPEAT_SECONDS
        time.sleep(LOOK_SECONDS)


def keep_running(stack: Stack, pipeline: int) -> None:
    """Keeps the processes alive and says what arrives, until a signal ends it."""
    next_line = 0.0
    while True:
        stack.watch()
        if time.monotonic() > next_line:
            next_line = time.monotonic() + LINE_SECONDS
            trouble = state(stack, pipeline)
            seen = "; ".join(describe(name, look(url)) for name, url in stack.addresses.targets.items())
            say(seen + (f"; {trouble}" if trouble else ""))
        time.sleep(LOOK_SECONDS)


def describe(name: str, arrived: Arrived | None) -> str:
    """A few words on one target."""
    if arrived is None:
        return f"{name} is away"
    behind = "nothing yet" if arrived.lag_seconds is None else f"{arrived.lag_seconds:.1f} s behind"
    return f"{arrived.rows:,} rows in {name}, {behind}"


def _is_first(arrived: Arrived | None, waited: float, cold: bool) -> bool:
    if arrived is None:
        return False
    return arrived.rows > 0 if cold else (arrived.lag_seconds or waited) < waited


def state(stack: Stack, pipeline: int) -> str:
    """What the pipeline and its tables say when they are not at work, with error and remedy; empty when they are."""
    try:
        with stack.api() as api:
            destinations = api.call("GET", f"pipelines/{pipeline}")["destinations"]
    except RosettaError as error:
        return error.message
    parts = []
    for each in destinations:
        seen = each["metadata"] or {"status": "STARTING"}
        if seen["status"] not in AT_WORK:
            parts.append(sentence(seen["status"], seen.get("last_error"), seen.get("last_error_remedy")))
        parts += [
            sentence(f"{sync['schema_name']}.{sync['table_name']}", sync["error_message"], sync["error_remedy"])
            for sync in each["table_syncs"]
            if sync["state"] == "ERROR"
        ]
    return "; ".join(parts)


def sentence(*words: str | None) -> str:
    return " - ".join(word for word in words if word)


def write_report(first_row_seconds: float, cold: bool) -> None:
    folder: Path = local_settings().reports()
    report = {"first_row_s": round(first_row_seconds, 2), "cold": cold}
    try:
        folder.mkdir(exist_ok=True)
        (folder / "up.json").write_text(json.dumps(report) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"the report cannot be written: {error.filename}: {error.strerror}",
            remedy="Make the folder writable for this account.",
        ) from None
