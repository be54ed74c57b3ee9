"""Wiring of the compute service: settings, logs, config database, supervisor, health."""

from __future__ import annotations

import signal
import sys

from rosetta.errors import ConfigurationError, RosettaError


def main() -> int:
    """Runs the service until SIGTERM or SIGINT; the exit status is 0 only when that is why it ended."""
    # Imported here: a pipeline's process imports this module again and needs none of it.
    from compute.config.environment import load_settings
    from compute.core import failpoints
    from compute.core.catalog import Catalog
    from compute.core.instance import new_instance_id
    from compute.core.manager import PipelineManager
    from compute.engine.debezium.archive_maker import ArchiveMaker
    from compute.log_sender import LogSender, log_senders
    from compute.measurer import Measurer
    from compute.server import HealthServer
    from rosetta import logs, migrate, plants

    try:
        settings = load_settings()
        failpoints.arm(settings.rosetta_failpoint)
        plants.arm(settings.rosetta_plant, settings.app_env)
        logs.configure("compute", settings.effective_log_level, settings.log_folder)
        instance_id = new_instance_id()
        catalog = Catalog(settings, instance_id, application="rosetta compute", connections=5)
        url = settings.config_database_url
        manager = PipelineManager(settings, catalog, instance_id, prepare=lambda: migrate.upgrade(url))
        server = HealthServer(settings.health_host, settings.health_port, lambda: manager.view)
    except RosettaError as error:
        sys.stderr.write(error.text)  # logs may not be set up
        return 78 if isinstance(error, ConfigurationError) else 75

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.stop())
    server.start()
    measurer = Measurer(catalog.measurements, lambda: manager.view)
    beside: list[ArchiveMaker | Measurer | LogSender] = [ArchiveMaker(), measurer, *log_senders(settings)]
    for one in beside:
        one.start()
    logs.get_logger("compute").info("compute_started", instance_id=instance_id)
    try:
        manager.run()
    finally:
        for one in beside:
            one.stop()
        server.stop()
        catalog.close()
    logs.get_logger("compute").info("compute_stopped", instance_id=instance_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
