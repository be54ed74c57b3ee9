"""Users: who may sign in, as what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from app.core.exceptions import ConflictError, DuplicateEntityError, InvalidRequestError
from app.core.passwords import hash_password, password_fits
from app.domain.models import SignInLink, User
from app.domain.repositories import SessionRepository, SignInLinkRepository, UserRepository
from app.domain.schemas.identity import Actor, PasswordChange, UserCreate, UserQuery, UserUpdate
from app.domain.services.audit import AuditTrail
from rosetta.enums import ActorKind, Role
from rosetta.tokens import hash_token, new_token

LINK_LENGTH: Final = timedelta(hours=24)


class UserService:
    """A user who is changed in role, password or activity loses all sessions at once."""

    def __init__(
        self, users: UserRepository, sessions: SessionRepository, links: SignInLinkRepository, audit: AuditTrail
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._links = links
        self._audit = audit

    async def page(self, query: UserQuery) -> tuple[Sequence[User], int]:
        return await self._users.matching(query)

    async def get(self, user_id: int) -> User:
        """Raises EntityNotFoundError."""
        return await self._users.get(user_id)

    async def create(self, body: UserCreate) -> User:
        """Raises DuplicateEntityError for a known e-mail, in any case of its letters."""
        if await self._users.by_email(body.email) is not None:
            raise DuplicateEntityError("There is a user with this e-mail already.", details={"entity_type": "user"})
        password_hash = await hash_password(body.password.get_secret_value()) if body.password else None
        user = await self._users.add(User(email=body.email, role=body.role, password_hash=password_hash))
        await self._audit.record("user.create", user.id, role=user.role.value)
        return user

    async def change(self, user_id: int, body: UserUpdate) -> User:
        """Raises ConflictError where nobody would be left to administer, EntityNotFoundError."""
        user = await self._users.get(user_id, lock=True)
        demoted = (body.role is not None and body.role is not Role.ADMIN) or body.is_active is False
        if demoted:
            await self._keep_an_admin(user)
        if body.role is not None:
            user.role = body.role
        if body.is_active is not None:
            user.is_active = body.is_active
        if body.password is not None:
            user.password_hash = await hash_password(body.password.get_secret_value())
        await self._users.flush()
        await self._sessions.end_all_of(user_id)
        await self._audit.record("user.update", user_id, fields=sorted(body.sent()))
        return user

    async def change_own_password(self, actor: Actor, body: PasswordChange) -> None:
        """Raises InvalidRequestError for a token, which has none, and for a wrong current password."""
        if actor.kind is not ActorKind.USER or actor.id is None:
            raise InvalidRequestError("Only a user who signed in has a password.", code="NO_USER")
        user = await self._users.get(actor.id, lock=True)
        current = body.current_password.get_secret_value() if body.current_password else ""
        if user.password_hash is not None and not await password_fits(current, user.password_hash):
            raise InvalidRequestError("The current password is wrong.", code="WRONG_PASSWORD")
        user.password_hash = await hash_password(body.password.get_secret_value())
        await self._users.flush()
        await self._sessions.end_all_of(user.id)
        await self._audit.record("user.password", user.id)

    async def delete(self, user_id: int) -> None:
        """Raises ConflictError for the last administrator, EntityNotFoundError."""
        user = await self._users.get(user_id, lock=True)
        await self._keep_an_admin(user)
        await self._users.delete(user)
        await self._audit.record("user.delete", user_id)

    async def link(self, user_id: int) -> tuple[str, datetime]:
        """A token that signs this user in once within `LINK_LENGTH`. Raises EntityNotFoundError."""
        user = await self._users.get(user_id)
        token, expires_at = new_token(), datetime.now(UTC) + LINK_LENGTH
        row = SignInLink(user_id=user.id, role=user.role, token_hash=hash_token(token), expires_at=expires_at)
        await self._links.add(row)
        await self._audit.record("user.sign_in_link", user_id)
        return token, expires_at

    async def _keep_an_admin(self, user: User) -> None:
        admins = await self._users.active_admins()
        if list(admins) == [user.id]:
            raise ConflictError(
                "This is the last active administrator.",
                code="LAST_ADMIN",
                remedy="Make somebody else an administrator first.",
            )
