"""How the command says what went wrong."""

from __future__ import annotations

import sys

from rosetta.errors import RosettaError


def tell(error: RosettaError) -> None:
    """A sentence and its remedy on standard error, instead of a traceback."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.remedy:
        print(f"remedy: {error.remedy}", file=sys.stderr)
