"""Snowflake as a destination: one session, one transaction per batch."""

from __future__ import annotations

from dataclasses import replace

from compute.destinations.base import Capabilities, Gathering, TableTarget
from compute.destinations.snowflake.changes import Changes
from compute.destinations.snowflake.copies import Copies
from compute.destinations.snowflake.options import DEFAULTS, Options
from compute.destinations.snowflake.progress import Progress
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import Staging
from compute.destinations.snowflake.tables import ensure_table, grant
from compute.destinations.transactional import TransactionalDestination
from rosetta.dialects.snowflake.tables import CREATE_OWN
from rosetta.lsn import StreamPosition
from rosetta.snowflake import SnowflakeEndpoint


class SnowflakeDestination(TransactionalDestination):
    """Writes to one database of an account; the contract is `Destination`'s."""

    capabilities = Capabilities(gathering=Gathering())

    _session: Session

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
        parts = self._session, self._progress, self._staging
        copies = Copies(*parts)
        self._loads = Changes(*parts, copies)
        super().__init__(self._session, self._loads, copies)

    def _create_own_tables(self) -> None:
        for sql in CREATE_OWN:
            self._session.run(sql, "creating Rosetta's own tables")

    def _own_tables_grant(self) -> str:
        return grant(self._session)

    def _take_over(self, epoch: int) -> None:
        self._progress.take_fence(epoch)
        self._staging.open(epoch)

    def ping(self) -> None:
        """Looks at the session only: a question would start the warehouse, or keep it running."""
        self._session.check()

    def durable_position(self) -> StreamPosition | None:
        return self._progress.known()

    def ensure_table(self, target: TableTarget) -> bool | None:
        table = self._staging.described(target, target.schema.column_names)
        return ensure_table(self._session, target, table, self._owner, self._naming)
