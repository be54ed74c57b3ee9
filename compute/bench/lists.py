"""How fast a page of a long list of pipelines is: at rest, and while some of them stream.

The whole platform runs as `rosetta up` starts it: the answers come from its backend, over HTTP, while its compute
service, its databases and this client share the machine.
"""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg2

from rosetta.enums import EngineKind, Role
from rosetta.local.access import create_token
from rosetta.local.demo.bootstrap import Place
from rosetta.local.demo.source import SOURCE, TARGETS
from rosetta.local.home import Home
from rosetta.local.stack import Addresses, Stack, running_stack

PIPELINES: Final = 1000
PAGE: Final = 50
STREAMING: Final = 4
ROWS_PER_SECOND: Final = 500
_TABLES: Final = 5  # of each destination of each pipeline
_SAMPLES: Final = 600
_TOKENS: Final = 20  # each may ask only so often a minute
_STARTED_SECONDS: Final = 180.0
_BURST_SECONDS: Final = 0.1
_SORTS: Final = ("id", "-id", "name", "-name", "status", "-created_at", "updated_at")

# Half of them feed two destinations, as a list of pipelines does that have grown.
_FILL = f"""
INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name, replication_id)
    SELECT 'listed source ' || n, 'db' || n, 'app', 'rosetta', 'rosetta', 900000 + n FROM generate_series(1, 20) n;
INSERT INTO destinations (name, type, config)
    SELECT 'listed destination ' || n, 'POSTGRESQL', '{{"pg_host": "dw", "pg_database": "dw"}}'
    FROM generate_series(1, 8) n;
INSERT INTO pipelines (name, source_id, status)
    SELECT 'listed ' || n, s.id, 'PAUSE' FROM generate_series(1, {PIPELINES}) n
    JOIN sources s ON s.name = 'listed source ' || 1 + n % 20;
INSERT INTO pipeline_destinations (pipeline_id, destination_id)
    SELECT p.id, d.id FROM pipelines p
    JOIN destinations d ON d.name IN ('listed destination ' || 1 + p.id % 4, 'listed destination ' || 5 + p.id % 8)
    WHERE p.name LIKE 'listed %';
INSERT INTO table_syncs (pipeline_destination_id, table_name)
    SELECT j.id, 'table_' || n FROM pipeline_destinations j, generate_series(1, {_TABLES}) n;
ANALYZE"""


def measure_lists(engine: EngineKind) -> dict[str, Any]:
    """Milliseconds a page takes, in both states, and how many rows a second each pipeline really moved meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="rosetta-bench-"))
    folder.chmod(0o755)
    try:
        with running_stack(Home(folder), lambda _: None) as stack:
            _run(stack.addresses.config, _FILL)
            tokens = [create_token(stack.addresses.config, f"bench {n}", Role.VIEWER) for n in range(_TOKENS)]
            figures: dict[str, Any] = {"pipelines": PIPELINES, "page": PAGE, "engine": engine.value}
            figures["rest_ms"] = _pages(stack.addresses, tokens)
            _start(stack, engine)
            with _written(stack.addresses.source):
                before, begun = _arrived(stack.addresses), time.monotonic()
                figures["streaming_ms"] = _pages(stack.addresses, tokens)
                seconds = time.monotonic() - begun
            after = _arrived(stack.addresses)
            figures["rows_per_s"] = [round((late - early) / seconds) for early, late in zip(before, after, strict=True)]
            return figures
    finally:
        shutil.rmtree(folder)


def _start(stack: Stack, engine: EngineKind) -> None:
    addresses = stack.addresses
    tables = "".join(
        f"CREATE TABLE public.stream_{n}"
        " (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz, note text);"
        f"CREATE PUBLICATION stream_{n} FOR TABLE public.stream_{n};"
        for n in range(STREAMING)
    )
    _run(addresses.source, tables)
    source = Place(SOURCE, addresses.ports["source database"], addresses.secrets.source_password).connection()
    target = Place(TARGETS[0], addresses.ports["target database"], addresses.secrets.target_password).connection()
    api = stack.api()
    destination = api.call("POST", "destinations", {"name": "streamed", "type": "POSTGRESQL", "config": target})["id"]
    for n in range(STREAMING):
        body = {**source, "name": f"stream {n}", "publication_name": f"stream_{n}"}
        made = {
            "name": f"stream {n}",
            "source_id": api.call("POST", "sources", body)["id"],
            "destination_id": destination,
            "engine": engine.value,
        }
        api.call("POST", f"pipelines/{api.call('POST', 'pipelines', made)['id']}/start")
    _run(addresses.source, "".join(f"INSERT INTO public.stream_{n} (note) VALUES ('first');" for n in range(STREAMING)))
    deadline = time.monotonic() + _STARTED_SECONDS
    while not all(_arrived(addresses)):
        if time.monotonic() > deadline:
            raise TimeoutError("the pipelines did not start in time")
        stack.watch()
        time.sleep(0.5)


@contextmanager
def _written(url: str) -> Iterator[None]:
    """Rows arrive at every streamed table at the rate, in small transactions, until the block ends."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def write(number: int) -> None:
        table = f"public.stream_{number}"
        rows = round(ROWS_PER_SECOND * _BURST_SECONDS)
        text = f"INSERT INTO {table} (at, note) SELECT now(), repeat('x', 100) FROM generate_series(1, {rows})"
        try:
            with closing(psycopg2.connect(url)) as session:
                session.autocommit = True
                with session.cursor() as cursor:
                    due = time.monotonic()
                    while not ended.wait(max(0.0, due - time.monotonic())):
                        cursor.execute(text)
                        due += _BURST_SECONDS
        except psycopg2.Error as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(STREAMING)]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    if failures:
        raise failures[0]


def _pages(addresses: Addresses, tokens: Sequence[str]) -> dict[str, float]:
    """Pages anywhere in the list, in every order, one after the other, each on a connection that is open."""
    chosen = random.Random(42)  # the same pages in each run
    taken = []
    with httpx.Client(base_url=f"{addresses.backend}/api/v1", trust_env=False, timeout=30) as client:
        for number in range(-20, _SAMPLES):  # the first ones open connections and fill caches
            asked = {"limit": PAGE, "offset": chosen.randrange(PIPELINES - PAGE), "sort": chosen.choice(_SORTS)}
            headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
            begun = time.perf_counter()
            answer = client.get("/pipelines", params=asked, headers=headers)
            seconds = time.perf_counter() - begun
            page = answer.raise_for_status().json()
            if len(page["items"]) != PAGE or page["total"] < PIPELINES:
                raise AssertionError("the page is not whole")
            if number >= 0:
                taken.append(seconds)
    cuts = statistics.quantiles(taken, n=100)
    return {f"p{cut}": round(cuts[cut - 1] * 1000, 1) for cut in (50, 95, 99)}


def _arrived(addresses: Addresses) -> list[int]:
    """Rows of each streamed table at the target; 0 while there is no table."""
    found = []
    with closing(psycopg2.connect(addresses.targets[TARGETS[0]])) as session, session, session.cursor() as cursor:
        for number in range(STREAMING):
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.stream_{number}",))
            if not (cursor.fetchone() or (False,))[0]:
                found.append(0)
                continue
            cursor.execute(f"SELECT count(*) FROM public.stream_{number}")
            found.append(int((cursor.fetchone() or (0,))[0]))
    return found


def _run(url: str, text: str) -> None:
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(text)
