"""The sample that `rosetta up` replicates: a small shop whose rows change all the time."""

from typing import Final

SCHEMA: Final = "shop"
TABLES: Final = (
    "shop.customers",
    "shop.products",
    "shop.orders",
    "shop.order_lines",
    "shop.page_views",
    "shop.clock",
)
