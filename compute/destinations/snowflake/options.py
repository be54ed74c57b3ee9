"""What a Snowflake destination's config says beyond how to reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rosetta.dialects.snowflake.names import Naming
from rosetta.dialects.snowflake.types import TypeOptions
from rosetta.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Options:
    """Names and types at the target."""

    naming: Naming = field(default_factory=Naming)
    types: TypeOptions = field(default_factory=TypeOptions)


def options_of(config: Mapping[str, object]) -> Options:
    """Reads the optional `snowflake_` keys of a config. Raises ConfigurationError for a value that makes no sense."""
    scale = config.get("snowflake_numeric_scale")
    if scale is not None and (not isinstance(scale, int) or not 0 <= scale <= 37):
        raise ConfigurationError("snowflake_numeric_scale is a whole number from 0 to 37", code="INVALID_CONFIGURATION")
    return Options(
        Naming(preserve=config.get("snowflake_preserve_names") is True),
        TypeOptions(numeric_scale=scale, local_time=config.get("snowflake_local_time") is True),
    )


DEFAULTS: Final = Options()
