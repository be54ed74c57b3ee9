"""The `rosetta` command."""

from __future__ import annotations

import sys

from rosetta.cli.telling import tell
from rosetta.errors import RosettaError

_INTERRUPTED = 128 + 2  # as a shell says of what Ctrl-C ended


def main() -> None:
    """The console script: neither an error of ours nor Ctrl-C, at any time, ends in a traceback."""
    try:
        # Imported here: that takes the greater part of a second, in which Ctrl-C may come, too.
        from rosetta.cli.commands import app

        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except RosettaError as error:
        tell(error)
        sys.exit(1)
