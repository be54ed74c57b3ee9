"""Data that a target refuses, values that were not sent, and parked changes that are tried again."""

from __future__ import annotations

import os
import signal

from compute.tests.chaos.arena import SECRET, Arena
from compute.tests.chaos.faults.pressure import within_memory
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually
from rosetta.secrets import Keyring
from rosetta.verification import Bounds, DifferenceKind
from rosetta.verification.pipeline import Selection, verify_pipelines

# As a narrower type does; with a narrower type itself the whole table is held, because it does not fit any more.
_TOO_LONG = """
CREATE OR REPLACE FUNCTION chaos.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
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
        arena.config.url, Keyring.from_secret_key(SECRET), None, Selection(), Bounds(deadline_seconds=5)
    ):
        for destination in pipeline.destinations:
            for table in destination.tables:
                found |= {(table.source.name, "/".join(one.key)) for one in table.differences}
                assert all(one.kind is not DifferenceKind.EXTRA for one in table.differences)
    return found


@fault("F16", "poison: type, NOT NULL, unique and check, in the middle of good changes", shares=True)
def f16(arena: Arena) -> None:
    """Exactly the poisoned rows wait in the ledger, everything else is applied; mended, they are applied too."""
    arena.begin()
    first = arena.keys()
    put(arena, first, "n = -1000001")
    arena.arrives(arena.tick())
    kinds = ("check", "not null", "type", "unique")
    arena.run("a", "; ".join(_REFUSALS[kind][0] for kind in kinds))
    with arena.writer(per_second=2000):
        for number, kind in enumerate(kinds, 1):
            put(arena, first + number, _REFUSALS[kind][1])
            arena.pause(0.2)
    arena.arrives(arena.tick())
    poisoned = {("items", str(first + number)) for number in range(1, len(kinds) + 1)}
    assert missing(arena) == poisoned
    assert arena.open_rows("kind = 'RECORD' AND error_class = 'DATA'") == len(poisoned)
    put(arena, first + 90)
    arena.run("source", f"UPDATE items SET a = 'behind it', rev = nextval('audit.rev') WHERE id = {first + 1}")
    arena.run("source", f"DELETE FROM items WHERE id = {first + 2}")
    arena.arrives(arena.tick())
    assert missing(arena) == poisoned - {("items", str(first + 2))}, "a later change of a parked key waits behind it"
    with arena.recovery():
        arena.run("a", _MEND)
        retry_now(arena)
        eventually(lambda: arena.open_rows() == 0, 60, "the ledger is empty")
    arena.write_until_done()
    arena.run("source", f"DELETE FROM items WHERE id BETWEEN {first} AND {first} + 90")


@fault("F19", "unchanged TOAST on UPDATE, and key changes with TOAST, through a kill and an outage", shares=True)
def f19(arena: Arena) -> None:
    """The value that was not sent is the old one, also where the key changed and the change was parked."""
    service, first = arena.begin(), arena.keys()
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), 'toast', i, repeat(md5(i::text), 300)"
        f" FROM generate_series({first}, {first} + 199) i",
    )

    def step(number: int) -> None:
        """Each row once updated without its value; then half of them under another key, there and back."""
        arena.run(
            "source",
            f"UPDATE items SET n = {number}, rev = nextval('audit.rev') WHERE id >= {first} AND id < {first} + 1000;"
            f" UPDATE items SET id = id + 1000, rev = nextval('audit.rev') WHERE id >= {first} AND id < {first} + 100;"
            " UPDATE items SET a = 'moved', rev = nextval('audit.rev')"
            f" WHERE id >= {first} + 1000 AND id < {first} + 2000",
        )
        arena.run(
            "source",
            f"UPDATE items SET id = id - 1000, rev = nextval('audit.rev') WHERE id >= {first} + 1000"
            f" AND id < {first} + 2000",
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
    eventually(lambda: arena.open_rows() > 0, 30, "changes are parked")
    for number in range(30, 40):
        step(number)
    with arena.recovery():
        arena.lines["a"].heal()
    arena.write_until_done()


@fault("F31", "a replay that meets a newer row, and one that meets a deletion", shares=True)
def f31(arena: Arena) -> None:
    """What is older than the target's row is superseded, visibly; a deletion that waited behind is the last word."""
    arena.begin()
    first = arena.keys()
    superseded = "SELECT count(*) FROM dlq_records WHERE state = 'SUPERSEDED'"
    before = arena.config.one(superseded)
    arena.run("a", _REFUSALS["check"][0])
    put(arena, first, "a = 'poison'")
    put(arena, first + 1, "a = 'poison'")
    put(arena, first + 2, "a = 'poison'")
    arena.arrives(arena.tick())
    eventually(lambda: arena.open_rows() == 3, 30, "three records are parked")
    # deleted behind the parked insert; and newer at the target than what is parked
    arena.run("source", f"DELETE FROM items WHERE id = {first + 1}")
    arena.arrives(arena.tick())
    newer = int(arena.source_lsn()) - 1
    arena.run(
        "a",
        "ALTER TABLE items DROP CONSTRAINT no_poison; INSERT INTO items (id, rev, a, n, big, _rosetta_lsn,"
        f" _rosetta_seq) VALUES ({first + 2}, 999999999, 'newer', 0, NULL, {newer}, 1)",
    )
    with arena.recovery():
        retry_now(arena)
        eventually(lambda: arena.open_rows() == 0, 60, "the ledger is empty")
    assert arena.one("a", "SELECT a FROM items WHERE id = %s", first + 2) == "newer", "an older state was applied"
    assert arena.config.one(superseded) > before
    # the source catches up with what the test wrote at the target
    arena.run("source", f"UPDATE items SET rev = 1000000000, a = 'newest' WHERE id = {first + 2}")
    arena.write_until_done()


@fault("F32", "killed between the commit of a parked change and its XACK")
def f32(arena: Arena) -> None:
    """The entry that is left of it is a no-op: nothing is applied twice, and the stream of entries is empty at last."""
    points = {name: arena.folder / name for name in ("before_mark", "before_forget")}
    service = arena.begin(rosetta_failpoint=",".join(f"{name}:kill:@1:{marker}" for name, marker in points.items()))
    arena.run("a", _REFUSALS["check"][0])
    first = arena.keys()
    for number in range(20):
        put(arena, first + number, "a = 'poison'")
    arena.arrives(arena.tick())
    eventually(lambda: arena.open_rows() == 20, 30, "the records are parked")
    with arena.writer(per_second=2000):
        arena.run("a", "ALTER TABLE items DROP CONSTRAINT no_poison")
        retry_now(arena)
        arena.lines["a"].refuse()
        eventually(lambda: arena.open_rows("kind = 'SEGMENT'") > 0, 30, "batches are parked, too")
        with arena.recovery():
            arena.lines["a"].heal()
        for name, marker in points.items():
            eventually(marker.exists, 30, f"it was killed at {name}")
        arena.streaming_pid(service)
    eventually(lambda: arena.open_rows() == 0, 60, "the ledger is empty")
    eventually(lambda: entries(arena) == 0, 60, "no entry is left")
    arena.write_until_done()


def entries(arena: Arena) -> int:
    """Entries of the dispatcher's streams."""
    with arena.servers.valkey.client(arena.redis_number) as client:
        return sum(int(client.xlen(key)) for key in client.scan_iter("rosetta:dlq:*", _type="stream"))


@fault("F33", "many parked records")
def f33(arena: Arena) -> None:
    """Recovered in pages and bounded memory. `make chaos` parks a fifth of its changes; a million is `test_f33_*`'s."""
    many = max(400, arena.changes // 5)
    service = arena.begin()
    pid = arena.streaming_pid(service)
    arena.run("a", _REFUSALS["check"][0])
    first = arena.keys()
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), 'poison', i, NULL"
        f" FROM generate_series({first}, {first + many - 1}) i",
    )
    with arena.writer(per_second=500):
        eventually(lambda: arena.open_rows("kind = 'RECORD'") == many, 60 + many / 50, "each record is parked")
        arena.arrives(arena.tick())
        arena.run("a", "ALTER TABLE items DROP CONSTRAINT no_poison")
        with arena.recovery(120):
            retry_now(arena)
            eventually(lambda: arena.open_rows() == 0, 60 + many / 50, "the ledger is empty")
    within_memory(arena, pid)
    arena.log.append(f"{many} records")
    arena.write_until_done()
