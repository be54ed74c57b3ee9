"""What a compute service uses is kept for the dashboard, and nothing suffers when it cannot be."""

from __future__ import annotations

import os
import time

import pytest

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.measurements import Measurements
from compute.core.supervision import Supervised, SupervisorView
from compute.measurer import Measurer
from compute.tests.support.config_database import ConfigSql

pytestmark = pytest.mark.integration


def test_a_measurement_is_kept_and_an_outage_leaves_one_out(config: ConfigSql) -> None:
    described = Supervised().describe(7, time.monotonic()) | {"pid": os.getpid()}
    view = SupervisorView("here", None, None, None, (described,))
    database = ConfigDatabase(config.url, application="measurer of a test")
    measurer = Measurer(Measurements(database, "here"), lambda: view)
    measurer.start()
    measurer.measure()
    service, instance, metrics = config.row("SELECT service, instance_id, metrics FROM system_metrics") or ()
    assert (service, instance) == ("compute", "here")
    assert metrics["cpu_seconds"] > 0
    assert metrics["resident_bytes"] > 1_000_000
    assert metrics["pipelines"]["7"]["resident_bytes"] > 1_000_000
    measurer.stop()
    database.close()
    away = ConfigDatabase(config.url.replace(config.database, "absent"), application="measurer of a test")
    Measurer(Measurements(away, "here"), lambda: view).measure()
    assert config.one("SELECT count(*) FROM system_metrics") == 1
    away.close()
