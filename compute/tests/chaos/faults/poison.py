"""Data that a target refuses, values that were not sent, and parked changes that are tried again."""

from __future__ import annotations

import os
import signal

from compute.tests.chaos.arena import SECRET, Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually
from rosetta.secrets import Keyring
from rosetta.verification import Bounds, DifferenceKind
from rosetta.verification.pipeline import Selection, verify_pipelines

# As a narrower type does; with a narrower type itself the whole table is held, because it does not fit any more.
_TOO_LONG = """
CREATE FUNCTION chaos.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.a = 'long' THEN RAISE EXCEPTION 'too long' USING ERRCODE = '22001'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION chaos.refuse()"""
# Each refuses one kind of row at the target; what it is about stands at the source as it should.
_REFUSALS = {
    "check": ("ALTER TABLE items ADD CONSTRAINT no_poison CHECK (a <> 'poison') NOT VALID", "a = 'poison'"),
    "not null": ("ALTER TABLE items ADD CONSTRAINT some_n CHECK (n IS NOT NULL) NOT VALID", "n = NULL"),
    "type": (_TOO_LONG, "a = 'long'"),
    "unique": ("CREATE UNIQUE INDEX one_n ON items (n) WHERE n < -1000000", "n = -1000001"),
}
_MEND = """
ALTER TABLE items DROP CONSTRAINT no_poison, DROP CONSTRAINT some_n; DROP TRIGGER refuse ON items; DROP INDEX one_n"""
_BAD = 500_000  # keys that the seeded writer never touches
_OPEN = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"


def put(arena: Arena, key: int, assignments: str = "") -> None:
    """A row of the case's own in `items`, good, and changed in the same transaction by `assignments`."""
    arena.run(
        "source",
        f"INSERT INTO items VALUES ({key}, nextval('audit.rev'), 'good', {key}, NULL);"
        + (f" UPDATE items SET {assignments}, rev = nextval('audit.rev') WHERE id = {key}" if assignments else ""),
    )


def retry_now(arena: Arena) -> None:
    """What a person asks for once the target is mended."""
    arena.config.run("UPDATE pipeline_destinations SET recover_requested_at = now()")


def missing(arena: Arena) -> set[tuple[str, str]]:
    """(table, key) of every row that a target lacks or holds otherwise, once at rest."""
    found = set()
    for pipeline in verify_pipelines(
        arena.config.url, Keyring.from_secret_key(SECRET), None, Selection(), Bounds(deadline_seconds=30)
    ):
        for destination in pipeline.destinations:
            for table in destination.tables:
                found |= {(table.source.name, "/".join(one.key)) for one in table.differences}
                assert all(one.kind is not DifferenceKind.EXTRA for one in table.differences)
    return found


@fault("F16", "poison: type, NOT NULL, unique and check, in the middle of good changes")
def f16(arena: Arena) -> None:
    """Exactly the poisoned rows wait in the ledger, everything else is applied; mended, they are applied too."""
    arena.begin()
    put(arena, _BAD, "n = -1000001")
    arena.arrives(arena.tick())
    kinds = ("check", "not null", "type", "unique")
    arena.run("a", "; ".join(_REFUSALS[kind][0] for kind in kinds))
    with arena.writer(per_second=2000):
        for number, kind in enumerate(kinds, 1):
            put(arena, _BAD + number, _REFUSALS[kind][1])
            arena.pause(0.2)
    arena.arrives(arena.tick())
    poisoned = {("items", str(_BAD + number)) for number in range(1, len(kinds) + 1)}
    assert missing(arena) == poisoned
    assert arena.config.one(_OPEN + " AND kind = 'RECORD' AND error_class = 'DATA'") == len(poisoned)
    put(arena, _BAD + 90)
    arena.run("source", f"UPDATE items SET a = 'behind it', rev = nextval('audit.rev') WHERE id = {_BAD + 1}")
    arena.run("source", f"DELETE FROM items WHERE id = {_BAD + 2}")
    arena.arrives(arena.tick())
    assert missing(arena) == poisoned - {("items", str(_BAD + 2))}, "a later change of a parked key waits behind it"
    with arena.recovery():
        arena.run("a", _MEND)
        retry_now(arena)
        eventually(lambda: arena.config.one(_OPEN) == 0, 60, "the ledger is empty")
    arena.write_until_done()


@fault("F19", "unchanged TOAST on UPDATE, and key changes with TOAST, through a kill and an outage")
def f19(arena: Arena) -> None:
    """The value that was not sent is the old one, also where the key changed and the change was parked."""
    service = arena.begin()
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), 'toast', i, repeat(md5(i::text), 300)"
        f" FROM generate_series({_BAD}, {_BAD} + 199) i",
    )

    def step(number: int) -> None:
        """Each row once updated without its value; then half of them under another key, there and back."""
        arena.run(
            "source",
            f"UPDATE items SET n = {number}, rev = nextval('audit.rev') WHERE id >= {_BAD} AND id < {_BAD} + 1000;"
            f" UPDATE items SET id = id + 1000, rev = nextval('audit.rev') WHERE id >= {_BAD} AND id < {_BAD} + 100;"
            " UPDATE items SET a = 'moved', rev = nextval('audit.rev')"
            f" WHERE id >= {_BAD} + 1000 AND id < {_BAD} + 2000",
        )
        arena.run(
            "source",
            f"UPDATE items SET id = id - 1000, rev = nextval('audit.rev') WHERE id >= {_BAD} + 1000"
            f" AND id < {_BAD} + 2000",
        )

    pid = arena.streaming_pid(service)
    for number in range(10):
        step(number)
    os.kill(pid, signal.SIGKILL)
    for number in range(10, 20):
        step(number)
    arena.streaming_pid(service, other_than=pid)
    arena.arrives(arena.tick())
    arena.lines["a"].refuse()
    for number in range(20, 30):
        step(number)
    arena.pause(3.0)
    for number in range(30, 40):
        step(number)
    with arena.recovery():
        arena.lines["a"].heal()
    arena.write_until_done()


@fault("F31", "a replay that meets a newer row, and one that meets a deletion")
def f31(arena: Arena) -> None:
    """What is older than the target's row is superseded, visibly; a deletion that waited behind is the last word."""
    arena.begin()
    arena.run("a", _REFUSALS["check"][0])
    put(arena, _BAD, "a = 'poison'")
    put(arena, _BAD + 1, "a = 'poison'")
    put(arena, _BAD + 2, "a = 'poison'")
    arena.arrives(arena.tick())
    eventually(lambda: arena.config.one(_OPEN) == 3, 30, "three records are parked")
    # deleted behind the parked insert; and newer at the target than what is parked
    arena.run("source", f"DELETE FROM items WHERE id = {_BAD + 1}")
    arena.arrives(arena.tick())
    newer = int(arena.source_lsn()) - 1
    arena.run(
        "a",
        "ALTER TABLE items DROP CONSTRAINT no_poison; INSERT INTO items (id, rev, a, n, big, _rosetta_lsn,"
        f" _rosetta_seq) VALUES ({_BAD + 2}, 999999999, 'newer', 0, NULL, {newer}, 1)",
    )
    with arena.recovery():
        retry_now(arena)
        eventually(lambda: arena.config.one(_OPEN) == 0, 60, "the ledger is empty")
    assert arena.one("a", "SELECT a FROM items WHERE id = %s", _BAD + 2) == "newer", "an older state was applied"
    assert arena.config.one("SELECT count(*) FROM dlq_records WHERE state = 'SUPERSEDED'") >= 1
    # the source catches up with what the test wrote at the target
    arena.run("source", f"UPDATE items SET rev = 1000000000, a = 'newest' WHERE id = {_BAD + 2}")
    arena.write_until_done()
