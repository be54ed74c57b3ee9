# ruff: noqa: INP001 - a script of its own, no package
"""Packages the built dashboard as `app/dashboard`; an editable install serves it from the checkout instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface[Any]):  # type: ignore[misc] # only there while a package is built
    """Used by hatchling for the wheel and for the source distribution that wheels may be made of."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds `web/dist`, unless the sources at hand carry the dashboard already."""
        root = Path(self.root)
        built = root.parent / "web" / "dist"
        if version == "editable" or (root / "app" / "dashboard" / "index.html").is_file():
            return
        if (built / "index.html").is_file():
            build_data["force_include"][str(built)] = "app/dashboard"
        else:
            self.app.display_warning("this package has no dashboard; `make bundle` builds it")
