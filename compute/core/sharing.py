"""What this instance does about leases at every poll: says that it lives, keeps, takes and gives back."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import replace

from compute.core.balance import Holding, share
from compute.core.catalog import Catalog
from compute.core.catalog.wishes import Reading
from compute.core.instance import has_died
from compute.core.process import ChildPhase
from compute.core.reconcile import Wish
from compute.core.supervision import Supervised
from rosetta import __version__
from rosetta.enums import DesiredStatus, HealthStatus, ObservedStatus
from rosetta.logs import get_logger

_log = get_logger("compute.manager")


class Sharing:
    """Used by the supervisor's thread; every method raises OutageError while the config database is away."""

    def __init__(self, catalog: Catalog, instance_id: str, drain_seconds: float) -> None:
        self._leases = catalog.leases
        self._observations = catalog.observations
        self._instance_id = instance_id
        self._drain_seconds = drain_seconds

    def attend(self, pipelines: Mapping[int, Supervised]) -> None:
        """Done before what is wanted is read: what was given back is free from then on."""
        self._leases.beat(socket.gethostname(), os.getpid(), __version__)
        for dead in self._leases.bury(has_died):
            _log.warning("instance_has_died", dead_instance_id=dead)
        for pipeline_id, one in pipelines.items():
            if one.giving and one.process is None and self._leases.release(pipeline_id):
                one.giving = False
                _log.info("pipeline_given_back", pipeline_id=pipeline_id)
        # A process keeps its lease once it streams; until then, and while none runs, it is kept here.
        self._leases.keep(key for key, one in pipelines.items() if _needs_keeping(one))

    def look(self, reading: Reading, pipelines: Mapping[int, Supervised]) -> tuple[list[Wish], int | None]:
        """The wishes, with whose turn it is, and the pipeline of ours that another instance is to have."""
        wanted = [wish for wish in reading.wishes if wish.status is not DesiredStatus.PAUSE]
        holdings = [Holding(wish.pipeline_id, wish.owner, wish.overdue) for wish in wanted]
        movable = {wish.pipeline_id for wish in wanted if _runs_well(pipelines.get(wish.pipeline_id))}
        mine = share(self._instance_id, reading.instances, holdings, movable)
        wishes = [
            replace(wish, ours_to_take=wish.owner is not None or wish.pipeline_id in mine.take)
            for wish in reading.wishes
        ]
        giving = any(one.giving for one in pipelines.values())
        return wishes, None if giving else mine.give

    def give(self, pipeline_id: int, one: Supervised) -> None:
        """Drains a pipeline that another instance is to have; the first `attend` after its end frees the lease."""
        if one.process is not None and not one.process.stopping:
            one.giving = True
            self._observations.declare(pipeline_id, ObservedStatus.RESTARTING, HealthStatus.UNKNOWN)
            one.process.stop(self._drain_seconds)
            _log.info("pipeline_gives_way", pipeline_id=pipeline_id)


def _needs_keeping(one: Supervised) -> bool:
    if one.wish is None or one.wish.elsewhere or one.giving:
        return False
    if one.process is None:
        return one.waiting is not None
    return one.process.phase is ChildPhase.STARTING and not one.process.stopping


def _runs_well(one: Supervised | None) -> bool:
    if one is None or one.process is None or one.process.stopping:
        return False
    return one.process.phase is ChildPhase.STREAMING
