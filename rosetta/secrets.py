"""The keyring: how a secret is sealed before it is stored, and opened again.

A sealed text reads `rsk1:<key id>:<base64url of nonce, ciphertext and tag>`; sealed bytes are `rsb1`, the key
id, nonce, ciphertext and tag, one after the other. The cipher is AES-256-GCM;
its key and the key id are derived from SECRET_KEY by HKDF-SHA-256. Key id and binding (the row and
column a secret belongs to) are authenticated with it, so that a sealed text moved to another row does not open.
"""

from __future__ import annotations

import binascii
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rosetta.errors import ConfigurationError, SecretError

_SCHEME: Final = "rsk1"
_BYTES_SCHEME: Final = b"rsb1"
SEALED_PATTERN: Final = r"rsk1:[0-9a-f]{16}:[A-Za-z0-9_-]{38,}"
_SEALED: Final = re.compile(SEALED_PATTERN)
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
# A digest starts with them; where they stand in sealed bytes.
KEY_ID_BYTES: Final = 8
BYTES_KEY_ID: Final = slice(len(_BYTES_SCHEME), len(_BYTES_SCHEME) + KEY_ID_BYTES)
_DIGEST_BYTES: Final = 16
_MINIMUM_CHARACTERS: Final = 32
_MINIMUM_DISTINCT: Final = 10
# Words that stand in examples and never in random characters.
_EXAMPLE_WORDS: Final = (
    "change",
    "default",
    "develop",
    "example",
    "insecure",
    "password",
    "placeholder",
    "production",
    "secret",
    "your-",
    "your_",
)


def is_sealed(text: str) -> bool:
    """Whether `text` has the form of a sealed secret (not whether it can be opened)."""
    return _SEALED.fullmatch(text) is not None


def check_secret_key(secret: str, production: bool) -> None:
    """Refuses a SECRET_KEY that protects nothing.

    Raises ConfigurationError for an empty one always, and in production for one that is short, has few
    different characters, or reads like an example.
    """
    problem = _problem(secret, production)
    if problem is not None:
        raise ConfigurationError(
            f"SECRET_KEY {problem}",
            code="SECRET_KEY_REFUSED",
            remedy="Set SECRET_KEY, the same for backend and compute, to the output of `openssl rand -base64 48`.",
        )


def _problem(secret: str, production: bool) -> str | None:
    if not secret.strip():
        return "is not set"
    if not production:
        return None
    if len(secret) < _MINIMUM_CHARACTERS:
        return f"has fewer than {_MINIMUM_CHARACTERS} characters"
    if len(set(secret)) < _MINIMUM_DISTINCT:
        return f"has fewer than {_MINIMUM_DISTINCT} different characters"
    if any(word in secret.lower() for word in _EXAMPLE_WORDS):
        return "is an example or a default"
    return None


class Keyring:
    """Seals with one key, opens with that and all previous ones. Immutable; safe in threads."""

    def __init__(
        self,
        ciphers: Mapping[str, AESGCM],
        sealing_key_id: str,
        digest_keys: Mapping[str, bytes] | None = None,
        masking_key: bytes = b"",
    ) -> None:
        self._ciphers = dict(ciphers)
        self._sealing_key_id = sealing_key_id
        self._digest_keys = dict(digest_keys or {})
        self._masking_key = masking_key

    @classmethod
    def from_secret_key(cls, secret_key: str, previous: Sequence[str] = ()) -> Keyring:
        """A keyring that seals by `secret_key` and still opens what `previous` ones sealed.

        Raises ConfigurationError when one of them is empty.
        """
        ciphers: dict[str, AESGCM] = {}
        digest_keys: dict[str, bytes] = {}
        for secret in (secret_key, *previous):
            check_secret_key(secret, production=False)
            ciphers.setdefault(_key_id(secret), AESGCM(_derive(secret, b"rosetta sealing key", _KEY_BYTES)))
            digest_keys.setdefault(_key_id(secret), _derive(secret, b"rosetta digest key", _KEY_BYTES))
        oldest = previous[-1] if previous else secret_key
        return cls(ciphers, _key_id(secret_key), digest_keys, _derive(oldest, b"rosetta masking key", _KEY_BYTES))

    @property
    def key_id(self) -> str:
        """Names the key that it seals with, which cannot be found from that."""
        return self._sealing_key_id

    @property
    def previous_key_ids(self) -> tuple[str, ...]:
        """Name the other keys that it opens with, in the order in which they were given."""
        return tuple(key_id for key_id in self._ciphers if key_id != self._sealing_key_id)

    @property
    def masking_key(self) -> bytes:
        """What values of masked columns are hashed with; of the oldest key, the last that was named.

        A mask cannot be made anew by a rotation, since nobody has its value: it stays as long as that key is known.
        """
        return self._masking_key

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._ciphers)})"

    def seal(self, plaintext: str, bound_to: str) -> str:
        """`plaintext` sealed for one place (e.g. `sources.pg_password:17`); twice the same never looks the same."""
        nonce = os.urandom(_NONCE_BYTES)
        box = self._ciphers[self._sealing_key_id].encrypt(
            nonce, plaintext.encode(), _associated(self._sealing_key_id, bound_to)
        )
        return f"{_SCHEME}:{self._sealing_key_id}:{urlsafe_b64encode(nonce + box).decode().rstrip('=')}"

    def open(self, sealed: str, bound_to: str) -> str:
        """The plaintext.

        Raises SecretError whenever it is not exactly what `seal` made for this place under a known key.
        """
        if not is_sealed(sealed):
            raise SecretError(
                f"the secret {_place(bound_to)} is not sealed", code="SECRET_NOT_SEALED", remedy="Enter it again."
            )
        _, key_id, text = sealed.split(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SecretError(
                f"the secret {_place(bound_to)} was sealed under another key ({key_id})",
                code="SECRET_KEY_UNKNOWN",
                remedy="Start with the SECRET_KEY it was sealed under, or enter the secret again.",
            )
        try:
            blob = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            opened = cipher.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], _associated(key_id, bound_to))
        except (InvalidTag, binascii.Error):
            raise SecretError(
                f"the secret {_place(bound_to)} was altered or belongs elsewhere",
                code="SECRET_ALTERED",
                remedy="Enter the secret again.",
            ) from None
        return opened.decode()

    def seal_bytes(self, plain: bytes, bound_to: str) -> bytes:
        """As `seal`, for many bytes, without the third that base64 adds."""
        nonce, key_id = os.urandom(_NONCE_BYTES), self._sealing_key_id
        head = _BYTES_SCHEME + bytes.fromhex(key_id) + nonce
        return head + self._ciphers[key_id].encrypt(nonce, plain, _associated_bytes(key_id, bound_to))

    def open_bytes(self, sealed: bytes, bound_to: str) -> bytes:
        """The plain bytes. Raises SecretError as `open` does."""
        key_id = sealed[BYTES_KEY_ID].hex()
        cipher = self._ciphers.get(key_id)
        if not sealed.startswith(_BYTES_SCHEME) or cipher is None:
            raise SecretError(
                f"what is sealed {_place(bound_to)} was sealed under another key, or is not sealed",
                code="SECRET_KEY_UNKNOWN",
                remedy="Start with the SECRET_KEY it was sealed under (SECRET_KEY_PREVIOUS takes former ones).",
            )
        nonce_end = BYTES_KEY_ID.stop + _NONCE_BYTES
        nonce, box = sealed[BYTES_KEY_ID.stop : nonce_end], sealed[nonce_end:]
        try:
            return cipher.decrypt(nonce, box, _associated_bytes(key_id, bound_to))
        except InvalidTag:
            raise SecretError(
                f"what is sealed {_place(bound_to)} was altered or belongs elsewhere", code="SECRET_ALTERED"
            ) from None

    def digests(self, data: bytes) -> tuple[bytes, ...]:
        """Keyed digests of `data`, equal for equal data: the current key's first, then those of previous keys.

        Each starts with its key's id, 8 bytes, so that one made under an unknown key is seen as such; whoever lacks
        the key can neither tell nor try out what was digested.
        """
        return tuple(
            bytes.fromhex(key_id) + hmac.digest(key, data, "sha256")[:_DIGEST_BYTES]
            for key_id, key in self._digest_keys.items()
        )

    def knows_digest(self, digest: bytes) -> bool:
        """Whether one of this keyring's keys made `digest`."""
        return digest[:KEY_ID_BYTES].hex() in self._digest_keys

    def is_current(self, sealed: str) -> bool:
        """Whether `sealed` names the key that this keyring seals with; others wait for rotation."""
        return is_sealed(sealed) and sealed.split(":")[1] == self._sealing_key_id

    def is_current_bytes(self, sealed: bytes) -> bool:
        """As `is_current`, for sealed bytes."""
        return sealed.startswith(_BYTES_SCHEME + bytes.fromhex(self._sealing_key_id))


def _place(bound_to: str) -> str:
    """The binding in words: `of sources.pg_password, row 17`."""
    column, _, row = bound_to.rpartition(":")
    return f"of {column}, row {row}"


def _associated(key_id: str, bound_to: str) -> bytes:
    return f"{_SCHEME}:{key_id}:{bound_to}".encode()


def _associated_bytes(key_id: str, bound_to: str) -> bytes:
    return _BYTES_SCHEME + f":{key_id}:{bound_to}".encode()


def _key_id(secret: str) -> str:
    return _derive(secret, b"rosetta key id", KEY_ID_BYTES).hex()


def _derive(secret: str, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret.encode())
