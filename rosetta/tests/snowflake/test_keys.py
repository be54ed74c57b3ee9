"""Private keys in every form that people have them in, and what goes wrong with them, each told apart."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rosetta.dialects.snowflake.keys import SigningKey, load_key, read_key_file
from rosetta.dialects.snowflake.sign_in import account_name, register_key, sign_in_token, unregister_key
from rosetta.errors import ConfigurationError

PHRASE = "canary-phrase-61f0"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OURS = SigningKey(KEY)
SEALED = BestAvailableEncryption(PHRASE.encode())
NUMBERS = KEY.private_numbers()


def pem(form: PrivateFormat = PrivateFormat.PKCS8, sealed: bool = False) -> str:
    return KEY.private_bytes(Encoding.PEM, form, SEALED if sealed else NoEncryption()).decode()


def der(form: PrivateFormat = PrivateFormat.PKCS8, sealed: bool = False) -> bytes:
    return KEY.private_bytes(Encoding.DER, form, SEALED if sealed else NoEncryption())


def one_line(text: str) -> str:
    return "".join(line for line in text.splitlines() if not line.startswith("-----"))


def shell(command: str, folder: Path) -> None:
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    "material",
    [
        pem(),
        pem(PrivateFormat.TraditionalOpenSSL),
        der(),
        der(PrivateFormat.TraditionalOpenSSL),
        pem().encode(),
        b"\xef\xbb\xbf" + pem().encode(),
        pem().replace("\n", "\\n"),
        pem().replace("\n", "\r\n"),
        pem().replace("\n", "\\r\\n"),
        pem().replace("\n", " "),
        f'"{pem()}"',
        one_line(pem()),
        one_line(pem(PrivateFormat.TraditionalOpenSSL)),
        base64.encodebytes(der()).decode(),
        f"Bag Attributes: none\n{pem()}",
    ],
)
def test_every_form_of_a_plain_key_is_read(material: str | bytes) -> None:
    assert load_key(material).private.private_numbers() == NUMBERS
    assert load_key(material, "").fingerprint == OURS.fingerprint


@pytest.mark.parametrize(
    "material",
    [
        pem(sealed=True),
        pem(PrivateFormat.TraditionalOpenSSL, sealed=True),
        der(sealed=True),
        pem(sealed=True).replace("\n", "\\n"),
        pem(PrivateFormat.TraditionalOpenSSL, sealed=True).replace("\n", "\r\n"),
        one_line(pem(sealed=True)),
    ],
)
def test_every_form_of_an_encrypted_key_is_read(material: str | bytes) -> None:
    assert load_key(material, PHRASE).private.private_numbers() == NUMBERS
    for passphrase, code in (("wrong", "KEY_PASSPHRASE_WRONG"), (None, "KEY_PASSPHRASE_MISSING")):
        with pytest.raises(ConfigurationError) as caught:
            load_key(material, passphrase)
        assert caught.value.code == code
        assert caught.value.remedy
        assert PHRASE not in str(caught.value)


def test_keys_of_the_documented_commands_are_read_and_shown_as_openssl_shows_them(tmp_path: Path) -> None:
    made = f"openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -v2 des3 -out rsa_key.p8 -passout pass:{PHRASE}"
    shell(made, tmp_path)
    shell(f"openssl rsa -in rsa_key.p8 -passin pass:{PHRASE} -pubout -out rsa_key.pub", tmp_path)
    shell("openssl rsa -pubin -in rsa_key.pub -outform DER | openssl dgst -sha256 -binary > hash", tmp_path)
    key = load_key(read_key_file(str(tmp_path / "rsa_key.p8")), PHRASE)
    assert key.public_text == one_line((tmp_path / "rsa_key.pub").read_text())
    assert key.fingerprint == "SHA256:" + base64.b64encode((tmp_path / "hash").read_bytes()).decode()


PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("material", "passphrase", "code"),
    [
        (pem(), PHRASE, "KEY_PASSPHRASE_NEEDLESS"),
        (der(), PHRASE, "KEY_PASSPHRASE_NEEDLESS"),
        (PUBLIC, None, "KEY_IS_PUBLIC"),
        (one_line(PUBLIC), PHRASE, "KEY_IS_PUBLIC"),
        (PUBLIC.replace("PUBLIC KEY", "CERTIFICATE"), None, "KEY_IS_PUBLIC"),
        (
            ec.generate_private_key(ec.SECP256R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            None,
            "KEY_NOT_RSA",
        ),
        (
            rsa.generate_private_key(65537, 1024).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
            None,
            "KEY_TOO_SHORT",
        ),
        (pem()[:-200], None, "KEY_MALFORMED"),
        (pem().replace("MII", "MIJ", 1), None, "KEY_MALFORMED"),
        ("", None, "KEY_MALFORMED"),
        ("canary", PHRASE, "KEY_MALFORMED"),
        ("schlüssel", None, "KEY_MALFORMED"),
        (b"\x30\x82canary", None, "KEY_MALFORMED"),
        (b"\xff\xfe", None, "KEY_MALFORMED"),
    ],
)
def test_what_is_no_usable_key_is_told_apart(material: str | bytes, passphrase: str | None, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_key(material, passphrase)
    assert caught.value.code == code
    assert caught.value.remedy
    assert "canary" not in str(caught.value)


def test_files_that_cannot_be_a_key_are_not_waited_for(tmp_path: Path) -> None:
    pipe, empty, large = tmp_path / "pipe", tmp_path / "empty", tmp_path / "large"
    shell("mkfifo pipe", tmp_path)
    empty.touch()
    large.write_bytes(b"x" * 100_000)
    for path in (pipe, empty, large, tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigurationError) as caught:
            read_key_file(str(path))
        assert caught.value.code == "KEY_FILE_UNREADABLE"
    for missing in (str(tmp_path / "none"), ""):
        with pytest.raises(ConfigurationError) as caught:
            read_key_file(missing)
        assert caught.value.code == "KEY_FILE_MISSING"


def test_a_token_says_who_signs_in_and_is_signed() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    token = sign_in_token(OURS, "xy12345.eu-central-1", "Loader", now, timedelta(hours=9))
    claims = jwt.decode(token, KEY.public_key(), algorithms=["RS256"])
    assert claims["sub"] == "XY12345.LOADER"
    assert claims["iss"] == f"XY12345.LOADER.{OURS.fingerprint}"
    assert claims["iat"] == now.timestamp()
    assert claims["exp"] - claims["iat"] == 3600
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other.public_key(), algorithms=["RS256"])


def test_accounts_as_tokens_name_them() -> None:
    assert account_name("org-acct") == "ORG-ACCT"
    assert account_name("xy12345.us-east-1.aws") == "XY12345"
    assert account_name("xy12345-tail.global") == "XY12345"


def test_the_statements_use_one_slot_or_the_other_and_quote_what_needs_it() -> None:
    assert register_key("LOADER", OURS) == f"ALTER USER LOADER SET RSA_PUBLIC_KEY = '{OURS.public_text}';"
    assert register_key('a"b@c.org', OURS, 2).startswith('ALTER USER "a""b@c.org" SET RSA_PUBLIC_KEY_2 = \'MII')
    assert unregister_key("LOADER", 2) == "ALTER USER LOADER UNSET RSA_PUBLIC_KEY_2;"


def test_a_key_is_in_no_repr() -> None:
    assert repr(OURS) == "SigningKey()"
