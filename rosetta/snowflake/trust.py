"""Whose certificates are believed."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trust() -> ssl.SSLContext:
    """Whom this machine trusts; reading that takes a tenth of a second, so it is done once."""
    return ssl.create_default_context()
