"""What has arrived in the sample's target, and how far behind it is: measured in the target itself."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import psycopg2

from rosetta.local.demo import TABLES


@dataclass(frozen=True, slots=True)
class Arrived:
    """One look at the target; `lag_seconds` is the age of the newest tick there, None before the first."""

    rows: int
    lag_seconds: float | None


def look(url: str) -> Arrived | None:
    """Counts the sample's rows in the target; None while the target cannot be reached."""
    try:
        with closing(psycopg2.connect(url, connect_timeout=2)) as session, session.cursor() as cursor:
            cursor.execute("SELECT name FROM unnest(%s) AS name WHERE to_regclass(name) IS NOT NULL", (list(TABLES),))
            there = [str(name) for (name,) in cursor.fetchall()]
            counts = " + ".join(f"(SELECT count(*) FROM {name})" for name in there) or "0"
            age = "(SELECT extract(epoch FROM clock_timestamp() - max(at)) FROM shop.clock)"
            cursor.execute(f"SELECT {counts}, {age if 'shop.clock' in there else 'NULL'}")
            row = cursor.fetchone()
    except psycopg2.Error:
        return None
    if row is None:
        return None
    return Arrived(int(row[0]), None if row[1] is None else max(0.0, float(row[1])))
