"""Users, their sessions, and links that sign in once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.models import SignInLink, User, UserSession
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.identity import UserQuery
from rosetta.enums import Role


class UserRepository(BaseRepository[User]):
    model = User
    entity_type = "user"
    sortable = ("id", "email", "role", "created_at", "last_login_at")

    async def matching(self, query: UserQuery) -> tuple[Sequence[User], int]:
        conditions: list[ColumnElement[bool]] = contains(User.email, query.email)
        if query.role is not None:
            conditions.append(User.role == query.role)
        return await self.page(query, conditions)

    async def by_email(self, email: str) -> User | None:
        return await self.session.scalar(select(User).where(func.lower(User.email) == email.lower()))

    async def known_or_new(self, email: str, role: Role) -> User | None:
        """The user with this e-mail, made if need be: one, however many ask. None: deleted at the same moment."""
        known = await self.by_email(email)
        if known is not None:
            return known
        await self.session.execute(insert(User).values(email=email, role=role).on_conflict_do_nothing())
        return await self.by_email(email)

    async def active_admins(self) -> Sequence[int]:
        """Ids of all who may administer, locked so that two requests cannot each take away the other's last one."""
        rows = await self.session.scalars(
            select(User.id).where(User.role == Role.ADMIN, User.is_active).order_by(User.id).with_for_update()
        )
        return rows.all()


class SessionRepository(BaseRepository[UserSession]):
    model = UserSession
    entity_type = "session"

    async def user_of(self, token_hash: bytes, length: timedelta) -> tuple[User, bool] | None:
        """The active user of a session that lasts yet, by the database's clock, and whether it may be extended."""
        found = await self.session.execute(
            select(User, _half_over(length))
            .join(UserSession, UserSession.user_id == User.id)
            .where(UserSession.token_hash == token_hash, UserSession.expires_at > func.now(), User.is_active)
        )
        row = found.one_or_none()
        return None if row is None else (row[0], row[1])

    async def extend(self, token_hash: bytes, length: timedelta) -> datetime | None:
        """A session in use lasts on; written, and its new end returned, only once half of its time is over."""
        extended: datetime | None = await self.session.scalar(
            update(UserSession)
            .where(UserSession.token_hash == token_hash, _half_over(length))
            .values(expires_at=func.now() + length)
            .returning(UserSession.expires_at)
            .execution_options(synchronize_session=False)
        )
        return extended

    async def end(self, token_hash: bytes) -> None:
        await self.session.execute(delete(UserSession).where(UserSession.token_hash == token_hash))

    async def end_all_of(self, user_id: int) -> None:
        await self.session.execute(delete(UserSession).where(UserSession.user_id == user_id))

    async def forget_expired(self) -> None:
        await self.session.execute(delete(UserSession).where(UserSession.expires_at <= func.now()))


def _half_over(length: timedelta) -> ColumnElement[bool]:
    return UserSession.expires_at < func.now() + length / 2


class SignInLinkRepository(BaseRepository[SignInLink]):
    model = SignInLink
    entity_type = "sign-in link"

    async def take(self, token_hash: bytes) -> SignInLink | None:
        """The link if it is still valid; it is gone then, for everybody, once the transaction commits."""
        row = await self.session.scalar(
            delete(SignInLink)
            .where(SignInLink.token_hash == token_hash, SignInLink.expires_at > func.now())
            .returning(SignInLink)
        )
        await self.session.execute(delete(SignInLink).where(SignInLink.expires_at <= func.now()))
        return row
