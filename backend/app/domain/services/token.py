"""API tokens: shown once, known by their hash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.core.exceptions import AuthenticationRequiredError, InvalidRequestError
from app.domain.models import Token
from app.domain.repositories import TokenRepository
from app.domain.schemas.identity import Actor, TokenCreate, TokenQuery
from app.domain.services.audit import AuditTrail
from rosetta.enums import ActorKind
from rosetta.tokens import hash_token, new_token, token_prefix


class TokenService:
    def __init__(self, tokens: TokenRepository, audit: AuditTrail) -> None:
        self._tokens = tokens
        self._audit = audit

    async def page(self, query: TokenQuery) -> tuple[Sequence[Token], int]:
        return await self._tokens.matching(query)

    async def issue(self, body: TokenCreate) -> tuple[Token, str]:
        """A new token and its text, which nobody can show again. Raises InvalidRequestError for a past expiry."""
        if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
            raise InvalidRequestError("The token would have expired already.", code="EXPIRY_IN_THE_PAST")
        text = new_token()
        row = Token(
            name=body.name,
            role=body.role,
            expires_at=body.expires_at,
            token_hash=hash_token(text),
            token_prefix=token_prefix(text),
        )
        token = await self._tokens.add(row)
        await self._audit.record("token.create", token.id, name=token.name, role=token.role.value)
        return token, text

    async def revoke(self, token_id: int) -> None:
        """Ends a token's validity at once; doing it twice changes nothing. Raises EntityNotFoundError."""
        token = await self._tokens.get(token_id, lock=True)
        token.revoked_at = token.revoked_at or datetime.now(UTC)
        await self._tokens.flush()
        await self._audit.record("token.revoke", token_id, name=token.name)


async def authenticate(tokens: TokenRepository, text: str) -> Actor:
    """Who a bearer token stands for. Raises AuthenticationRequiredError, always with the same words."""
    found = await tokens.valid(hash_token(text))
    if found is None:
        raise AuthenticationRequiredError(
            "This token is not valid.", code="INVALID_TOKEN", remedy="Make a new one: `rosetta token create`."
        )
    token, is_news = found
    if is_news:
        await tokens.note_use(token.id)
    return Actor(kind=ActorKind.TOKEN, id=token.id, name=token.name, role=token.role)
