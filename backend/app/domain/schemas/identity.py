"""Who asks, and the tokens they ask with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from app.domain.schemas.base import Body, Name, PageRequest, Stamped, Text, View
from rosetta.enums import ActorKind, Role


class Actor(View):
    """Who makes a request; also the answer of /auth/me."""

    kind: ActorKind
    id: int | None
    name: str
    role: Role


class TokenCreate(Body):
    name: Name
    role: Role = Role.VIEWER
    expires_at: AwareDatetime | None = Field(default=None, description="left out: never")


class TokenView(View):
    id: int
    name: str
    token_prefix: str
    role: Role
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class TokenCreated(TokenView):
    token: str = Field(description="shown this once; only its hash is kept")


class TokenQuery(PageRequest):
    role: Role | None = None
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")


# Only what every address has; whether mail arrives there is not ours to know.
Email = Annotated[Text, Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", examples=["ada@example.org"])]
_LONGEST_PASSWORD = 256


def _storable_password(value: SecretStr) -> SecretStr:
    if "\0" in value.get_secret_value():
        raise ValueError("a password may not contain NUL characters")
    return value


NewPassword = Annotated[
    SecretStr, Field(min_length=12, max_length=_LONGEST_PASSWORD), AfterValidator(_storable_password)
]


class Login(Body):
    email: Email
    password: SecretStr = Field(min_length=1, max_length=_LONGEST_PASSWORD)


class FirstSignIn(Body):
    token: str = Field(min_length=1, max_length=200, description="what the one-time link carries")


class SessionView(View):
    """Who is signed in until when; the session itself is a cookie that scripts cannot read."""

    actor: Actor
    expires_at: datetime


class UserCreate(Body):
    email: Email
    role: Role = Role.VIEWER
    password: NewPassword | None = Field(default=None, description="left out: only sign-in links work")


class UserUpdate(Body):
    role: Role | None = None
    is_active: bool | None = None
    password: NewPassword | None = None


class PasswordChange(Body):
    current_password: SecretStr | None = Field(default=None, max_length=_LONGEST_PASSWORD)
    password: NewPassword


class UserView(Stamped):
    email: str
    role: Role
    is_active: bool
    last_login_at: datetime | None


class UserQuery(PageRequest):
    role: Role | None = None
    email: str | None = Field(default=None, max_length=254, description="part of the e-mail, in any case")


class LinkView(View):
    token: str = Field(description="shown this once; signs in once")
    expires_at: datetime
