"""Folding that no locale has a say in."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Final

_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def folded(text: str) -> str:
    """A to Z in lower case: how SQL folds names, and what ILIKE goes by under the collation "C"."""
    return text.translate(_LOWER)
