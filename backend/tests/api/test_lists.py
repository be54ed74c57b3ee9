"""Every list: limit, offset, sort, filters, total."""

from __future__ import annotations

import httpx
import pytest
from app.domain.schemas.pipeline import PipelineView
from fastapi import FastAPI
from tests.clients import API, Sql, counted


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


@pytest.mark.usefixtures("many")
async def test_a_page_says_of_each_row_what_the_row_alone_says(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql
) -> None:
    """The database makes the texts of long lists: the same, and in as many statements for one row as for all."""
    sql("INSERT INTO tags (name) VALUES ('b'), ('a')")
    sql(
        "INSERT INTO table_syncs (pipeline_destination_id, table_name, columns, masks) SELECT id, 't', '[\"ä\"]',"
        ' \'{"x": "\\""}\' FROM pipeline_destinations WHERE id % 2 = 0'
    )
    sql("INSERT INTO table_sync_tags SELECT s.id, t.id FROM table_syncs s, tags t")
    sql(
        "UPDATE pipeline_metadata SET durable_lsn = '16/B374D848', lag_seconds = 0.1, last_success_time = now(),"
        " last_error = E'a \"quoted\"\\nline' WHERE pipeline_id = 2"
    )
    sql("UPDATE pipelines SET acknowledged_lsn = '0/A' WHERE id = 3")
    await admin.get(f"{API}/auth/me")  # which notes that the token is used, for a minute
    with counted(app) as of_one:
        await admin.get(f"{API}/pipelines", params={"limit": 1})
    with counted(app) as of_all:
        page = (await admin.get(f"{API}/pipelines")).json()
    assert len(of_all) == len(of_one)
    assert page["total"] == 9
    for item in page["items"]:
        alone = (await admin.get(f"{API}/pipelines/{item['id']}")).json()
        assert PipelineView.model_validate(item) == PipelineView.model_validate(alone)
        assert item.keys() == alone.keys()
        (join,) = item["destinations"]
        assert join.keys() == alone["destinations"][0].keys()
        tables = (await admin.get(f"{API}/pipelines/{item['id']}/destinations/{join['destination_id']}/tables")).json()
        assert tables["items"] == join["table_syncs"]
        assert [sync["tags"] for sync in join["table_syncs"]] in ([], [["a", "b"]])
