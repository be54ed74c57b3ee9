"""Builds a pipeline inside its process: reads the plan, checks the source, claims the slot, connects the parts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from compute.core.batch import TableChanges
from compute.core.catalog import Catalog
from compute.core.catalog.plan import DestinationPlan, PipelinePlan
from compute.core.control import Control
from compute.core.engines import create_engine
from compute.core.fan_out import FanOut
from compute.core.flow import FlowCounter
from compute.core.pipeline import Parts, PipelineEngine
from compute.core.process import ChildSpec
from compute.core.reporter import Reporter, Sight
from compute.core.slot import SlotWatch, claim_slot
from compute.core.tables import TableBook, TableControl
from compute.core.writer import Resumption, Writer
from compute.core.work import Work
from compute.destinations.base import Destination, TableTarget
from compute.destinations.registry import create_destination
from compute.sources.postgres.source import PostgresSource
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.types import TableSchema

_SETTLE_SECONDS = 15.0  # a destination that cannot be reached is known as such by then
_STOP_SHARE = 0.6  # of the supervisor's patience, for the writers; the rest is for the engine


def assemble(spec: ChildSpec, pipe: Connection) -> PipelineEngine:
    """The pipeline of `spec`, ready to run.

    Raises:
        ConfigurationError: a person must change the plan or the source first.
        ResyncRequiredError: the stream cannot be continued without a gap.
        OutageError: the config database or the source cannot be reached.
    """
    return PipelineEngine(pipe, lambda pulse: _Assembly(spec, pulse).parts(), spec.settings.drain_seconds * _STOP_SHARE)
