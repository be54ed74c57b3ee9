"""The words of a filter string, one after the other."""

from __future__ import annotations

import re
from typing import Final

from rosetta.errors import ConfigurationError
from rosetta.filters.folding import folded

_SPACE: Final = re.compile(r"[ \t\r\n\f\v]*")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_QUOTED_NAME: Final = re.compile(r'"([^"]+(?:""[^"]*)*|(?:""[^"]*)+)"')
_STRING: Final = re.compile(r"'([^']*(?:''[^']*)*)'")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.])")
_SYMBOL: Final = re.compile(r"[=!<>~@#%^&|?*+/]+")

_ONE: Final = "A filter is exactly one condition; give several as several filters of the list."
# What people, or those who mean ill, write where a condition has ended or a value should stand.
_TELLING: Final = (
    (";", "a filter is no statement, `;` has no place in it", _ONE),
    ("--", "a filter has no comments", "Take the comment out, or put the text in quotes."),
    ("/*", "a filter has no comments", "Take the comment out, or put the text in quotes."),
    ("$", "dollar quotes are not known here", "Quote text as 'it''s'."),
    ("(", "functions, sub-queries and parentheses are not known here", _ONE),
    (".", "a column is named without its table", "Write the column's name alone."),
)


def refusal(message: str, remedy: str | None) -> ConfigurationError:
    """The error of every filter that is not one."""
    return ConfigurationError(message, remedy=remedy, code="FILTER_INVALID")


class Scanner:
    """Reads one filter string from the left. Every method skips white space first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._before = 0

    def column(self) -> str:
        """A name: folded to lower case as in SQL, unless it is in double quotes."""
        quoted = self._take(_QUOTED_NAME)
        if quoted is not None:
            return quoted[1].replace('""', '"')
        name = self._take(_NAME)
        if name is None:
            raise self.refused("a column's name is expected here", "Begin with the column, e.g. amount > 5.")
        return folded(name[0])

    def symbol(self) -> str:
        """An operator made of signs; empty when there is none."""
        found = self._take(_SYMBOL)
        return found[0] if found else ""

    def word(self) -> str:
        """A key word in capitals; empty when there is none."""
        found = self._take(_NAME)
        return found[0].upper() if found else ""

    def value(self) -> str:
        """A string in single quotes, a number, TRUE or FALSE, as text."""
        string = self._take(_STRING)
        if string is not None:
            return string[1].replace("''", "'")
        number = self._take(_NUMBER)
        if number is not None:
            return number[0]
        word = self.word()
        if word in {"TRUE", "FALSE"}:
            return word.lower()
        self.back()
        if word == "NULL":
            raise self.refused("NULL is no value to compare with", "Use IS NULL or IS NOT NULL.")
        raise self.refused("a value is expected here", "Write a number, TRUE, FALSE, or text as 'it''s'.")

    def back(self) -> None:
        """Goes back before the name, word or sign that was read last."""
        self._at = self._before

    def accept(self, sign: str) -> bool:
        self._skip()
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def expect(self, sign: str, wanted: str) -> None:
        if not self.accept(sign):
            raise self.refused(f"{wanted} is expected here", "Write e.g. IN ('a', 'b').")

    def end(self) -> None:
        """Raises ConfigurationError unless everything was read."""
        self._skip()
        if self._at < len(self._text):
            raise self.refused("the condition should end here", _ONE)

    def refused(self, message: str, remedy: str) -> ConfigurationError:
        """The error at the place that was reached; what plainly stands there names the cause better."""
        self._skip()
        for sign, telling, instead in _TELLING:
            if self._text.startswith(sign, self._at):
                message, remedy = telling, instead
                break
        return refusal(f"character {self._at + 1}: {message}", remedy)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        self._before = self._at
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
