"""A cluster whose files can be copied and put back, as by a backup or a standby."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

from compute.tests.support.waiting import eventually
from rosetta.local.postgres import PostgresCluster


class Restorable:
    """Takes and puts back one copy of `server`, which must run, at `copy`."""

    def __init__(self, server: PostgresCluster, copy: Path) -> None:
        self.server, self.copy = server, copy

    def take_copy(self) -> None:
        self.server.stop()
        try:
            subprocess.run(["cp", "-a", str(self.server.data), str(self.copy)], check=True)
        finally:
            self.server.start()

    def put_back(self) -> None:
        """What the server did since the copy was taken never happened."""
        self._replace()
        self.server.start()

    def promote_copy(self) -> None:
        """The copy goes on as a standby that is promoted: the same cluster on a new timeline."""
        self._replace()
        (self.server.data / "standby.signal").touch()
        self.server.account.own(self.server.data / "standby.signal")
        self.server.start()
        self.run("SELECT pg_promote()")
        eventually(lambda: self.run("SELECT NOT pg_is_in_recovery()"), 60)

    def _replace(self) -> None:
        self.server.stop()
        shutil.rmtree(self.server.data)
        self.copy.rename(self.server.data)

    def run(self, statement: str, database: str = "postgres") -> object:
        with closing(self.server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
