"""The keyring opens exactly what was sealed, for the place it was sealed for, and otherwise always raises."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosetta.errors import ConfigurationError, SecretError
from rosetta.secrets import Keyring, check_secret_key, is_sealed

PLACE = "sources.pg_password:17"
KEYRING = Keyring.from_secret_key("one key")
STRONG = "t7Jq2vX9mLr4Zk8WcYp1Hs6NbGd3Fa5TQeUo0Vi+xBCyRwM/"


@given(st.text(), st.text(min_size=1))
def test_opens_what_it_sealed(plaintext: str, place: str) -> None:
    try:
        plaintext.encode()
        place.encode()
    except UnicodeEncodeError:
        return
    sealed = KEYRING.seal(plaintext, place)
    assert is_sealed(sealed)
    assert KEYRING.open(sealed, place) == plaintext


def test_the_same_secret_never_looks_the_same() -> None:
    sealed = [KEYRING.seal("secret", PLACE) for _ in range(100)]
    assert len(set(sealed)) == 100
    assert not any("secret" in text for text in sealed)


def test_another_row_or_column_does_not_open() -> None:
    sealed = KEYRING.seal("secret", PLACE)
    for other in ("sources.pg_password:18", "destinations.config.pg_password:17", ""):
        with pytest.raises(SecretError) as raised:
            KEYRING.open(sealed, other)
        assert raised.value.code == "SECRET_ALTERED"


def test_every_altered_character_is_noticed() -> None:
    sealed = KEYRING.seal("secret", PLACE)
    alphabet = string.ascii_letters + string.digits
    for position in range(len(sealed)):
        altered = sealed[:position] + alphabet[(alphabet.find(sealed[position]) + 17) % 62] + sealed[position + 1 :]
        with pytest.raises(SecretError):
            KEYRING.open(altered, PLACE)


@pytest.mark.parametrize(
    "text", ["", "secret", "rsk1:", "rsk1:0123456789abcdef:", "rsk1:0123456789abcdef:AAAA", "rsk2:x:y"]
)
def test_what_is_not_sealed_does_not_open(text: str) -> None:
    assert not is_sealed(text)
    with pytest.raises(SecretError) as raised:
        KEYRING.open(text, PLACE)
    assert raised.value.code == "SECRET_NOT_SEALED"


def test_cut_off_text_does_not_open() -> None:
    sealed = KEYRING.seal("a long enough secret to be cut", PLACE)
    for length in range(len(sealed)):
        with pytest.raises(SecretError):
            KEYRING.open(sealed[:length], PLACE)


def test_a_wrong_key_says_which_key_is_missing() -> None:
    sealed = Keyring.from_secret_key("another key").seal("secret", PLACE)
    with pytest.raises(SecretError) as raised:
        KEYRING.open(sealed, PLACE)
    assert raised.value.code == "SECRET_KEY_UNKNOWN"
    assert sealed.split(":")[1] in raised.value.message
    assert raised.value.remedy


def test_a_key_id_does_not_reopen_under_another_key() -> None:
    sealed = Keyring.from_secret_key("another key").seal("secret", PLACE)
    renamed = sealed.replace(sealed.split(":")[1], KEYRING.seal("", PLACE).split(":")[1])
    with pytest.raises(SecretError):
        KEYRING.open(renamed, PLACE)


def test_rotation_opens_old_and_seals_new() -> None:
    old = KEYRING.seal("secret", PLACE)
    rotated = Keyring.from_secret_key("new key", previous=["one key", "older key"])
    assert rotated.open(old, PLACE) == "secret"
    assert not rotated.is_current(old)
    new = rotated.seal("secret", PLACE)
    assert rotated.is_current(new)
    with pytest.raises(SecretError):
        KEYRING.open(new, PLACE)


def test_two_processes_with_one_key_agree() -> None:
    assert Keyring.from_secret_key("one key").open(KEYRING.seal("secret", PLACE), PLACE) == "secret"


def test_neither_repr_nor_error_shows_key_or_plaintext() -> None:
    keyring = Keyring.from_secret_key("canary-key")
    with pytest.raises(SecretError) as raised:
        keyring.open("canary-plaintext", PLACE)
    assert "canary" not in repr(keyring) + str(raised.value) + str(raised.value.remedy)


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize("secret", ["", "   "])
def test_an_empty_secret_key_is_always_refused(secret: str, production: bool) -> None:
    with pytest.raises(ConfigurationError, match="not set") as raised:
        check_secret_key(secret, production)
    assert "openssl rand" in (raised.value.remedy or "")
    with pytest.raises(ConfigurationError):
        Keyring.from_secret_key(secret)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("x" * 31, "fewer than 32"),
        ("ab" * 32, "different characters"),
        ("change-me-0123456789-abcdefghijklmnop", "example"),
        ("Your-Secret-Key-0123456789-abcdefghi", "example"),
        ("development-only-0123456789-xyzwvuts", "example"),
    ],
)
def test_a_weak_secret_key_is_refused_in_production_only(secret: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as raised:
        check_secret_key(secret, production=True)
    assert secret not in str(raised.value)
    check_secret_key(secret, production=False)


def test_a_strong_secret_key_is_accepted() -> None:
    check_secret_key(STRONG, production=True)
