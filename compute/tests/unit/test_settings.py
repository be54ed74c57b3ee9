"""Settings, failpoints and exit codes: what is refused, and with which words."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from compute.config.environment import Environment, load_settings
from compute.config.settings import COMPUTE_FOLDER, Settings
from compute.core import failpoints
from compute.core.exit_codes import ExitCode, exit_code_of, policy_of
from rosetta.enums import ObservedStatus
from rosetta.errors import (
    ConfigurationError,
    DataError,
    FencedError,
    OutageError,
    ResyncRequiredError,
    RosettaError,
    SecretError,
)

URL = "postgresql://somebody:hidden-password@127.0.0.1/config"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in fields(Settings):
        monkeypatch.delenv(one.name.upper(), raising=False)
    monkeypatch.setitem(Environment.model_config, "env_file", None)


def test_it_refuses_to_start_without_a_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_DATABASE_URL", URL)
    for value in (None, "", " "):
        if value is not None:
            monkeypatch.setenv("SECRET_KEY", value)
        with pytest.raises(ConfigurationError, match="SECRET_KEY"):
            load_settings()


def test_a_default_secret_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_DATABASE_URL", URL)
    monkeypatch.setenv("SECRET_KEY", "changeme")
    assert load_settings().lease_seconds == 15
    monkeypatch.setenv("APP_ENV", "production")
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        load_settings()


def test_a_wrong_setting_is_named_and_its_value_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_DATABASE_URL", URL)
    monkeypatch.setenv("SECRET_KEY", "key")
    monkeypatch.setenv("LEASE_SECONDS", "hidden-password")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "LEASE_SECONDS" in caught.value.message
    assert "hidden-password" not in caught.value.message
    assert caught.value.remedy is not None


def test_no_secret_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_DATABASE_URL", URL)
    monkeypatch.setenv("SECRET_KEY", "the-secret-key")
    printed = repr(load_settings())
    assert "the-secret-key" not in printed
    assert "hidden-password" not in printed


def test_the_example_lists_every_setting() -> None:
    lines = (COMPUTE_FOLDER / ".env.example").read_text().splitlines()
    listed = {line.lstrip("#").partition("=")[0].lower() for line in lines if "=" in line}
    assert {one.name for one in fields(Settings)} - {"rosetta_failpoint", "rosetta_plant"} <= listed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutageError("x"), ExitCode.OUTAGE),
        (FencedError("x"), ExitCode.FENCED),
        (ResyncRequiredError("x"), ExitCode.RESYNC_REQUIRED),
        (ConfigurationError("x"), ExitCode.CONFIGURATION),
        (SecretError("x"), ExitCode.CONFIGURATION),
        (DataError("x"), ExitCode.CONFIGURATION),
        (ZeroDivisionError(), ExitCode.INTERNAL),
    ],
)
def test_exit_codes(error: BaseException, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_delays_grow_are_jittered_and_end() -> None:
    crash = policy_of(ExitCode.INTERNAL, streamed=False)
    for failures, ceiling in ((1, 1.0), (2, 2.0), (5, 16.0), (50, 60.0)):
        delays = {crash.backoff.delay_seconds(failures) for _ in range(50)}
        assert len(delays) > 1
        assert all(ceiling / 2 <= delay <= ceiling for delay in delays)
    assert max(policy_of(-9, streamed=True).backoff.delay_seconds(50) for _ in range(50)) <= 2.0
    assert policy_of(ExitCode.RESYNC_REQUIRED, streamed=True).status is ObservedStatus.RESYNC_REQUIRED


@pytest.mark.parametrize("setting", ["nowhere:kill", "after_read:explode", "after_read"])
def test_an_unknown_failpoint_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError):
        failpoints.arm(setting)


def test_a_failpoint_fails_at_its_passage_and_nowhere_else() -> None:
    failpoints.arm("after_read:raise:@3")
    try:
        failpoints.hit("before_flush")
        failpoints.hit("after_read")
        failpoints.hit("after_read")
        with pytest.raises(RosettaError):
            failpoints.hit("after_read")
    finally:
        failpoints.arm("")


def test_a_failpoint_with_a_file_fails_once(tmp_path: Path) -> None:
    for _ in range(2):  # a second process that is armed alike
        failpoints.arm(f"after_read:raise:@1:{tmp_path / 'failed'}")
        if not (tmp_path / "failed").exists():
            with pytest.raises(RosettaError):
                failpoints.hit("after_read")
        failpoints.hit("after_read")
    failpoints.arm("")
