r"""A backfill of narrow rows against `psql \copy` piped from source to target, both into an empty table, in one run.

The whole platform runs as `rosetta up` starts it. Then once more, while pgbench writes the same table and the
pipeline's process is killed twice; at the end every row is compared.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg2

from compute.bench.readers import measure_readers
from compute.bench.stage import wait_until
from rosetta.enums import EngineKind
from rosetta.identifiers import TableId
from rosetta.local.account import server_account
from rosetta.local.binaries import find_binaries, scratch_folder
from rosetta.local.demo.bootstrap import Place
from rosetta.local.demo.source import SOURCE, TARGETS
from rosetta.local.home import Home
from rosetta.local.settings import local_settings
from rosetta.local.stack import Stack, running_stack
from rosetta.postgres import PostgresEndpoint

KILLS: Final = 2
_PIPELINE: Final = "narrow"
_WAIT_SECONDS: Final = 3600.0
_COLUMNS: Final = "id bigint PRIMARY KEY, n integer NOT NULL, at timestamptz NOT NULL, note text"
_FILL: Final = """
    INSERT INTO public.narrow SELECT i, i % 1000, timestamptz '2026-01-01' + i * interval '1 s', md5(i::text)
    FROM generate_series({first}, {last}) AS i"""
_FILL_ROWS: Final = 500_000
# Rows that change, go, come back and come anew, all over the table.
_LOAD: Final = r"""
\set id random(1, {rows})
\set fresh random({rows} + 1, {rows} * 10)
UPDATE public.narrow SET n = n + 1 WHERE id = :id;
DELETE FROM public.narrow WHERE id = :id + 7;
INSERT INTO public.narrow VALUES (:id + 7, 0, now(), 'again') ON CONFLICT (id) DO UPDATE SET note = 'twice';
INSERT INTO public.narrow VALUES (:fresh, 1, now(), 'new') ON CONFLICT (id) DO NOTHING;
"""


def measure_backfill(engine: EngineKind, rows: int, *, under_load: bool) -> dict[str, Any]:
    """Rows a second of each way and their ratio, the most memory held, and under load how many rows differ."""
    folder = Path(tempfile.mkdtemp(prefix="rosetta-bench-"))
    folder.chmod(0o755)
    try:
        with running_stack(Home(folder), lambda _: None) as stack:
            return _Backfills(stack, rows, engine).measure(under_load=under_load)
    finally:
        shutil.rmtree(folder)


class _Backfills:
    """One pipeline with one table, whose target is emptied by hand before each backfill."""

    def __init__(self, stack: Stack, rows: int, engine: EngineKind) -> None:
        self._stack = stack
        self._rows = rows
        self._engine = engine
        self._target = stack.addresses.targets[TARGETS[0]]
        self._source = stack.addresses.source
        settings = local_settings()
        account = server_account(settings.rosetta_pg_user)
        self._tools = find_binaries(account, scratch_folder(), settings.rosetta_pg_bin)
        self._api = stack.api()
        self._path = ""
        self._resident_mb = 0

    def measure(self, *, under_load: bool) -> dict[str, Any]:
        self._fill()
        readers = self._readers()
        copied = self._copy_piped()
        self._start_pipeline()
        self._empty_target()
        backfilled = self._backfill()
        figures: dict[str, Any] = {
            "rows": self._rows,
            "engine": self._engine.value,
            "copy_rows_per_s": round(self._rows / copied),
            "backfill_rows_per_s": round(self._rows / backfilled),
            "backfill_copy_ratio": round(copied / backfilled, 2),
        }
        figures["differences"] = self._differences()
        if under_load:
            self._empty_target()
            with self._written() as written:
                figures["loaded_rows_per_s"] = round(self._rows / self._backfill(KILLS))
            figures |= {"kills": KILLS, "written_transactions": written(), "loaded_differences": self._differences()}
            figures["loaded_copy_ratio"] = round(figures["loaded_rows_per_s"] / figures["copy_rows_per_s"], 2)
        return figures | {"backfill_rss_mb": self._resident_mb, "readers": readers}

    # -- the contenders ---------------------------------------------------------------------------

    def _readers(self) -> dict[str, Any]:
        ports, secrets = self._stack.addresses.ports, self._stack.addresses.secrets
        endpoint = PostgresEndpoint(
            "127.0.0.1", ports["source database"], SOURCE, SOURCE, secrets.source_password, sslmode="disable"
        )
        return measure_readers(endpoint, TableId("public", "narrow"), self._rows)

    def _copy_piped(self) -> float:
        """Seconds that `psql \\copy` takes from the source to an empty table with the same key."""
        _run(self._target, f"CREATE TABLE public.copied ({_COLUMNS})")
        psql = [str(self._tools / "psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]
        begun = time.monotonic()
        out = subprocess.Popen([*psql, self._source, "-c", r"\copy public.narrow TO STDOUT"], stdout=subprocess.PIPE)
        subprocess.run([*psql, self._target, "-c", r"\copy public.copied FROM STDIN"], stdin=out.stdout, check=True)
        seconds = time.monotonic() - begun
        if out.wait() != 0 or _one(self._target, "SELECT count(*) FROM public.copied") != self._rows:
            raise RuntimeError("the copy is not whole, so its rate means nothing")
        _run(self._target, "DROP TABLE public.copied")
        return seconds

    def _backfill(self, kills: int = 0) -> float:
        """Seconds from the begin of a backfill of every row to its end."""
        body = {"table_name": "narrow", "filters": ["id >= 0"]}
        begun = time.monotonic()
        job = self._api.call("POST", self._path, body)["id"]
        for number in range(1, kills + 1):
            self._kill_behind(job, number * self._rows // (kills + 1))
        ended = {"COMPLETED", "FAILED", "CANCELLED"}
        self._until("the backfill has ended", lambda: self._job(job)["status"] in ended)
        seconds = time.monotonic() - begun
        self._weigh(self._pid())
        found = self._job(job)
        if found["status"] != "COMPLETED":
            raise RuntimeError(f"the backfill is {found['status']}: {found['error_code']} {found['error_message']}")
        return seconds

    def _kill_behind(self, job: int, rows: int) -> None:
        """Kills the pipeline's process once so many rows are merged; returns when it streams again."""
        self._until(f"{rows} rows are merged", lambda: self._job(job)["rows_done"] >= rows)
        pid = self._pid()
        self._weigh(pid)
        os.kill(pid, signal.SIGKILL)
        self._until("the pipeline is back", lambda: self._pid() not in {0, pid})

    # -- what is around them ----------------------------------------------------------------------

    def _fill(self) -> None:
        _run(
            self._source, f"CREATE TABLE public.narrow ({_COLUMNS}); CREATE PUBLICATION narrow FOR TABLE public.narrow"
        )
        for first in range(1, self._rows + 1, _FILL_ROWS):
            last = min(self._rows, first + _FILL_ROWS - 1)
            _run(self._source, _FILL.format(first=first, last=last))
        with closing(psycopg2.connect(self._source)) as session:
            session.autocommit = True
            session.cursor().execute("VACUUM ANALYZE public.narrow")

    def _start_pipeline(self) -> None:
        addresses = self._stack.addresses
        source = Place(SOURCE, addresses.ports["source database"], addresses.secrets.source_password).connection()
        target = Place(TARGETS[0], addresses.ports["target database"], addresses.secrets.target_password).connection()
        made = {
            "name": _PIPELINE,
            "source_id": self._api.call("POST", "sources", {**source, "name": "narrow", "publication_name": "narrow"})[
                "id"
            ],
            "destination_id": self._api.call(
                "POST", "destinations", {"name": "narrow", "type": "POSTGRESQL", "config": target}
            )["id"],
            "engine": self._engine.value,
        }
        pipeline = self._api.call("POST", "pipelines", made)["id"]
        self._path = f"pipelines/{pipeline}/backfill"
        self._api.call("POST", f"pipelines/{pipeline}/start")
        states = "SELECT count(*) FROM table_syncs WHERE state = 'STREAMING'"
        self._until("the table streams", lambda: _one(addresses.config, states) == 1)

    def _empty_target(self) -> None:
        _run(self._target, "TRUNCATE public.narrow")

    @contextmanager
    def _written(self) -> Iterator[Callable[[], int]]:
        """pgbench on the same table until the block ends; tells then how many transactions it made."""
        script = self._stack.home.path / "load.sql"
        script.write_text(_LOAD.format(rows=self._rows), encoding="utf-8")
        command = [str(self._tools / "pgbench"), "-n", "-c", "2", "-R", "200", "-T", "100000", "-f", str(script)]
        process = subprocess.Popen([*command, self._source], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = int(_one(self._source, "SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = 'narrow'"))

        def written() -> int:
            query = "SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = 'narrow'"
            return int(_one(self._source, query)) - before

        try:
            yield written
            if process.poll() is not None:
                raise RuntimeError("pgbench ended by itself, so nothing was written beside the backfill")
        finally:
            process.terminate()
            process.wait(20)

    def _differences(self) -> int:
        """Rows that only one side has, as `rosetta verify` finds them once what is in flight has arrived."""
        path = self._path.removesuffix("backfill") + "verify"
        run = self._api.call("POST", path)["id"]
        self._until("it is verified", lambda: self._api.call("GET", f"{path}/{run}")["completed_at"] is not None)
        report = self._api.call("GET", f"{path}/{run}")["report"]
        tables = [table for destination in report["destinations"] for table in destination["tables"]]
        if not tables or report["outcome"] == "NOT_COMPARED":
            raise RuntimeError("nothing was compared")
        return sum(table["difference_count"] for table in tables)

    def _job(self, job: int) -> Any:
        return self._api.call("GET", f"{self._path}/{job}")

    def _pid(self) -> int:
        """The pipeline's process while it streams; 0 else."""
        try:
            health = httpx.get(f"{self._stack.addresses.compute}/health", timeout=5, trust_env=False).json()
        except httpx.HTTPError:
            return 0
        found = [one["pid"] for one in health.get("pipelines", []) if one.get("state") == "STREAMING"]
        return int(found[0]) if found else 0

    def _weigh(self, pid: int) -> None:
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            held = [int(line.split()[1]) // 1024 for line in status.read_text().splitlines() if line[:5] == "VmHWM"]
            self._resident_mb = max(self._resident_mb, *held)

    def _until(self, what: str, true: Callable[[], bool]) -> None:
        pause = threading.Event()

        def probe() -> bool:
            self._stack.watch()
            return true() or pause.wait(0.2)

        wait_until(what, probe, lambda: None, _WAIT_SECONDS)


def _run(url: str, text: str) -> None:
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(text)


def _one(url: str, query: str) -> Any:
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        return None if row is None else row[0]
