"""Settings: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from app import main as backend
from app.core import config, security
from app.core.config import Settings
from pydantic import ValidationError

from rosetta.errors import ConfigurationError
from rosetta.secrets import Keyring

GOOD = {"DATABASE_URL": "postgresql://u:canary@h/d", "SECRET_KEY": "Zr8qW0vXn5TtB7yLmP2sJd4GkQ9cHf1a"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in {**GOOD, **values}.items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def test_defaults_are_the_safe_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert settings.app_env == "production"
    assert settings.auth_enabled is True
    assert settings.host == "127.0.0.1"
    assert settings.cors_origins == ["http://localhost:5173"]
    assert "canary" not in repr(settings)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, CORS_ORIGINS="https://a.example, https://b.example", CONNECT_ALLOWLIST="10.0.0.0/8")
    assert settings.cors_origins == ["https://a.example", "https://b.example"]
    assert settings.connect_allowlist == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    "values",
    [
        {"AUTH_ENABLED": "false"},
        {"AUTH_ENABLED": "false", "APP_ENV": "test"},
        {"CORS_ORIGINS": "*"},
        {"LOG_LEVEL": "LOUD"},
        {"DB_POOL_SIZE": "0"},
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "short"},
        {"SECRET_KEY": "development-only-secret-key-0123456789"},
    ],
)
def test_what_is_not_safe_is_refused(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    with pytest.raises((ValidationError, ConfigurationError)) as refusal:
        read(monkeypatch, **values)
    assert "canary" not in str(refusal.value)


def test_what_is_missing_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("LOG_LEVEL", "canary")
    config.get_settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        backend.main()
    assert ended.value.code == 78
    told, remedy = capsys.readouterr().err.splitlines()
    assert told.startswith(
        "backend cannot start: DATABASE_URL: Field required; SECRET_KEY: Field required; LOG_LEVEL: "
    )
    assert "backend/.env.example" in remedy
    assert "canary" not in told


def test_authentication_can_be_off_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, AUTH_ENABLED="false", APP_ENV="development").auth_enabled is False


def test_the_example_file_is_complete_and_only_good_for_development(monkeypatch: pytest.MonkeyPatch) -> None:
    example = config.BACKEND_FOLDER / ".env.example"
    settings = Settings(_env_file=example)
    assert settings.app_env == "development"
    lines = [line.removeprefix("# ") for line in example.read_text().splitlines() if "=" in line]
    named = {line.partition("=")[0].lower() for line in lines}
    assert named >= set(Settings.model_fields)
    monkeypatch.setenv("APP_ENV", "production")
    with pytest.raises((ValidationError, ConfigurationError)):
        Settings(_env_file=example)


def test_decrypt_value_opens_what_belongs_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = read(monkeypatch)
    monkeypatch.setattr(security, "get_settings", lambda: settings)
    security._process_keyring.cache_clear()
    sealed = Keyring.from_secret_key(GOOD["SECRET_KEY"]).seal("value", "sources.pg_password:1")
    try:
        assert security.decrypt_value(sealed, "sources.pg_password:1") == "value"
        with pytest.raises(ConfigurationError):
            security.decrypt_value(sealed, "sources.pg_password:2")
    finally:
        security._process_keyring.cache_clear()


def test_the_file_is_read_below_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("LOG_LEVEL=debug\nPORT=9000\nUNKNOWN=1\n")
    monkeypatch.setenv("PORT", "9001")
    values: dict[str, Any] = GOOD
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=file)
    assert (settings.log_level, settings.port) == ("DEBUG", 9001)
