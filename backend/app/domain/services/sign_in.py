"""Signing in and out: sessions of people, each known by the hash of a random token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.core.exceptions import AuthenticationRequiredError
from app.core.passwords import password_fits
from app.domain.models import User, UserSession
from app.domain.repositories import AuditRepository, SessionRepository, SignInLinkRepository, UserRepository
from app.domain.schemas.identity import Actor
from app.domain.services.audit import AuditTrail
from rosetta.enums import ActorKind, Role
from rosetta.tokens import hash_token, new_token

LOCAL_ADMIN: Final = "admin@localhost"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; `token` goes into the cookie and is not kept."""

    actor: Actor
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Recognised:
    """Who asks; `extended_until` when their session was prolonged just now."""

    actor: Actor
    extended_until: datetime | None = None


class SignInService:
    """Makes and ends sessions. A session in use lasts on; an idle one ends after `session_length`."""

    def __init__(
        self,
        users: UserRepository,
        sessions: SessionRepository,
        links: SignInLinkRepository,
        entries: AuditRepository,
        session_length: timedelta,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._links = links
        self._entries = entries
        self._session_length = session_length

    async def by_password(self, email: str, password: str) -> SignedIn:
        """Raises AuthenticationRequiredError, in the same words and time whatever was wrong."""
        user = await self._users.by_email(email)
        known = user if user is not None and user.is_active else None
        if not await password_fits(password, known.password_hash if known else None) or known is None:
            raise AuthenticationRequiredError(
                "E-mail or password is wrong.", code="SIGN_IN_REFUSED", remedy="Ask an admin for a sign-in link."
            )
        return await self._begin(known, "password")

    async def by_link(self, token: str) -> SignedIn:
        """Signs in whom the link is for, once. Raises AuthenticationRequiredError for a link that is used or old."""
        link = await self._links.take(hash_token(token))
        user = None if link is None else await self._user_of_link(link.user_id, link.role)
        if user is None:
            raise AuthenticationRequiredError(
                "This link was used already, or is too old.",
                code="LINK_NOT_VALID",
                remedy="Make a new one on Rosetta's machine: `rosetta sign-in-link`.",
            )
        return await self._begin(user, "link")

    async def end(self, token: str | None, actor: Actor) -> None:
        """Ends the session, if there is one."""
        if token:
            await self._sessions.end(hash_token(token))
        await AuditTrail(self._entries, actor).record("user.sign_out", actor.id)

    async def _user_of_link(self, user_id: int | None, role: Role) -> User | None:
        if user_id is not None:
            user = await self._users.get(user_id)
            return user if user.is_active else None
        known = await self._users.known_or_new(LOCAL_ADMIN, role)
        return known if known is not None and known.is_active else None

    async def _begin(self, user: User, how: str) -> SignedIn:
        token, now = new_token(), datetime.now(UTC)
        await self._sessions.forget_expired()
        expires_at = now + self._session_length
        await self._sessions.add(UserSession(user_id=user.id, token_hash=hash_token(token), expires_at=expires_at))
        user.last_login_at = now
        await self._users.flush()
        actor = actor_of(user)
        await AuditTrail(self._entries, actor).record("user.sign_in", user.id, how=how)
        return SignedIn(actor, token, expires_at)


async def authenticate_session(
    sessions: SessionRepository, token: str, session_length: timedelta, *, prolong: bool
) -> Recognised | None:
    """Who a session's cookie stands for; None when it is over. A use that is to `prolong` it does when that is due."""
    token_hash = hash_token(token)
    found = await sessions.user_of(token_hash, session_length)
    if found is None:
        return None
    user, is_due = found
    extended_until = await sessions.extend(token_hash, session_length) if prolong and is_due else None
    return Recognised(actor_of(user), extended_until)


def actor_of(user: User) -> Actor:
    return Actor(kind=ActorKind.USER, id=user.id, name=user.email, role=user.role)
