"""The ten planted bugs: cases that the shipped code passes, and that each bug must fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Final

from compute.tests.chaos import matrix
from compute.tests.chaos.arena import Arena
from compute.tests.chaos.faults.copies import job, until_streaming
from compute.tests.chaos.faults.outages import f7
from compute.tests.chaos.faults.poison import put, retry_now
from compute.tests.chaos.matrix import Act, Case, Fault
from compute.tests.chaos.servers import Servers
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind
from rosetta.plants import PLANTS

_KEY = 500_000
_HIDDEN = 996  # in the last chunk of the first copy, and without a value that the stream leaves out
_CHANGES = 3000
_POISON = "ALTER TABLE items ADD CONSTRAINT no_poison CHECK (a <> 'poison') NOT VALID"
_MEND = "ALTER TABLE items DROP CONSTRAINT no_poison"


def replay(arena: Arena) -> None:
    """Parked changes tried too often, one with its deletion behind it, and one that the target is ahead of."""
    arena.begin(dlq_max_retry_count=2)
    arena.run("a", _POISON)
    for number in range(3):
        put(arena, _KEY + number, "a = 'poison'")
    arena.arrives(arena.tick())
    eventually(lambda: arena.open_rows() == 3, 30, "three records are parked")
    arena.run("source", f"DELETE FROM items WHERE id = {_KEY + 1}")
    arena.arrives(arena.tick())
    tried = "SELECT count(*) FROM dlq_records WHERE attempts >= 2"
    eventually(lambda: arena.config.one(tried) > 0, 60, "they have been tried as often as is done without a person")
    arena.pause(2.0)
    # What a later change would have left there; its `rev` is that of no change yet.
    arena.run(
        "a",
        f"{_MEND}; INSERT INTO items (id, rev, a, n, _rosetta_lsn, _rosetta_seq)"
        f" VALUES ({_KEY + 2}, 900000000, 'newer', 0, {int(arena.source_lsn()) - 1}, 1)",
    )
    retry_now(arena)
    eventually(lambda: arena.open_rows() == 0, 60, "the ledger is empty")
    arena.run("source", f"UPDATE items SET rev = 1000000000, a = 'newest' WHERE id = {_KEY + 2}")


def outage_under_load(arena: Arena) -> None:
    """A target that is back while its backlog is long and changes go on."""
    arena.begin()
    with arena.writer(per_second=3000):
        arena.lines["a"].refuse()
        eventually(lambda: arena.open_rows() >= 20, 60, "batches are parked")
        with arena.recovery():
            arena.lines["a"].heal()


def hidden_commit(arena: Arena) -> None:
    """A transaction that waits for a standby: the stream has it, a SELECT cannot see it, and a copy reads then."""
    arena.run("source", f"ALTER DATABASE {arena.databases['source']} SET synchronous_commit = local")
    arena.begin(copied=False, rosetta_failpoint="after_chunk_read:sleep:0.7", backfill_batch_size=100)
    eventually(lambda: (job(arena, "items", "chunks_done") or 0) >= 1, 60, "the copy is under way")
    arena.run("source", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    arena.run("source", "SELECT pg_reload_conf()")
    thread = threading.Thread(target=_commit_hidden, args=(arena,))
    try:
        thread.start()
        query = f"SELECT a FROM items WHERE id = {_HIDDEN}"
        eventually(lambda: arena.one("a", query) == "hidden", 30, "the stream has it")
        assert arena.one("source", query) != "hidden"
        assert (job(arena, "items", "chunks_done") or 0) < 9, "its row was not read yet"
        until_streaming(arena, "items")
    finally:
        arena.run("source", "ALTER SYSTEM RESET synchronous_standby_names")
        arena.run("source", "SELECT pg_reload_conf()")
        thread.join(20)


def _commit_hidden(arena: Arena) -> None:
    with closing(arena.servers["source"].connect(arena.databases["source"])) as session, session.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute(f"UPDATE items SET a = 'hidden', rev = nextval('audit.rev') WHERE id = {_HIDDEN}")


def copy_under_load(arena: Arena) -> None:
    """The first copy, with time between a chunk's read and its watermark, while its rows change and go."""
    arena.begin(copied=False, rosetta_failpoint="after_chunk_read:sleep:0.5", backfill_batch_size=200)
    with arena.writer(per_second=1500):
        arena.until_running(300)


def interleaved(arena: Arena) -> None:
    """Transactions that begin before others and commit after them: the stream's LSNs go down between them."""
    arena.begin()
    for round_ in range(5):
        with closing(arena.servers["source"].connect(arena.databases["source"])) as session, session.cursor() as early:
            early.execute("BEGIN")
            early.execute(
                f"UPDATE items SET a = 'early {round_}', rev = nextval('audit.rev') WHERE id BETWEEN 1 AND 40"
            )
            arena.run("source", f"INSERT INTO items VALUES ({_KEY + round_}, nextval('audit.rev'), 'late', 1, NULL)")
            arena.arrives(arena.tick())
            early.execute("COMMIT")
        arena.arrives(arena.tick())


# Which case catches which bug; F7 is the one where neither the target nor the ledger can take anything.
SCENARIOS: Final[Mapping[str, Act]] = {
    "no_version_guard": replay,
    "overtake_parked": outage_under_load,
    "chunk_by_lsn": hidden_commit,
    "unguarded_chunk": copy_under_load,
    "no_tombstones": copy_under_load,
    "dedupe_by_global_lsn": interleaved,
    "early_flush": f7,
    "discard_after_retries": replay,
    "ignore_dlq_failure": f7,
    "no_key_parking": replay,
}


def run_all(
    servers: Servers, seed: int, engine: EngineKind, say: Callable[[str], None], names: Iterable[str] = SCENARIOS
) -> Iterator[tuple[str, bool]]:
    """Each bug of `names`, and whether it was caught: its case passes without it, and fails with it."""
    clean: dict[Act, Case] = {}
    for name in names:
        act = SCENARIOS[name]
        if act not in clean:
            clean[act] = run(servers, act, seed, engine)
            say(f"{_name(act)} without a bug: {_describe(clean[act])}")
        planted = run(servers, act, seed, engine, rosetta_plant=name)
        caught = clean[act].passed and not planted.passed
        say(f"{name} ({PLANTS[name]}): {'caught' if caught else 'NOT CAUGHT'}, {_describe(planted)}")
        yield name, caught


def run(servers: Servers, act: Act, seed: int, engine: EngineKind, **settings: object) -> Case:
    """One case of a scenario, on a pipeline of its own."""
    fault = matrix.FAULTS["F7"] if act is f7 else Fault("F0", _name(act), act, ("a",), False, (engine,), lambda: None)
    return matrix.run_case(servers, fault, seed, _CHANGES, engine, **settings)


def _name(act: Act) -> str:
    return str(getattr(act, "__name__", act)).replace("_", " ")


def _describe(case: Case) -> str:
    """In a line: what the oracle counted, or the sentence the case ended with."""
    if case.failure is not None:
        lines = case.failure.partition("\n--- ")[0].strip().splitlines()
        return f"ended with {lines[-1][:200]}"
    return "passed" if case.passed else "; ".join(case.verdict.notes)[:300]
