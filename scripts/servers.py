"""The servers of docker-compose.yml without Docker: `make servers` runs them until Ctrl-C and keeps their data.

Ports, names and passwords are those of docker-compose.yml, so that everything that is written for one holds for the
other; the programs are PostgreSQL and Valkey of the lock file.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from rosetta.errors import ConfigurationError, RosettaError
from rosetta.local.account import server_account
from rosetta.local.home import Home
from rosetta.local.ports import Reservation
from rosetta.local.postgres import PostgresCluster
from rosetta.local.process import spawn, stop
from rosetta.local.settings import local_settings
from rosetta.local.supervisor import StopRequested, request_stop, stop_signals
from rosetta.local.valkey import valkey_binary

# Role, which is also its password and its database, and port.
DATABASES: Final[Mapping[str, tuple[str, int]]] = {
    "config": ("rosetta", 5433),
    "source": ("postgres", 5434),
    "target": ("postgres", 5435),
}
REDIS_PORT: Final = 6379
_FOLDER: Final = Path(__file__).resolve().parent.parent / ".servers"


def url(database: str) -> str:
    """Of `config`, `source` or `target`."""
    name, port = DATABASES[database]
    return f"postgresql://{name}:{name}@127.0.0.1:{port}/{name}"


@contextmanager
def running_servers(home: Home, report: Callable[[str], None]) -> Iterator[Path]:
    """All four, answering until the end; gives the folder of PostgreSQL's commands.

    Raises ConfigurationError when one of the ports is taken, OutageError when a server does not start.
    """
    account = server_account(local_settings().rosetta_pg_user)
    home.prepare(account)
    lock = home.lock(report)
    require_free({**{f"{name} database": port for name, (_, port) in DATABASES.items()}, "Redis": REDIS_PORT})
    redis: list[str | Path] = [valkey_binary(), "--bind", "127.0.0.1", "--port", str(REDIS_PORT)]
    redis += ["--dir", home.valkey, "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
    with ExitStack() as running:
        for service, (name, port) in DATABASES.items():
            folder = home.clusters.resolve() / service
            cluster = PostgresCluster(folder, port, name, superuser=name, account=account, keep=(lock,))
            running.callback(cluster.stop)
            cluster.start()
            _ensure_database(cluster, name)
        process = spawn(redis, log=home.logs / "redis.log", death_signal=signal.SIGTERM, keep=(lock,))
        running.callback(stop, process, signal.SIGTERM, 10)
        yield cluster.bin()


def require_free(wanted: Mapping[str, int]) -> None:
    """Raises ConfigurationError when something listens on one of these ports, by what they are for."""
    with Reservation(wanted) as reservation:
        taken = [f"{port} ({name})" for name, port in wanted.items() if reservation.ports[name] != port]
    if taken:
        raise ConfigurationError(
            f"these ports are taken by other programs: {', '.join(taken)}",
            remedy="Stop what listens there, such as `make up` or `docker compose`, and start again.",
        )


def _ensure_database(cluster: PostgresCluster, name: str) -> None:
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {name}")


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    home = Home(_FOLDER)
    try:
        with stop_signals(request_stop), running_servers(home, _say) as commands:
            for database in DATABASES:
                _say(f"{database:<7} {url(database)}")
            _say(f"redis   redis://127.0.0.1:{REDIS_PORT}/0")
            _say(f"psql and the like, where this machine has none: export PATH='{commands}':\"$PATH\"")
            _say("the servers run; Ctrl-C stops them")
            while True:
                signal.pause()
    except StopRequested:
        _say(f"stopped; the data stay in {home.path}")
    except RosettaError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"remedy: {error.remedy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
