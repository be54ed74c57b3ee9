"""API tokens, by their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, update

from app.domain.models import Token, User
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.identity import TokenQuery

# A token's last use is known to the minute, so that reading does not mean writing.
_USE_GRAIN = timedelta(minutes=1)
_IS_NEWS = or_(Token.last_used_at.is_(None), Token.last_used_at < func.now() - _USE_GRAIN)


class TokenRepository(BaseRepository[Token]):
    model = Token
    entity_type = "token"
    sortable = ("id", "name", "role", "created_at", "last_used_at")

    async def matching(self, query: TokenQuery) -> tuple[Sequence[Token], int]:
        conditions: list[ColumnElement[bool]] = contains(Token.name, query.name)
        if query.role is not None:
            conditions.append(Token.role == query.role)
        return await self.page(query, conditions)

    async def valid(self, token_hash: bytes) -> tuple[Token, bool] | None:
        """The token with this hash unless it is revoked, expired (by the database's clock) or its user is inactive.

        With it, whether this use is to be noted.
        """
        found = await self.session.execute(
            select(Token, _IS_NEWS)
            .outerjoin(User, User.id == Token.user_id)
            .where(
                Token.token_hash == token_hash,
                Token.revoked_at.is_(None),
                or_(Token.expires_at.is_(None), Token.expires_at > func.now()),
                or_(Token.user_id.is_(None), User.is_active),
            )
        )
        row = found.one_or_none()
        return None if row is None else (row[0], row[1])

    async def note_use(self, token_id: int) -> None:
        await self.session.execute(
            update(Token)
            .where(Token.id == token_id, _IS_NEWS)
            .values(last_used_at=func.now())
            .execution_options(synchronize_session=False)
        )
