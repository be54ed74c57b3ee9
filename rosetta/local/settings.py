"""What the environment says to the `rosetta` command and the embedded stack; nobody else here reads it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

import rosetta

# Set by the stack for its services, so never taken over from the shell that happened to start it.
OWN_VARIABLES = frozenset({"DATABASE_URL", "CONFIG_DATABASE_URL", "SECRET_KEY", "REDIS_URL", "APP_ENV", "AUTH_ENABLED"})


class LocalSettings(BaseSettings):
    """Every variable is optional."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    rosetta_home: Path | None = Field(None, description="folder for the stack's data; `.rosetta` of the checkout")
    rosetta_pg_bin: Path | None = Field(None, description="folder with PostgreSQL's binaries; the embedded ones")
    rosetta_pg_user: str | None = Field(None, description="account for PostgreSQL when root starts it")
    rosetta_started_at: float | None = Field(None, description="Unix time at which `make up` was typed")
    rosetta_url: str | None = Field(None, description="base URL of the backend; the local stack's")
    rosetta_token: str | None = Field(None, description="bearer token for the backend; the local stack's")
    database_url: str | None = Field(None, description="config database; the local stack's")

    def home(self) -> Path:
        """Folder of the stack's data: as named, else `.rosetta` in the checkout, else in the current folder."""
        if self.rosetta_home is not None:
            return self.rosetta_home.expanduser().absolute()
        checkout = Path(rosetta.__file__).resolve().parent.parent
        return (checkout if (checkout / "uv.lock").exists() else Path.cwd()) / ".rosetta"


@cache
def local_settings() -> LocalSettings:
    """The settings of this process, read once."""
    return LocalSettings()


def inherited_environment() -> dict[str, str]:
    """This process's environment for a child, without what the stack sets itself."""
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
