"""Writes the backend's OpenAPI description to web/openapi.json, without a server: `pnpm openapi`."""

from __future__ import annotations

import json
from pathlib import Path

from app.core.config import Settings
from app.main import create_app

from rosetta.app_env import AppEnv

WEB = Path(__file__).resolve().parent.parent


def main() -> None:
    """Nothing is connected to: the settings only have to be acceptable."""
    settings = Settings(
        database_url="postgresql://localhost/unused",
        secret_key="only-for-the-description-of-the-api-0123456789",
        app_env=AppEnv.DEVELOPMENT,
        log_folder=None,
    )
    description = create_app(settings).openapi()
    text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False)
    (WEB / "openapi.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
