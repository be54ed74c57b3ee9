"""Fixtures of every lane: real servers, started once a session on free ports."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rosetta import migrate
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.tests.waiting import eventually
from rosetta.tracing import THREADS

_names = itertools.count(1)

_POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")
_POSTGIS_15 = Path("/usr/share/postgresql/15/extension/postgis.control")
# Tests end servers, not the machine: what the kernel was given is safe.
SETTINGS = {"fsync": "off", "full_page_writes": "off"}
SKIP_IS_FAILURE = os.environ.get("CI") == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped has failed: nothing there is allowed to be missing."""
    report = yield
    if SKIP_IS_FAILURE and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is imported."""
    report = yield
    if SKIP_IS_FAILURE and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure in CI: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _no_thread_of_traces() -> Iterator[None]:
    """What a test traced has ended with it: an exporter that tries again and again disturbs whatever comes next."""
    yield
    if "opentelemetry.sdk.trace" in sys.modules:
        eventually(lambda: THREADS.isdisjoint(thread.name for thread in threading.enumerate()), what="no traces go on")


def _folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """One PostgreSQL 18 cluster for the session; tests take databases of it."""
    folder = _folder()
    server = PostgresCluster(folder / "pg", free_port(), "cluster-password", SETTINGS)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster_15() -> Iterator[PostgresCluster]:
    """A second version with what the embedded server is built without: Debian's PostgreSQL 15 with PostGIS and XML."""
    if not (_POSTGRES_15 / "postgres").exists() or not _POSTGIS_15.exists():
        pytest.skip("needs Debian's postgresql-15 and postgresql-15-postgis-3")
    folder = _folder()
    server = PostgresCluster(folder / "pg", free_port(), "cluster-password", SETTINGS, binaries=_POSTGRES_15)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what takes Debian's server, and leaves out what the servers under test (ROSETTA_PG_BIN) cannot do yet."""
    for item in items:
        if "cluster_15" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.debian)
    _slow_files_first(items)
    late = {item: mark.args[0] for item in items if (mark := item.get_closest_marker("since"))}
    if not late:
        return
    version = PostgresCluster(Path(), 0, "").major_version()
    if too_late := [item for item, since in late.items() if since > version]:
        config.hook.pytest_deselected(items=too_late)
        items[:] = [item for item in items if item not in too_late]


def _slow_files_first(items: list[pytest.Item]) -> None:
    """So that no process of several is left alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@contextmanager
def _databases(cluster: PostgresCluster) -> Iterator[Callable[..., str]]:
    """Makes databases, empty or like a template, and drops them, with their slots, at the end."""
    made: list[str] = []
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:

        def make(template: str = "template0") -> str:
            name = f"t{next(_names)}"
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            made.append(name)
            return name

        yield make
        for name in made:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            # Ended and waited for: the slot of a session that is about to end cannot be dropped yet.
            cursor.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,))
            cursor.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
            )
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def new_database(cluster: PostgresCluster) -> Iterator[Callable[..., str]]:
    """Makes databases of `cluster` for one test."""
    with _databases(cluster) as make:
        yield make


@pytest.fixture(scope="session")
def migrated_template(cluster: PostgresCluster) -> str:
    """A database with the config schema, to copy: migrating takes ten times as long."""
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE migrated TEMPLATE template0")
    migrate.upgrade(cluster.dsn("migrated"))
    return "migrated"


@pytest.fixture
def new_config_database(new_database: Callable[..., str], migrated_template: str) -> Callable[[], str]:
    """Makes empty config databases of this version for one test."""
    return lambda: new_database(migrated_template)


@pytest.fixture
def new_database_15(cluster_15: PostgresCluster) -> Iterator[Callable[..., str]]:
    """The same of `cluster_15`."""
    with _databases(cluster_15) as make:
        yield make
