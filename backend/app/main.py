"""The backend: `python -m app.main`, `uvicorn app.main:app`, or gunicorn with uvicorn's workers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI
from sqlalchemy.engine import make_url
from starlette.middleware.cors import CORSMiddleware

from app.api import documentation, errors, health, metrics
from app.api.access import AuthenticationMiddleware, authorize
from app.api.dashboard import DashboardMiddleware
from app.api.deps import connect_policy, meters_of, targets_of
from app.api.middleware import BodyLimitMiddleware, RequestLogMiddleware, SecurityHeadersMiddleware
from app.api.rate_limit import RateLimitMiddleware
from app.api.v1.router import build_router
from app.core.config import Settings, get_settings
from app.core.database import DatabaseManager, db_manager
from app.core.logging import configure, get_logger
from app.core.security import keyring_of
from app.core.tracing import Tracing, telemetry_of
from app.infrastructure.channels import channels_of
from app.infrastructure.events import EventFeed
from app.infrastructure.log_files import LogFiles
from app.infrastructure.log_streams import LogStreams
from app.infrastructure.postgres import AsyncpgSource, Sessions
from app.infrastructure.snowflake import SnowflakeSessions
from app.infrastructure.tasks import BackgroundTasks
from app.infrastructure.tasks.leadership import Leadership
from app.infrastructure.tasks.passes import Passes
from rosetta import __version__, migrate
from rosetta.errors import ConfigurationError

_log = get_logger(__name__)


def create_app(settings: Settings | None = None, database: DatabaseManager = db_manager) -> FastAPI:
    """Builds the application; its start migrates the config database and opens the pool.

    Raises ConfigurationError or pydantic's ValidationError for settings that cannot be used.
    """
    settings = settings or get_settings()
    configure(settings)
    tracing = Tracing.of(settings)
    app = FastAPI(
        title="Rosetta",
        version=__version__,
        debug=False,  # a traceback is for the log, whatever DEBUG says
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(authorize)],
        lifespan=_lifespan(settings, database),
        telemetry=telemetry_of(tracing),
    )
    app.state.tracing = tracing
    app.state.settings = settings
    app.state.database = database
    app.state.keyring = keyring_of(settings)
    policy = connect_policy(settings, _own_services(settings))
    app.state.sessions = Sessions(policy, settings.connect_timeout_seconds)
    snowflake = SnowflakeSessions(policy, settings.connect_timeout_seconds)
    app.state.targets = targets_of(app.state.sessions, snowflake)
    app.state.meters = meters_of(snowflake)
    redis_url = settings.redis_url
    streams = None if redis_url is None else LogStreams(redis_url.get_secret_value())
    app.state.logs = LogFiles(settings.compute_log_folder, streams)
    app.state.events = EventFeed(settings.database_url.get_secret_value())
    errors.install(app)
    app.include_router(health.router)
    app.include_router(documentation.router)
    app.include_router(metrics.router)
    app.include_router(build_router())
    _add_middleware(app, settings, database)
    return app


def _lifespan(settings: Settings, database: DatabaseManager) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(migrate.upgrade, settings.database_url.get_secret_value())
        tracing: Tracing | None = app.state.tracing
        database.open(settings, None if tracing is None else tracing.follow)
        tasks = _background(app, settings, database)
        app.state.events.start()
        tasks.start()
        _log.info("backend_started", version=__version__, auth_enabled=settings.auth_enabled)
        try:
            yield
        finally:
            await tasks.stop()
            await app.state.events.stop()
            await database.close()
            if tracing is not None:
                await asyncio.to_thread(tracing.close)
            _log.info("backend_stopped")

    return lifespan


def _background(app: FastAPI, settings: Settings, database: DatabaseManager) -> BackgroundTasks:
    sources, meters = AsyncpgSource(app.state.sessions), app.state.meters
    passes = Passes(settings, database, app.state.keyring, sources, meters, channels_of(settings))
    return BackgroundTasks(Leadership(settings.database_url.get_secret_value()), passes.tasks())


def _add_middleware(app: FastAPI, settings: Settings, database: DatabaseManager) -> None:
    """The last one added is the outermost: what a request meets first."""
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    app.add_middleware(AuthenticationMiddleware, settings=settings, database=database)
    app.add_middleware(RateLimitMiddleware, settings=settings)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=True,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
    )
    app.add_middleware(RequestLogMiddleware)
    if settings.dashboard_folder is not None:
        app.add_middleware(
            DashboardMiddleware,
            api=app,
            folder=settings.dashboard_folder,
            everybody_signed_in=not settings.auth_enabled,
        )
    app.add_middleware(SecurityHeadersMiddleware)


def _own_services(settings: Settings) -> list[tuple[str, int]]:
    urls = [settings.database_url] + ([settings.redis_url] if settings.redis_url is not None else [])
    parsed = [make_url(url.get_secret_value()) for url in urls]
    default_ports = {"redis": 6379, "rediss": 6379}
    return [(url.host or "localhost", url.port or default_ports.get(url.drivername, 5432)) for url in parsed]


def __getattr__(name: str) -> FastAPI:
    """`app.main:app`, made when a server asks for it, so that importing this module needs no settings."""
    if name == "app":
        return create_app()
    raise AttributeError(name)


def main() -> None:
    """Serves until it is told to stop. Settings that are missing or wrong are a sentence and exit status 78."""
    try:
        settings = get_settings()
        app = create_app(settings)
    except ConfigurationError as error:
        sys.stderr.write(error.text)  # logs may not be set up
        sys.exit(78)
    trusted = settings.forwarded_allow_ips
    uvicorn.run(
        app, host=settings.host, port=settings.port, log_config=None, access_log=False, forwarded_allow_ips=trusted
    )


if __name__ == "__main__":
    main()
