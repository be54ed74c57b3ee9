"""Strips secrets and row values from text before it is logged, stored as an error or sent anywhere.

This is the last net, not the rule: code does not put secrets or rows into messages in the first place.
Where a pattern cannot tell, it takes away too much rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"

_NAMES: Final = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|secret_?key|private_?key|access_?key|api_?key|token|credentials?"
    r"|authorization|cookie)"
)
_SECRET_FIELD: Final = re.compile(
    rf"(?:^|.*[._\- ]){_NAMES}s?$|.*(?:password|passphrase|Password|Token|Secret)$", re.IGNORECASE
)

_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # A private key, also one that is cut off or has its line ends escaped.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"\brsk1:[0-9a-f]*:[\w-]*"), REDACTED),
    (re.compile(r"\brst_[\w-]{16,}"), REDACTED),
    # The password of a URL, up to the last @ before the next space or quote: it may hold @ and / itself.
    (re.compile(r"(\b[a-z][\w+.-]*:/{1,2}[^\s:/?#@'\"]*:)[^\s'\"<>]*@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"\b(authorization['\"]?\s*[:=]\s*['\"]?)(?:\w+\s+)?[^\s'\",;]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{REDACTED}"),
    # name=value, name: value, "name": "value"; the value quoted by either quote, or up to the next space.
    (
        re.compile(
            rf"((?:\b|_){_NAMES}['\"]?\s*[=:]\s*)(?!\[redacted\])"
            r"(?:'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|\S+)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # What PostgreSQL and SQLAlchemy quote of rows and parameters.
    (re.compile(r"^\s*(DETAIL|CONTEXT|STATEMENT|QUERY):.*$", re.MULTILINE), rf"\1: {REDACTED}"),
    (re.compile(r"(Failing row contains )\(.*\)"), rf"\1({REDACTED})"),
    (re.compile(r"(Key \([^()]*\)=)\(.*?\)(?= (?:already|is|conflicts|in|not)\b|\.|$)"), rf"\1({REDACTED})"),
    (re.compile(r"(invalid input (?:syntax|value) for [^:\n]*: )\".*\""), rf'\1"{REDACTED}"'),
    (re.compile(r"(\[parameters: ).*?\](?=\n|\s*$|\()", re.DOTALL), rf"\1{REDACTED}]"),
)


def redact(text: str) -> str:
    """`text` without secrets and row values. Twice is the same as once."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def redact_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which every string is redacted, at any depth, and fields that are named like a secret are blanked."""
    return {
        name: REDACTED if _SECRET_FIELD.match(str(name)) and value not in (None, "") else _redacted(value)
        for name, value in fields.items()
    }


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, Mapping):
        return redact_fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    # Whatever else a caller logs is written as text, and text is redacted.
    return redact(str(value))
