"""Dates and times a person writes, in the form that PostgreSQL prints under `EXACT_TEXT_SETTINGS`.

Only what means one instant for ever: ISO 8601 with years of four digits or more, `BC`, and the infinities. Words such
as `now` or `today` would mean another row set every day.
"""

from __future__ import annotations

import re
from typing import Final

_DATE: Final = r"(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
_ZONE: Final = (
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<zone_hour>\d\d)(?::?(?P<zone_minute>\d\d)(?::(?P<zone_second>\d\d))?)?)"
)
_BC: Final = r"(?P<bc> BC)?"
_DATE_ONLY: Final = re.compile(f"{_DATE}{_BC}", re.ASCII)
_TIME_ONLY: Final = re.compile(_TIME, re.ASCII)
_INSTANT: Final = re.compile(f"{_DATE}(?:[ Tt]{_TIME} ?{_ZONE}?)?{_BC}", re.ASCII)

_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY: Final = 86_400_000_000
_SECOND: Final = 1_000_000
_INFINITIES: Final = frozenset({"infinity", "-infinity"})


def date_text(text: str) -> str | None:
    """A date as PostgreSQL prints it; None when `text` is none."""
    if text.lower() in _INFINITIES:
        return text.lower()
    match = _DATE_ONLY.fullmatch(text)
    day = _day(match) if match else None
    return None if day is None or not _FIRST_DAY <= day <= _LAST_DATE else _date(day)


def time_text(text: str) -> str | None:
    """A time of day as PostgreSQL prints it; None when `text` is none. The day may end with 24:00:00."""
    match = _TIME_ONLY.fullmatch(text)
    instant = _of_day(match) if match else None
    return None if instant is None or instant > _DAY else _time(instant)


def timestamp_text(text: str, *, zoned: bool) -> str | None:
    """A timestamp as PostgreSQL prints it; None when `text` is none. A date alone is its midnight.

    `zoned`: with time zone: without one it is UTC's. A timestamp without time zone may not name one.
    """
    if text.lower() in _INFINITIES:
        return text.lower()
    match = _INSTANT.fullmatch(text)
    if match is None or (match["zone"] and not zoned):
        return None
    day, instant, offset = _day(match), _of_day(match) if match["hour"] else 0, _offset(match)
    if day is None or instant is None or instant >= _DAY or offset is None:
        return None
    day, instant = divmod(day * _DAY + instant - offset, _DAY)
    if not _FIRST_DAY <= day <= _LAST_TIMESTAMP:
        return None
    return f"{_date(day, bc=False)} {_time(instant)}{'+00' if zoned else ''}{' BC' if day < _FIRST_AD else ''}"


def _day(match: re.Match[str]) -> int | None:
    """The day's number; 0 is 0000-03-01 of the proleptic Gregorian calendar. None when there is no such day."""
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if not year or not 1 <= month <= 12:
        return None
    year = 1 - year if match["bc"] else year
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _number(year, month, day) if 1 <= day <= _MONTH_DAYS[month - 1] + leap else None


def _number(year: int, month: int, day: int) -> int:
    year -= month < 3  # years begin in March, so that the leap day ends one
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1


def _date(number: int, *, bc: bool = True) -> str:
    era, of_era = divmod(number, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    year, month = era * 400 + year + (month >= 10), (month + 2) % 12 + 1
    if year > 0:
        return f"{year:04d}-{month:02d}-{day:02d}"
    return f"{1 - year:04d}-{month:02d}-{day:02d}{' BC' if bc else ''}"


_FIRST_AD: Final = _number(1, 1, 1)
_FIRST_DAY: Final = _number(-4713, 11, 24)
_LAST_DATE: Final = _number(5_874_897, 12, 31)
_LAST_TIMESTAMP: Final = _number(294_276, 12, 31)


def _of_day(match: re.Match[str]) -> int | None:
    """Microseconds since midnight; None when there is no such time."""
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 24 or minute > 59 or second > 59:
        return None
    return ((hour * 60 + minute) * 60 + second) * _SECOND + int((match["fraction"] or "").ljust(6, "0"))


def _time(instant: int) -> str:
    seconds, fraction = divmod(instant, _SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _offset(match: re.Match[str]) -> int | None:
    """Microseconds that the zone is ahead of UTC; None when there is no such zone."""
    if not match["sign"]:
        return 0
    hour, minute, second = (int(match[name] or 0) for name in ("zone_hour", "zone_minute", "zone_second"))
    if hour > 15 or minute > 59 or second > 59:
        return None
    offset = ((hour * 60 + minute) * 60 + second) * _SECOND
    return -offset if match["sign"] == "-" else offset
