"""Tokens are random, and only their hash is kept."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode

from rosetta.tokens import hash_token, new_token, token_prefix


def test_token_has_256_random_bits_and_a_prefix() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    for token in tokens:
        assert token.startswith("rst_")
        assert len(urlsafe_b64decode(token.removeprefix("rst_") + "=")) == 32


def test_hash_is_sha_256_of_the_whole_token() -> None:
    token = new_token()
    assert hash_token(token) == hashlib.sha256(token.encode()).digest()
    assert hash_token(token) != hash_token(token + "x")


def test_prefix_tells_tokens_apart_without_giving_them_away() -> None:
    token = new_token()
    assert token.startswith(token_prefix(token))
    assert len(token_prefix(token)) == 12
