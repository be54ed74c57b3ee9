"""The environment and `compute/.env`, read here and nowhere else."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints

import pydantic
from pydantic_settings import BaseSettings, SettingsConfigDict

from compute.config.settings import COMPUTE_FOLDER, Settings
from rosetta.app_env import AppEnv
from rosetta.database import libpq_url
from rosetta.secrets import check_secret_key
from rosetta.setting_errors import refused_settings
from rosetta.tracing import traces_wanted


class Environment(BaseSettings):
    """Where the settings come from; which there are, says `Settings`."""

    model_config = SettingsConfigDict(env_file=COMPUTE_FOLDER / ".env", env_file_encoding="utf-8", extra="ignore")


def load_settings() -> Settings:
    """The settings of this process.

    Raises ConfigurationError, naming the setting and never its value, when one is missing or wrong.
    """
    kinds = get_type_hints(Settings)
    known: dict[str, Any] = {one.name: (kinds[one.name], _checked(one)) for one in fields(Settings)}
    model = pydantic.create_model("ComputeEnvironment", __base__=Environment, **known)
    try:
        found = model().model_dump()
    except pydantic.ValidationError as error:
        raise refused_settings("compute", error) from None
    settings = Settings(**found | {"config_database_url": libpq_url(found["config_database_url"])})
    check_secret_key(settings.secret_key, settings.app_env is AppEnv.PRODUCTION)
    # The pipelines' processes make them; what those lack is said once, and here.
    traces_wanted(settings.otel_exporter_otlp_endpoint, disabled=settings.otel_sdk_disabled)
    return settings


def _checked(one: Field[Any]) -> Any:
    return pydantic.Field(... if one.default is MISSING else one.default, **one.metadata)
