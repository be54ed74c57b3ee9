"""Private keys as people have them, and what Snowflake is told of them.

Every form that the usual tools write is read: PEM and DER, PKCS#8 with and without a passphrase (3DES too), PKCS#1, and
PEM that lost its line breaks or its first and last line on the way through a form, an environment variable or JSON.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from rosetta.errors import ConfigurationError

# Snowflake takes RSA keys of at least this many bits.
_MIN_BITS: Final = 2048
_MAX_KEY_BYTES: Final = 64 * 1024
_ARMOUR: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_HEADER: Final = re.compile(r"^[A-Za-z0-9-]+:.*$", re.MULTILINE)
_MAKE_ONE: Final = "Make one with: openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -v2 des3 -out rsa_key.p8"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that signs in to Snowflake; it never appears in its repr."""

    private: RSAPrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        """The private key as unencrypted PKCS#8, as drivers take it. A secret."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @property
    def fingerprint(self) -> str:
        """As Snowflake shows it in RSA_PUBLIC_KEY_FP."""
        return f"SHA256:{base64.b64encode(sha256(self._public_der).digest()).decode()}"

    @property
    def public_text(self) -> str:
        """The public key as ALTER USER takes it: base64 without header, footer and line breaks."""
        return base64.b64encode(self._public_der).decode()

    @property
    def _public_der(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_key(material: str | bytes, passphrase: str | None = None) -> SigningKey:
    """Reads a private key in any of the forms above; an empty passphrase is none.

    Raises ConfigurationError, whose code tells the causes apart, and which repeats nothing of the key.
    """
    given = passphrase.encode() if passphrase else None
    key = _parsed(material, given)
    if not isinstance(key, RSAPrivateKey):
        raise _error("KEY_NOT_RSA", "the private key is no RSA key, and Snowflake takes only those", _MAKE_ONE)
    if key.key_size < _MIN_BITS:
        raise _error("KEY_TOO_SHORT", f"the key has {key.key_size} bits; Snowflake wants {_MIN_BITS}", _MAKE_ONE)
    return SigningKey(key)


def read_key_file(path: str) -> bytes:
    """The bytes of a key file. Raises ConfigurationError when there is none, or it cannot be one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            found = file.read(_MAX_KEY_BYTES + 1) if regular else b""
    except FileNotFoundError:
        raise _error(
            "KEY_FILE_MISSING",
            "there is no key file at snowflake_private_key_path",
            "Correct the path, as it is on the machines that run Rosetta, or paste the key itself.",
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _error(
            "KEY_FILE_UNREADABLE",
            f"the key file cannot be read ({type(error).__name__})",
            "Let the user that Rosetta runs as read the file.",
        ) from None
    if not 0 < len(found) <= _MAX_KEY_BYTES:
        raise _error(
            "KEY_FILE_UNREADABLE", "the file at snowflake_private_key_path is no key file", "Correct the path."
        )
    return found


def _parsed(material: str | bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    if isinstance(material, bytes):
        if material[:1] == b"\x30":  # a DER sequence; text never starts with "0" followed by a length
            return _decoded(load_der_private_key, material, passphrase)
        try:
            material = material.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise _malformed() from None
    text = material.replace("\\r", "").replace("\\n", "\n").replace("\r", "").strip().strip("\"'")
    found = _ARMOUR.search(text)
    if found is None:
        return _decoded(load_der_private_key, _from_base64(text), passphrase)
    label, body = found[1], found[2]
    if "PUBLIC KEY" in label or label == "CERTIFICATE":
        raise _public()
    if _HEADER.search(body):  # the older encrypted form; its headers need their own lines, so nothing is mended
        return _decoded(load_pem_private_key, found[0].encode(), passphrase)
    return _decoded(load_der_private_key, _from_base64(body), passphrase)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _malformed() from None


_Loader = Callable[[bytes, bytes | None], PrivateKeyTypes]


def _decoded(loader: _Loader, data: bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    """The key, with the causes told apart that the library tells only in words."""
    try:
        return loader(data, passphrase)
    except TypeError:
        if passphrase is None:
            raise _error(
                "KEY_PASSPHRASE_MISSING",
                "the private key is encrypted, and no passphrase was given",
                "Give its passphrase as snowflake_private_key_passphrase.",
            ) from None
        raise _error(
            "KEY_PASSPHRASE_NEEDLESS",
            "a passphrase was given for a private key that is not encrypted",
            "Leave snowflake_private_key_passphrase out, or give the encrypted key.",
        ) from None
    except UnsupportedAlgorithm:
        raise _error(
            "KEY_UNSUPPORTED", "the private key is encrypted or made in a way that is not supported", _MAKE_ONE
        ) from None
    except ValueError:
        if _is_public(data):
            raise _public() from None
        if passphrase is not None and _is_encrypted(loader, data):
            raise _error(
                "KEY_PASSPHRASE_WRONG",
                "the passphrase does not open the private key",
                "Give the passphrase that the key was made with.",
            ) from None
        raise _malformed() from None


def _is_encrypted(loader: _Loader, data: bytes) -> bool:
    """Whether the key is whole and asks for a passphrase."""
    try:
        loader(data, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def _is_public(data: bytes) -> bool:
    try:
        load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _public() -> ConfigurationError:
    return _error(
        "KEY_IS_PUBLIC",
        "this is a public key or a certificate, not the private key",
        "Give the private key (rsa_key.p8); the public one goes to Snowflake by ALTER USER.",
    )


def _malformed() -> ConfigurationError:
    return _error(
        "KEY_MALFORMED",
        "this is no private key: neither PEM nor DER, or it is damaged",
        "Give the whole file, from its first line -----BEGIN ... to its last. " + _MAKE_ONE,
    )


def _error(code: str, message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(message, code=code, remedy=remedy)
