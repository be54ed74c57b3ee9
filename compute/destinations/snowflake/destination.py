"""Snowflake as a destination: one session, one transaction per batch."""

from __future__ import annotations

from dataclasses import replace

from compute.destinations.base import (
    Capabilities,
    Gathering,
    RangeCheck,
    Refusals,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.snowflake.changes import Changes
from compute.destinations.snowflake.copies import Copies
from compute.destinations.snowflake.options import DEFAULTS, Options
from compute.destinations.snowflake.progress import Progress
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import Staging
from compute.destinations.snowflake.tables import ensure_table, grant
from rosetta.dialects.snowflake.tables import CREATE_OWN
from rosetta.errors import ConfigurationError, DataError
from rosetta.lsn import StreamPosition
from rosetta.snowflake import SnowflakeEndpoint


class SnowflakeDestination:
    """Writes to one database of an account; the contract is `Destination`'s."""

    capabilities = Capabilities(
        transactional=True,
        truncate=True,
        current_state=True,
        append=True,
        soft_delete=True,
        max_value_bytes=1 << 24,
        gathering=Gathering(),
    )

    def __init__(
        self,
        endpoint: SnowflakeEndpoint,
        pipeline_id: int,
        destination_id: int,
        options: Options = DEFAULTS,
        session: Session | None = None,
    ) -> None:
        """`session`: another one than the account's, for measurements."""
        if self.capabilities.gathering is not None:
            self.capabilities = replace(self.capabilities, gathering=options.gathering)
        self._owner = (pipeline_id, destination_id)
        self._naming = options.naming
        self._session = session or Session(endpoint, f"rosetta writer {pipeline_id}/{destination_id}")
        self._progress = Progress(self._session, pipeline_id, destination_id)
        self._staging = Staging(self._session, f"{pipeline_id}_{destination_id}", options.naming, options.types)
        self._copies = Copies(self._session, self._progress, self._staging)
        self._changes = Changes(self._session, self._progress, self._staging, self._copies)

    def open(self, epoch: int) -> None:
        self._session.connect()
        try:
            self._create_own_tables()
            self._progress.take_fence(epoch)
            self._staging.open(epoch)
        except BaseException:
            self.close()
            raise

    def _create_own_tables(self) -> None:
        try:
            for sql in CREATE_OWN:
                self._session.run(sql, "creating Rosetta's own tables")
        except DataError as error:
            raise ConfigurationError(error.message, code=error.code, remedy=grant(self._session)) from None

    def close(self) -> None:
        self._session.close()

    def ping(self) -> None:
        """Looks at the session only: a question would start the warehouse, or keep it running."""
        self._session.check()

    def durable_position(self) -> StreamPosition | None:
        return self._progress.known()

    def ensure_table(self, target: TableTarget) -> bool | None:
        table = self._staging.described(target, target.schema.column_names)
        return ensure_table(self._session, target, table, self._owner, self._naming)

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        return self._changes.write(batch, refused)

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        return self._copies.write_rows(chunk, refused)

    def matches(self, check: RangeCheck) -> bool:  # noqa: ARG002 - the contract's
        """Snowflake cannot compute the source's hashes, so that it cannot tell."""
        return False

    def start_copy(self, target: TableTarget) -> None:
        self._copies.start(target)

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        return self._copies.unfilled_keys(target)

    def unconfirmed_keys(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        return self._copies.unconfirmed_keys(target, after)

    def finish_copy(self, target: TableTarget) -> None:
        self._copies.finish(target)
