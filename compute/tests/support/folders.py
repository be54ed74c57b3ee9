"""Folders of tests that a server of another account works in."""

from __future__ import annotations

import tempfile
from pathlib import Path


def open_to_servers(folder: Path) -> None:
    """Lets other accounts pass to `folder`: pytest's folders are closed to them, and PostgreSQL never runs as root."""
    top = Path(tempfile.gettempdir()).resolve()
    for path in (folder, *folder.resolve().parents):
        if path == top or top not in path.resolve().parents:
            return
        path.chmod(0o755)
