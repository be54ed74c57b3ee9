"""What Snowflake and its connector complain of, told apart by number or, where the number is hidden, by words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rosetta.errors import OutageError, RosettaError


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that Snowflake complains of."""

    code: str
    message: str
    remedy: str
    numbers: frozenset[int] = frozenset()
    words: str = "(?!)"

    def fits(self, number: int | None, said: str) -> bool:
        return number in self.numbers or re.search(self.words, said) is not None

    def error(self, doing: str, kind: type[RosettaError] = OutageError) -> RosettaError:
        return kind(f"{doing}: {self.message}", code=self.code, remedy=self.remedy)


# Why nobody is let in. Every one is an outage: nothing is wrong with the changes, so they wait until a person has
# mended it. The first that fits counts.
CAUSES: Final = (
    Cause(
        "TOKEN_EXPIRED",
        "the signed token had expired when it arrived",
        "Set the clock of the machine that Rosetta runs on: it must be within a minute of Snowflake's.",
        frozenset({394301, 394302, 394303}),
        "ISSUE_TIME|EXPIRATION_TIME|JWT token (?:has |is )?expired",
    ),
    Cause(
        "USER_UNKNOWN",
        "there is no such user in this account",
        "Correct snowflake_user: it is the user's LOGIN_NAME.",
        frozenset({394300}),
        "USER_IN_ISSUER|Incorrect username",
    ),
    Cause(
        "KEY_REJECTED",
        "the user does not have this public key, or does not exist",
        "Run the ALTER USER statement that the destination's key shows; check account, user and the clock.",
        frozenset({390144, 394304}),
        "FINGERPRINT_MISMATCH|JWT token is invalid",
    ),
    Cause(
        "SESSION_EXPIRED",
        "the session has expired",
        "Nothing: Rosetta signs in again.",
        frozenset({390104, 390110, 390111, 390112, 390114, 390115, 390195}),
        "[Ss]ession (?:no longer exists|has expired)|[Aa]uthentication token has expired",
    ),
    Cause(
        "ROLE_NOT_GRANTED",
        "the user does not have this role (any more), or it does not exist",
        "Grant the role to the user, or correct snowflake_role.",
        frozenset({390186, 390189}),
        r"Role .{1,300} specified in the connect string",
    ),
    Cause(
        "USER_NOT_ALLOWED",
        "the user is disabled or locked",
        "Enable the user in Snowflake.",
        frozenset({390101, 390102}),
        r"User .{0,300}(?:disabled|locked)",
    ),
    Cause(
        "NETWORK_POLICY",
        "Snowflake's network policy does not let this address in",
        "Add the address of the machine that Rosetta runs on to the account's or the user's network policy.",
        frozenset({390420, 390422, 390430, 390432}),
        "is not allowed to access Snowflake",
    ),
    Cause(
        "WAREHOUSE_MISSING",
        "the session has no warehouse",
        "Correct snowflake_warehouse, and grant USAGE on it to the role.",
        frozenset({606}),
        "No active warehouse",
    ),
)
# A statement is refused as it is; what the session may do at all is not in question.
REFUSED: Final = (
    Cause(
        "INSUFFICIENT_PRIVILEGE",
        "the role may not do this",
        "Grant the right that the destination's preflight names.",
        frozenset({3001}),
        "Insufficient privileges",
    ),
    Cause(
        "OBJECT_MISSING",
        "an object does not exist, or the role may not see it",
        "Look at the destination's preflight.",
        frozenset({2003, 2043}),
        "does not exist or not authorized",
    ),
)
UNREACHABLE: Final = (
    Cause(
        "HOST_NOT_FOUND",
        "the account's host name cannot be resolved",
        "Correct snowflake_account, or snowflake_host.",
        words="Name or service not known|failed to lookup|dns error|Temporary failure in name",
    ),
    Cause(
        "CONNECTION_REFUSED",
        "nothing listens at this host and port",
        "Check snowflake_host, and any proxy between here and Snowflake.",
        words="Connection refused",
    ),
    Cause(
        "TLS_FAILED",
        "TLS could not be agreed on, or the certificate does not hold",
        "Check snowflake_account (it is part of the host name), and any proxy that opens TLS.",
        words="certificate|SSL|TLS|[Hh]andshake",
    ),
    Cause(
        "ACCOUNT_NOT_FOUND",
        "there is no such account at this host",
        "Correct snowflake_account: organization and account name, joined by a hyphen.",
        words=r"\b40[34]\b|Forbidden|Not Found",
    ),
    Cause(
        "CONNECTION_TIMEOUT",
        "Snowflake did not answer in time",
        "Check the account's host, and any firewall between here and Snowflake.",
        words="[Tt]imed? ?out",
    ),
)
