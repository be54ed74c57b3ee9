"""Files on their way to staging tables, and these: made before a transaction, since making one ends it."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from compute.core import failpoints
from compute.destinations.base import TableTarget
from compute.destinations.snowflake.payload import Sent
from compute.destinations.snowflake.session import Session
from rosetta.dialects.snowflake import tables
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import Naming, own
from rosetta.dialects.snowflake.tables import TargetColumn
from rosetta.dialects.snowflake.types import TypeOptions, type_of
from rosetta.enums import DeleteMode
from rosetta.errors import OutageError
from rosetta.logs import get_logger
from rosetta.types import Column

_log = get_logger("compute.snowflake")


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file on the stage; `path` is its own, so that loading it loads nothing else."""

    path: str
    sent: Sent


class Staging:
    """Belongs to one writer. A path is never used twice, not even by another writer of the same stream."""

    def __init__(self, session: Session, owner: str, naming: Naming, options: TypeOptions) -> None:
        """`owner` tells this stream's files and tables from others'."""
        self._session = session
        self._owner = owner
        self._naming = naming
        self._options = options
        self._made: set[str] = set()
        self._numbers = itertools.count(1)
        self._epoch = 0
        self._folder = Path(tempfile.gettempdir())

    def open(self, epoch: int) -> None:
        """Forgets what an earlier session made, and removes what an earlier writer left on the stage."""
        self._made.clear()
        self._epoch = epoch
        self._session.run(f"REMOVE @{own('FILES')}/{self._owner}/", "removing files of earlier loads")

    def table(self, target: TableTarget, columns: Sequence[str]) -> MergeTable:
        """The target with a staging table for these columns of the source, which is there when this returns."""
        made = self.described(target, columns)
        if made.staging not in self._made:
            sql = tables.create_staging_sql(made.staging, len(made.columns), len(made.key))
            self._session.run(sql, f"preparing loads of {target.target}")
            self._made.add(made.staging)
        return made

    def described(self, target: TableTarget, columns: Sequence[str]) -> MergeTable:
        """The same, without making anything."""
        schema, key = target.schema, target.schema.key
        known = {column.name: column for column in schema.columns}
        names = self._naming.columns(dict.fromkeys((*schema.column_names, *columns)))
        typed = tuple(
            TargetColumn(
                names[name], type_of(known.get(name, Column(name, "text")), self._options, key=name in schema.key)
            )
            for name in columns
        )
        shape = "\0".join((str(target.sync_id), str(target.target), *(f"{one.name}\1{one.type.name}" for one in typed)))
        return MergeTable(
            target=self._naming.table(target.target),
            staging=own(f"STAGING_{self._owner}_{hashlib.sha256(shape.encode()).hexdigest()[:16]}"),
            columns=typed,
            key=tuple(columns.index(name) for name in key),
            soft_delete=target.delete_mode is DeleteMode.SOFT,
            copy_name=f"{self._owner}_{target.sync_id}",
        )

    def put(self, target: TableTarget, write: Callable[[Path], Sent]) -> StagedFile:
        """Writes a file and puts it on the stage."""
        path = f"@{own('FILES')}/{self._owner}/{target.sync_id}/{self._epoch}_{next(self._numbers)}/"
        folder = Path(tempfile.mkdtemp(prefix="rosetta-load-"))
        try:
            sent = write(folder / "rows.parquet")
            failpoints.hit("before_put")
            self._session.run(tables.put_sql(str(folder / "rows.parquet"), path), f"sending rows of {target.target}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        failpoints.hit("after_put")
        if sent.unheld:
            _log.info("values_kept_as_text", target=str(target.target), rows=sent.unheld)
        return StagedFile(path, sent)

    def load(self, file: StagedFile, table: MergeTable, doing: str) -> None:
        """Loads a file into the empty staging table. Raises OutageError unless each of its rows arrived."""
        loaded = self._session.rows(tables.copy_into_sql(table.staging, file.path), doing)
        count = sum(int(row[3]) for row in loaded if len(row) > 3)
        if count != file.sent.rows:
            raise OutageError(f"{doing}: {count} of {file.sent.rows} rows were loaded", code="LOAD_INCOMPLETE")
        failpoints.hit("after_load")

    def clear(self, table: MergeTable, doing: str) -> None:
        """Empties the staging table, inside the transaction that filled it."""
        self._session.run(f"DELETE FROM {table.staging}", doing)

    def remove(self, file: StagedFile) -> None:
        """Removes a file that was loaded for good."""
        self._session.run(f"REMOVE {file.path}", "removing a loaded file")
