"""What a Snowflake destination's config says beyond how to reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from compute.destinations.base import Gathering
from rosetta.dialects.snowflake.names import Naming
from rosetta.dialects.snowflake.types import TypeOptions
from rosetta.errors import ConfigurationError
from rosetta.snowflake.options import FLUSH_SECONDS, flush_of, naming_of


@dataclass(frozen=True, slots=True)
class Options:
    """Names and types at the target, and when what has gathered is written: freshness against cost."""

    naming: Naming = field(default_factory=Naming)
    types: TypeOptions = field(default_factory=TypeOptions)
    gathering: Gathering = field(default_factory=Gathering)


def options_of(config: Mapping[str, object]) -> Options:
    """Reads the optional `snowflake_` keys of a config. Raises ConfigurationError for a value that makes no sense."""
    scale = config.get("snowflake_numeric_scale")
    if scale is not None and (not isinstance(scale, int) or not 0 <= scale <= 37):
        raise ConfigurationError("snowflake_numeric_scale is a whole number from 0 to 37", code="INVALID_CONFIGURATION")
    return Options(
        naming_of(config),
        TypeOptions(numeric_scale=scale, local_time=config.get("snowflake_local_time") is True),
        _gathering(config),
    )


def _gathering(config: Mapping[str, object]) -> Gathering:
    chosen, default = flush_of(config), Gathering(seconds=FLUSH_SECONDS)
    return Gathering(
        seconds=chosen.get("seconds", default.seconds),
        rows=int(chosen.get("rows", default.rows)),
        bytes=int(chosen.get("bytes", default.bytes)),
    )


DEFAULTS: Final = Options()
