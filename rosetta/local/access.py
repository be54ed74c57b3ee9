"""Makes API tokens and sign-in links in the config database; only their hashes are kept there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import psycopg2.extensions

from rosetta.database import libpq_url
from rosetta.enums import Role
from rosetta.postgres import translate_error
from rosetta.tokens import hash_token, new_token, token_prefix


def create_token(database_url: str, name: str, role: Role) -> str:
    """A new token, which cannot be shown again. Raises OutageError when the config database cannot be had."""
    token = new_token()
    with _session(database_url, "creating a token") as cursor:
        cursor.execute(
            "INSERT INTO tokens (name, token_hash, token_prefix, role) VALUES (%s, %s, %s, %s) RETURNING id",
            (name, hash_token(token), token_prefix(token), role.value),
        )
        cursor.execute(
            "INSERT INTO audit_log (actor_kind, actor_name, action, entity_type, entity_id, details)"
            " VALUES ('command', 'rosetta', 'token.create', 'token', %s, jsonb_build_object('role', %s::text))",
            (str((cursor.fetchone() or ("?",))[0]), role.value),
        )
    return token


def create_sign_in_link(database_url: str, role: Role = Role.ADMIN) -> str:
    """The token of a link that signs its holder in once, within a day. Raises OutageError."""
    token = new_token()
    with _session(database_url, "creating a sign-in link") as cursor:
        cursor.execute(
            "INSERT INTO sign_in_links (token_hash, role, expires_at) VALUES (%s, %s, now() + interval '1 day')",
            (hash_token(token), role.value),
        )
        cursor.execute(
            "INSERT INTO audit_log (actor_kind, actor_name, action, entity_type, details)"
            " VALUES ('command', 'rosetta', 'user.sign_in_link', 'user', jsonb_build_object('role', %s::text))",
            (role.value,),
        )
    return token


def token_works(database_url: str, token: str) -> bool:
    """Whether the config database knows this token and nobody revoked it. Raises OutageError."""
    with _session(database_url, "looking for the token") as cursor:
        cursor.execute(
            "SELECT 1 FROM tokens WHERE token_hash = %s AND revoked_at IS NULL AND coalesce(expires_at > now(), true)",
            (hash_token(token),),
        )
        return cursor.fetchone() is not None


@contextmanager
def _session(database_url: str, doing: str) -> Iterator[psycopg2.extensions.cursor]:
    """One transaction, committed at the end."""
    try:
        with (
            closing(psycopg2.connect(libpq_url(database_url), connect_timeout=5)) as session,
            session,
            session.cursor() as cursor,
        ):
            yield cursor
    except psycopg2.Error as error:
        raise translate_error(error, doing) from None
