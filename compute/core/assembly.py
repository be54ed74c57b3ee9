"""Builds a pipeline inside its process: reads the plan, checks the source, claims the slot, connects the parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from compute.backfill.manager import BackfillManager
from compute.backfill.parts import CopyOptions
from compute.core.batch import TableChanges
from compute.core.catalog import Catalog
from compute.core.catalog.database import ConfigDatabase, Fence
from compute.core.control import Control
from compute.core.dlq_manager import DLQManager
from compute.core.engines import create_engine
from compute.core.fan_out import FanOut
from compute.core.flow import FlowCounter
from compute.core.lanes import LaneParts, Lanes
from compute.core.pipeline import Parts, PipelineEngine
from compute.core.process import ChildSpec
from compute.core.reporter import Reporter, Sight
from compute.core.slot import SlotWatch, await_source, claim_slot
from compute.core.spans import spans_of
from compute.core.tables import TableBook, TableControl
from compute.core.work import Work
from compute.destinations.base import TableTarget
from compute.dlq.backlog import ParkLimits
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.ledger import Ledger
from compute.sources.postgres import PostgresSource
from compute.transforms import RuleMaker
from compute.transforms.lookup import SourceLookup
from rosetta.enums import SeenBy
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.logs import get_logger
from rosetta.lsn import StreamPosition
from rosetta.table_rules import MaskingKey
from rosetta.types import TableSchema

_SOURCE_SECONDS = 5.0
_STOP_SHARE = 0.6  # of the supervisor's patience, for the writers; the rest is for the engine
_log = get_logger("compute.pipeline")


def assemble(spec: ChildSpec, pipe: Connection) -> PipelineEngine:
    """The pipeline of `spec`, ready to run.

    Raises:
        ConfigurationError: a person must change the plan or the source first.
        ResyncRequiredError: the stream cannot be continued without a gap.
        OutageError: the config database or the source cannot be reached.
    """
    return PipelineEngine(pipe, lambda pulse: _Assembly(spec, pulse).parts(), spec.settings.drain_seconds * _STOP_SHARE)


class _Assembly:
    """Holds the parts while they are connected, and the plan's part of a reload afterwards."""

    def __init__(self, spec: ChildSpec, pulse: Callable[[], None]) -> None:
        settings = spec.settings
        self.spec = spec
        self.catalog = Catalog(
            settings,
            spec.instance_id,
            application=f"rosetta pipeline {spec.pipeline_id}",
            fence=Fence(spec.pipeline_id, spec.epoch),
        )
        plan = self.catalog.plans.read(spec.pipeline_id)
        self.source = PostgresSource(plan.endpoint, plan.publication)
        # No longer than the lease holds: it is renewed by those parts that are not there yet.
        await_source(plan, min(_SOURCE_SECONDS, settings.lease_seconds / 2))
        self.claim = claim_slot(self.catalog, plan, self.source)
        self.plan = plan
        self.engine = create_engine(plan, settings, spec.heap_scale)
        self.book = TableBook()
        self.flow = FlowCounter()
        self.control = Control(self.reload, settings.poll_seconds)
        self.tables = TableControl(
            self.catalog,
            self.book,
            self.hand_over,
            self.control.post,
            self.control.stopping,
            RuleMaker(MaskingKey(self.catalog.keyring.masking_key), SourceLookup(plan.endpoint)),
        )
        self.backfill = BackfillManager(
            spec.pipeline_id,
            PostgresSource(plan.endpoint, plan.publication),
            self.catalog.copies,
            self.tables,
            CopyOptions(batch_rows=settings.backfill_batch_size, rows_per_second=settings.backfill_max_rows_per_second),
            self.engine.mark,
        )
        spans = spans_of(spec.pipeline_id, settings.otel_exporter_otlp_endpoint, disabled=settings.otel_sdk_disabled)
        self.fan_out = FanOut(self.engine, self.backfill.take_chunks, pulse, spans)
        self.dlq = self._dlq()
        self.lanes = self._lanes()
        self.streaming = False

    def parts(self) -> Parts:
        """Everything connected; every table that is to be served is with its writer before the engine starts."""
        self.reload()
        spec, slot_watch = self.spec, SlotWatch(self.source, self.plan)
        sight = Sight(
            self.engine, self.fan_out, self.book, self.flow, lambda: slot_watch.view, lambda: self.lanes.detached
        )
        return Parts(
            engine=self.engine,
            begin=self.begin,
            fan_out=self.fan_out,
            control=self.control,
            copies=self.backfill,
            dlq=self.dlq,
            reporter=Reporter(self.catalog, spec.pipeline_id, spec.epoch, spec.settings.lease_seconds, sight),
            slot_watch=slot_watch,
        )

    def begin(self) -> None:
        """Starts the engine where the destination that is furthest behind stands; no batch spans where others do."""
        floor, reached = StreamPosition(self.claim.confirmed), self.lanes.reached()
        position = max(floor, min(reached, default=floor))
        self.lanes.begin()
        self.book.route(partial(self.engine.start, position, cuts=self.lanes.cuts()))
        self.streaming = True

    def reload(self) -> None:
        """Brings destinations and tables in line with the plan as it is now."""
        plan = self.catalog.plans.read(self.spec.pipeline_id)
        # First, and each time: what must be removed there waits neither for the source nor for an earlier reload.
        self.lanes.part(plan)
        self.catalog.cleanup.let_go(self.spec.pipeline_id, self.fan_out.lanes)
        schemas = self.source.tables()
        self.note_schemas(schemas.values(), SeenBy.POLL)
        missing = {
            destination.pipeline_destination_id: schemas.keys() - {sync.source for sync in destination.tables}
            for destination in plan.destinations
            if destination.sync_all_tables
        }
        if any(missing.values()):
            for pipeline_destination_id, tables in missing.items():
                self.catalog.tables.add_missing(pipeline_destination_id, tables)
            plan = self.catalog.plans.read(self.spec.pipeline_id)
        if self.lanes.take_back(plan):
            plan = self.catalog.plans.read(self.spec.pipeline_id)
        self.tables.apply(self.lanes.match(plan), schemas)
        if self.streaming:
            self.book.route(self.engine.set_tables)

    def current_schema(self, table: TableId) -> TableSchema | None:
        """The source's table as it is now, asked because the stream shows that it is not what it was."""
        schema = self.source.tables().get(table)
        if schema is not None:
            self.control.post(lambda: self.note_schemas([schema], SeenBy.STREAM))
        return schema

    def outdated(self, sync_id: int) -> None:
        """Rows of a table may lack what the source has: it is copied again, which compares before it copies."""
        _log.info("table_outdated", sync_id=sync_id)
        self.control.post(lambda: self.catalog.tables.ask_resync(sync_id))

    def note_schemas(self, schemas: Iterable[TableSchema], seen_by: SeenBy) -> None:
        """On the control thread, and before it runs."""
        self.catalog.schemas.note(self.spec.pipeline_id, self.plan.source_id, list(schemas), seen_by)

    def hand_over(self, destination_id: int, work: Work) -> None:
        """Gives work to a lane; a destination that has left the pipeline needs none."""
        lane = self.fan_out.lanes.get(destination_id)
        if lane is not None:
            lane.put(work)

    def _lanes(self) -> Lanes:
        settings = self.spec.settings
        parts = LaneParts(
            epoch=self.spec.epoch,
            confirmed=self.claim.confirmed,
            settled=partial(self.catalog.cleanup.settled, self.spec.pipeline_id),
            log_end=self.source.current_lsn,
            dlq=self.dlq,
            limits=ParkLimits(settings.park_max_bytes, settings.park_max_age_seconds, settings.park_min_free_bytes),
            events=_Events(self.fan_out, self.tables, self.flow, self.current_schema, self.outdated),
        )
        return Lanes(self.fan_out, parts)

    def _dlq(self) -> DLQManager:
        """The ledger has sessions of its own: whoever waits for it keeps nobody from renewing the lease."""
        spec, settings, source_id = self.spec, self.spec.settings, self.plan.source_id
        database = ConfigDatabase(
            settings.config_database_url,
            application=f"rosetta ledger {spec.pipeline_id}",
            connections=settings.pipeline_pool_max_conn,
            fence=Fence(spec.pipeline_id, spec.epoch),
        )
        ledger = Ledger(database, self.catalog.keyring, spec.pipeline_id, source_id, spec.epoch)
        url = settings.redis_url
        dispatcher = Dispatcher(url, settings.dlq_key_prefix, source_id, spec.pipeline_id)
        return DLQManager(ledger, dispatcher, settings, self.hand_over)


@dataclass(frozen=True, slots=True)
class _Events:
    """Where a writer's news go (`compute.core.work.DeskEvents`)."""

    fan_out: FanOut
    tables: TableControl
    flow: FlowCounter
    look: Callable[[TableId], TableSchema | None]
    outdated: Callable[[int], None]

    def progressed(self) -> None:
        self.fan_out.acknowledge()

    def table_failed(self, sync_id: int, error: RosettaError) -> None:
        self.tables.fail(sync_id, error)

    def table_held(self, sync_id: int, error: RosettaError) -> None:
        self.tables.hold(sync_id, error)

    def table_taken(self, sync_id: int) -> None:
        self.tables.taken_again(sync_id)

    def table_outdated(self, sync_id: int) -> None:
        self.outdated(sync_id)

    def current_schema(self, table: TableId) -> TableSchema | None:
        return self.look(table)

    def wrote(self, destination_id: int, target: TableTarget, changes: TableChanges, commit_time: float | None) -> None:
        self.flow.add(destination_id, target, changes, commit_time)
