"""What the environment says to the `rosetta` command and the embedded stack; nobody else here reads it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

import rosetta

# Set by the stack for its services, so never taken over from the shell that happened to start it.
OWN_VARIABLES = frozenset(
    {
        "DATABASE_URL",
        "CONFIG_DATABASE_URL",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
        "REDIS_URL",
        "APP_ENV",
        "AUTH_ENABLED",
    }
)


class LocalSettings(BaseSettings):
    """Every variable is optional."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    rosetta_home: Path | None = Field(None, description="folder for the stack's data; `.rosetta` of the checkout")
    rosetta_pg_bin: Path | None = Field(None, description="folder with PostgreSQL's binaries; the embedded ones")
    rosetta_pg_user: str | None = Field(None, description="account for PostgreSQL when root starts it")
    rosetta_started_at: float | None = Field(None, description="Unix time at which `make up` was typed")
    database_url: SecretStr | None = Field(
        None,
        description="config database; the local stack's",
        validation_alias=AliasChoices("database_url", "config_database_url"),
    )
    rosetta_url: str | None = Field(None, description="the backend for plan, apply and export; the local stack's")
    rosetta_token: SecretStr | None = Field(None, description="API token for ROSETTA_URL")
    secret_key: SecretStr | None = Field(
        None, description="what seals the config database's secrets; the local stack's"
    )
    secret_key_previous: tuple[SecretStr, ...] = Field(
        (), description="former values of SECRET_KEY, as a JSON list, while what they sealed is moved to the new one"
    )

    def home(self) -> Path:
        """Folder of the stack's data: as named, else `.rosetta` in the checkout, else in the current folder."""
        if self.rosetta_home is not None:
            return self.rosetta_home.expanduser().absolute()
        return _project() / ".rosetta"

    def reports(self) -> Path:
        """Folder of the measurements that commands leave behind."""
        return _project() / ".reports"


def _project() -> Path:
    checkout = Path(rosetta.__file__).resolve().parent.parent
    return checkout if (checkout / "uv.lock").exists() else Path.cwd()


@cache
def local_settings() -> LocalSettings:
    """The settings of this process, read once."""
    return LocalSettings()


def environment_variable(name: str) -> str | None:
    """What a person's own variable says, for a file that names it."""
    return os.environ.get(name)


def inherited_environment() -> dict[str, str]:
    """This process's environment for a child, without what the stack sets itself."""
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
