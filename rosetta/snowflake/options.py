"""What a Snowflake destination's config says of names, and of when changes are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rosetta.dialects.snowflake.names import Naming
from rosetta.errors import ConfigurationError

FLUSH_SECONDS: Final = 60.0


def naming_of(config: Mapping[str, object]) -> Naming:
    return Naming(preserve=config.get("snowflake_preserve_names") is True)


def flush_of(config: Mapping[str, object]) -> dict[str, float]:
    """The chosen limits of `seconds`, `rows` and `bytes`. Raises ConfigurationError where one is senseless."""
    chosen: dict[str, float] = {}
    for name in ("seconds", "rows", "bytes"):
        value = config.get(f"snowflake_flush_{name}")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value < (0 if name == "seconds" else 1):
            raise ConfigurationError(f"snowflake_flush_{name} is a number above 0", code="INVALID_CONFIGURATION")
        chosen[name] = value
    return chosen
