"""What people change while a pipeline runs: its rows in the config database, passwords, the key of all secrets."""

from __future__ import annotations

import json

import psycopg2

from compute.tests.chaos.arena import SECRET, Arena
from compute.tests.chaos.faults.copies import until_streaming
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually
from rosetta.rotation import rotate
from rosetta.secrets import Keyring

_NEW_KEY = "another key for tests"
_USER = "rosetta_chaos"


@fault("F29", "passwords are changed at the target and at the source")
def f29(arena: Arena) -> None:
    """The state says that signing in fails; the new password is picked up without a restart of anything else."""
    for role in ("a", "source"):
        _set_password(arena, role, "first")
    arena.service().start()
    arena.add_pipeline("PAUSE")
    _tell(arena, "a", "first")
    _tell(arena, "source", "first")
    arena.config.set_status(arena.pipeline, "START")
    arena.until_running(200)
    arena.count_from_here()
    try:
        with arena.writer(per_second=2000):
            for role in ("a", "source"):
                _set_password(arena, role, "second")
                arena.run(role, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_USER}'")
                eventually(lambda: arena.error_code("a") == "AUTHENTICATION_FAILED", 30, "it says what is wrong")
                with arena.recovery():
                    _tell(arena, role, "second")
                arena.until_running()
        arena.write_until_done()
        arena.arrives(arena.tick())
    finally:
        for role in ("a", "source"):
            _forget(arena, role)
    arena.until_running()


def _set_password(arena: Arena, role: str, password: str) -> None:
    """The user is made where there is none."""
    try:
        arena.run(role, f"CREATE USER {_USER} SUPERUSER PASSWORD '{password}'")
    except psycopg2.errors.DuplicateObject:
        arena.run(role, f"ALTER USER {_USER} PASSWORD '{password}'")


def _tell(arena: Arena, role: str, password: str, user: str = _USER) -> None:
    """By plain SQL, as a person would."""
    if role == "source":
        arena.config.run("UPDATE sources SET pg_username = %s, pg_password = %s", user, password)
    else:
        changed = json.dumps({"pg_username": user, "pg_password": password})
        arena.config.run(
            "UPDATE destinations SET config = config || %s::jsonb WHERE id = %s", changed, arena.destinations[role]
        )


def _forget(arena: Arena, role: str) -> None:
    """Back to the user that everybody else has."""
    server = arena.servers[role]
    _tell(arena, role, server.password, server.superuser)
    arena.run(role, f"ALTER USER {_USER} NOLOGIN")
    eventually(lambda: _signed_out(arena, role), 60, "nobody is signed in as that user")
    arena.run(role, f"REASSIGN OWNED BY {_USER} TO {server.superuser}; DROP OWNED BY {_USER}; DROP USER {_USER}")


def _signed_out(arena: Arena, role: str) -> bool:
    return bool(arena.one(role, f"SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = '{_USER}'"))


@fault("F30", "the key of all secrets is wrong, then changed")
def f30(arena: Arena) -> None:
    """A service with a wrong key opens nothing and says so; one with both keys goes on, and the old one can go."""
    service = arena.begin()
    arena.write_until_done(arena.changes // 2)
    service.terminate()
    wrong = arena.service(secret_key=_NEW_KEY)
    wrong.start()
    eventually(lambda: arena.error_code("a") == "SECRET_KEY_UNKNOWN", 60, "it says that its key opens nothing")
    arena.write_until_done(arena.changes // 2)
    wrong.terminate()
    both = arena.service(secret_key=_NEW_KEY, secret_key_previous=json.dumps([SECRET]))
    both.start()
    with arena.recovery():
        arena.streaming_pid(both)
    rotate(arena.config.url, Keyring.from_secret_key(_NEW_KEY, [SECRET]))  # as `rosetta rotate-key` does
    both.terminate()
    new = arena.service(secret_key=_NEW_KEY)
    new.start()
    with arena.recovery():
        arena.streaming_pid(new)
    arena.secret = _NEW_KEY
    arena.until_running()


@fault("F38", "a pipeline is edited under load", targets=("a", "b"))
def f38(arena: Arena) -> None:
    """A destination joins, limits, names and a table's shape change, one table is copied again: nothing is skipped."""
    service = arena.begin()
    config, pipeline = arena.config, arena.pipeline
    streams = "SELECT count(*) FROM table_syncs WHERE state = 'STREAMING'"
    before = config.one(streams)
    with arena.writer(arena.changes, per_second=2000) as writer:
        third = config.add_destination(
            arena.servers["b"], arena.databases["b"], pg_port=arena.lines["b"].port, pg_schema="copy"
        )
        config.run("INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, third)
        eventually(lambda: config.one(streams) == before * 3 // 2, 120, "a destination joined")
        pid = arena.streaming_pid(service)
        config.run("UPDATE pipelines SET max_batch_rows = 500, max_queue_rows = 2000 WHERE id = %s", pipeline)
        with arena.recovery():
            arena.streaming_pid(service, other_than=pid)
        config.run("UPDATE destinations SET name = name || ' renamed'")
        config.run("UPDATE pipelines SET profile = 'fast', name = 'renamed' WHERE id = %s", pipeline)
        config.run(
            "UPDATE table_syncs SET desired_state = 'RESYNC' WHERE table_name = 'pairs' AND pipeline_destination_id ="
            " (SELECT id FROM pipeline_destinations WHERE destination_id = %s)",
            third,
        )
        arena.run("source", "ALTER TABLE items ADD COLUMN extra int")
        eventually(lambda: writer.done, 60 + arena.changes / 500, "all changes are committed")
    until_streaming(arena, "pairs", "items")
    with arena.recovery():
        pass


@fault("F41", "a row of the config database that makes no sense", shares=True)
def f41(arena: Arena) -> None:
    """It fails alone and with a remedy; the poll and all that runs go on."""
    service = arena.begin()
    pid, config = arena.streaming_pid(service), arena.config
    source, destination = config.row("SELECT source_id, %s FROM pipelines", arena.destinations["a"]) or (0, 0)
    broken = config.add_pipeline("broken", source, destination, "PAUSE")
    kept = config.one("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'pipelines_status_check'")
    config.run("ALTER TABLE pipelines DROP CONSTRAINT pipelines_status_check")
    try:
        with arena.writer(per_second=2000):
            config.run("UPDATE pipelines SET status = 'BOGUS' WHERE id = %s", broken)
            eventually(lambda: config.observed(broken) == "FAILED", 30, "it fails")
            assert config.observed(arena.pipeline) == "RUNNING"
            with arena.recovery():
                config.run(config.one("SELECT last_error_remedy FROM pipeline_metadata WHERE pipeline_id = %s", broken))
            eventually(lambda: config.observed(broken) == "PAUSED", 30, "its remedy mends it")
    finally:
        config.run("DELETE FROM pipelines WHERE id = %s", broken)
        config.run(f"ALTER TABLE pipelines ADD CONSTRAINT pipelines_status_check {kept}")
    assert arena.streaming_pid(service) == pid
    arena.write_until_done()
