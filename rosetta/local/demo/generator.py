"""Changes the sample's rows all the time: `python -m rosetta.local.demo.generator`.

Where the source is, libpq's own variables say (PGHOST, PGPORT, ...). Every tick is one transaction of a few
set-based statements. The tables stop growing after some minutes: as much is deleted as inserted.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import closing

import psycopg2
import psycopg2.extensions

TICK_SECONDS = 0.2
RETRY_SECONDS = 2.0
ORDERS_KEPT = 20_000
EVERY_TICK = """
    UPDATE shop.clock SET ticks = ticks + 1, at = clock_timestamp();
    INSERT INTO shop.orders (customer_id, total, note, delivery_in)
        SELECT 1 + floor(random() * 1000)::int, round((random() * 500)::numeric, 2),
               CASE WHEN random() < 0.8 THEN 'Ring twice' END, make_interval(hours => floor(random() * 72)::int)
        FROM generate_series(1, 1 + floor(random() * 5)::int);
    INSERT INTO shop.order_lines (order_id, line, sku, quantity, price)
        SELECT o.id, line, 'SKU-' || to_char(1 + (o.id * line) % 200, 'FM0000'), 1 + line, 9.99
        FROM (SELECT id FROM shop.orders ORDER BY id DESC LIMIT 5) AS o, generate_series(1, 3) AS line
        ON CONFLICT DO NOTHING;
    UPDATE shop.orders SET status = CASE status WHEN 'placed' THEN 'paid' ELSE 'shipped' END::shop.order_status
        WHERE id IN (SELECT id FROM shop.orders WHERE status <> 'shipped' ORDER BY id LIMIT 4);
    INSERT INTO shop.page_views (customer_id, path, duration_ms)
        SELECT floor(random() * 1000)::int, '/products/' || floor(random() * 200)::int, random() * 1000
        FROM generate_series(1, 3)
"""
# The large description is not touched, so the stream does not carry it (unchanged TOAST).
NEW_PRICE = """
    UPDATE shop.products SET price = price + 0.01
        WHERE sku = (SELECT 'SKU-' || to_char(1 + floor(random() * 200), 'FM0000'))
"""
NEW_DESCRIPTION = """
    UPDATE shop.products SET description = (SELECT string_agg(md5(random()::text), ' ') FROM generate_series(1, 200))
        WHERE sku = (SELECT 'SKU-' || to_char(1 + floor(random() * 200), 'FM0000'))
"""
VISIT = """
    UPDATE shop.customers SET preferences = preferences || jsonb_build_object('visits', floor(random() * 99)),
           last_ip = CASE WHEN last_ip IS NULL THEN inet '192.0.2.1' END
        WHERE id = (SELECT 1 + floor(random() * 1000)::int)
"""
DELETE_ORDERS = f"""
    DELETE FROM shop.orders WHERE id = (SELECT min(id) FROM shop.orders)
                               OR id <= (SELECT max(id) - {ORDERS_KEPT} FROM shop.orders)
"""
DELETE_VIEWS = "DELETE FROM shop.page_views WHERE seen_at < clock_timestamp() - interval '10 minutes'"
# How many ticks lie between two of each.
NOW_AND_THEN = ((3, NEW_PRICE), (10, VISIT), (15, NEW_DESCRIPTION), (25, DELETE_ORDERS), (50, DELETE_VIEWS))

logger = logging.getLogger("rosetta.demo")


def tick(session: psycopg2.extensions.connection, number: int) -> None:
    """One transaction of changes. Raises psycopg2.OperationalError when the source is away."""
    with session, session.cursor() as cursor:
        cursor.execute(EVERY_TICK)
        for period, statement in NOW_AND_THEN:
            if number % period == 0:
                cursor.execute(statement)


def run() -> None:
    """Ticks until the process is ended; waits for the source when it is away."""
    number = 0
    while True:
        try:
            with closing(psycopg2.connect("", connect_timeout=5)) as session:
                while True:
                    number += 1
                    tick(session, number)
                    time.sleep(TICK_SECONDS)
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            logger.warning("the source is away (%s); trying again", type(error).__name__)
            time.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    run()
