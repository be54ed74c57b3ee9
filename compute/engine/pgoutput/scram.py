"""SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677), as PostgreSQL speaks it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from base64 import b64decode, b64encode
from typing import ClassVar, Final

_NO_BINDING: Final = b"n,,"


class Scram:
    """One exchange of the client's side."""

    MECHANISM: ClassVar = b"SCRAM-SHA-256"

    def __init__(self, password: str, nonce: bytes | None = None) -> None:
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = nonce or b64encode(secrets.token_bytes(18))
        self._bare = b"n=,r=" + self._nonce  # the server takes the name from the startup message
        self._signature = b""

    def first(self) -> bytes:
        return _NO_BINDING + self._bare

    def proof(self, challenge: bytes) -> bytes:
        """Answers the server's first message. Raises ValueError when that is not one."""
        fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
        try:
            nonce, salt, rounds = fields[b"r"], b64decode(fields[b"s"]), int(fields[b"i"])
        except KeyError:
            raise ValueError("the server's challenge is incomplete") from None
        if not nonce.startswith(self._nonce):
            raise ValueError("the server's challenge is not an answer to ours")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        client_key = _hmac(salted, b"Client Key")
        unproved = b"c=" + b64encode(_NO_BINDING) + b",r=" + nonce
        text = b",".join((self._bare, challenge, unproved))
        signature = _hmac(hashlib.sha256(client_key).digest(), text)
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        self._signature = _hmac(_hmac(salted, b"Server Key"), text)
        return unproved + b",p=" + b64encode(proof)

    def is_server(self, final: bytes) -> bool:
        """Whether the server's last message proves that it knows the password."""
        return bool(self._signature) and hmac.compare_digest(final, b"v=" + b64encode(self._signature))


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
