"""Every list: limit, offset, sort, filters, total."""

from __future__ import annotations

import httpx
import pytest
from tests.clients import API, Sql


@pytest.fixture
def many(sql: Sql) -> None:
    sql(
        "INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name)"
        " SELECT 's' || lpad(n::text, 2, '0'), 'h', 'd' || n % 3, 'u', 'p' FROM generate_series(1, 25) n"
    )
    sql(
        "INSERT INTO destinations (name, type, config) SELECT 'd' || n, CASE n % 2 WHEN 0 THEN 'POSTGRESQL'"
        " ELSE 'SNOWFLAKE' END, '{}' FROM generate_series(1, 5) n"
    )
    sql(
        "INSERT INTO pipelines (name, source_id, destination_id, status) SELECT 'p' || n, n, 1 + n % 2,"
        " CASE n % 3 WHEN 0 THEN 'START' ELSE 'PAUSE' END FROM generate_series(1, 9) n"
    )


@pytest.mark.usefixtures("many")
async def test_pages_cover_everything_once(admin: httpx.AsyncClient) -> None:
    seen: list[str] = []
    for offset in range(0, 30, 10):
        page = (await admin.get(f"{API}/sources", params={"limit": 10, "offset": offset})).json()
        assert (page["total"], page["limit"], page["offset"]) == (25, 10, offset)
        seen += [item["name"] for item in page["items"]]
    assert seen == [f"s{n:02}" for n in range(1, 26)]
    beyond = (await admin.get(f"{API}/sources", params={"offset": 1000})).json()
    assert (beyond["items"], beyond["total"]) == ([], 25)


@pytest.mark.usefixtures("many")
async def test_sorting_is_total_also_where_values_repeat(admin: httpx.AsyncClient) -> None:
    down = (await admin.get(f"{API}/sources", params={"sort": "-name", "limit": 3})).json()["items"]
    assert [item["name"] for item in down] == ["s25", "s24", "s23"]
    by_database = (await admin.get(f"{API}/sources", params={"sort": "-pg_database"})).json()["items"]
    order = [(item["pg_database"], item["id"]) for item in by_database]
    assert order == sorted(order, key=lambda pair: (-int(pair[0][1:]), pair[1]))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("path", "filters", "total"),
    [
        ("sources", {"name": "S2"}, 6),
        ("sources", {"name": "%"}, 0),
        ("sources", {"name": "_"}, 0),
        ("destinations", {"type": "SNOWFLAKE"}, 3),
        ("destinations", {"type": "POSTGRESQL", "name": "4"}, 1),
        ("pipelines", {"status": "START"}, 3),
        ("pipelines", {"source_id": 4}, 1),
        ("pipelines", {"destination_id": 1}, 4),
        ("pipelines", {"destination_id": 1, "status": "START"}, 1),
        ("tokens", {"role": "admin"}, 1),
    ],
)
async def test_filters(admin: httpx.AsyncClient, path: str, filters: dict[str, str | int], total: int) -> None:
    page = (await admin.get(f"{API}/{path}", params=filters)).json()
    assert page["total"] == total
    assert len(page["items"]) == total


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": "x"},
        {"offset": -1},
        {"offset": 2**63},
        {"sort": "pg_password"},
        {"sort": "--name"},
        {"sort": "name; DROP TABLE sources"},
        {"name": "a\0b"},
        {"page": 2},
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    admin: httpx.AsyncClient, params: dict[str, str | int]
) -> None:
    answer = await admin.get(f"{API}/sources", params=params)
    assert answer.status_code == 422
    assert answer.json()["remedy"]
