"""SQL with its values apart from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoundSql:
    """A boolean expression of SQL, and the values of its named parameters, as the driver takes them."""

    text: str
    parameters: Mapping[str, str | int | float]
