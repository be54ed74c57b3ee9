"""`rosetta sign-in-link`: the way in for whoever runs Rosetta."""

from __future__ import annotations

from rosetta.cli.target import config_database_url
from rosetta.local.access import create_sign_in_link


def sign_in_link() -> None:
    """Make the token of a one-time sign-in link for an administrator and print it; it is valid for a day.

    The config database is DATABASE_URL, or the local stack's.
    """
    print(create_sign_in_link(config_database_url()))
