"""A server that follows another one."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster

_SLOT = "standby_of_the_test"


class Standby:
    """Streams from `primary`, by a slot of its own, and can be read meanwhile."""

    def __init__(self, primary: PostgresCluster, folder: Path) -> None:
        """`folder` is one that the server's account reaches, and that goes with the standby."""
        self.primary, self.folder = primary, folder
        primary.account.own(folder)
        made = primary.account.run(
            [
                *(primary.bin() / "pg_basebackup", "--pgdata", folder / "pg", "--dbname", primary.dsn()),
                *("--write-recovery-conf", "--checkpoint", "fast", "--create-slot", "--slot", _SLOT),
            ]
        )
        assert made.returncode == 0, made.stderr
        settings = {**primary.settings, "hot_standby_feedback": "on", "wal_receiver_status_interval": "1"}
        self.server = PostgresCluster(folder / "pg", free_port(), primary.password, settings, binaries=primary.bin())
        self.server.start()

    def has_replayed(self) -> bool:
        """Whether everything that the primary has written can be read here."""
        with closing(self.primary.connect()) as here, here.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
            (written,) = cursor.fetchall()[0]
        with closing(self.server.connect()) as there, there.cursor() as cursor:
            cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,))
            return cursor.fetchall()[0] == (True,)

    def close(self) -> None:
        self.server.stop()
        with closing(self.primary.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(active_pid, 10000), pg_drop_replication_slot(slot_name)"
                " FROM pg_replication_slots WHERE slot_name = %s",
                (_SLOT,),
            )
        shutil.rmtree(self.folder, ignore_errors=True)
