"""The API's description as one plain page: no script and no asset from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from app.api.access import requires
from rosetta.enums import Role

router = APIRouter(include_in_schema=False)

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2330}"
    "code,summary{font-family:ui-monospace,monospace}details{border-top:1px solid #d5dae2;padding:.5rem 0}"
    "summary{cursor:pointer}pre{background:#f4f6f9;padding:.75rem;overflow:auto}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


@router.get("/openapi.json")
@requires(Role.VIEWER)
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/docs")
@requires(Role.VIEWER)
async def docs(request: Request) -> HTMLResponse:
    return _page(request.app.openapi())


@router.get("/redoc")
@requires(Role.VIEWER)
async def redoc(request: Request) -> HTMLResponse:
    return _page(request.app.openapi())


def _page(description: dict[str, Any]) -> HTMLResponse:
    title = escape(description["info"]["title"])
    routes = "".join(_routes(description["paths"]))
    schemas = "".join(_schemas(description["components"]["schemas"]))
    body = f"<h1>{title}</h1><h2>Routes</h2>{routes}<h2>Bodies and answers</h2>{schemas}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    page = f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


def _routes(paths: dict[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            text = escape(operation.get("description", operation["summary"]))
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            takes = "".join(_parameters(operation)) + (f"<p>Body: {_shape(body)}</p>" if body else "")
            yield f"<details><summary>{method.upper()} {escape(path)}</summary><p>{text}</p>{takes}</details>"


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", []):
        named = f"{parameter['in']} <code>{escape(parameter['name'])}</code>"
        yield f"<p>{named}: {_shape(parameter['schema'])} {escape(parameter.get('description', ''))}</p>"


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        fields = "".join(
            f"<p><code>{escape(field)}</code>: {_shape(shape)} {escape(shape.get('description', ''))}</p>"
            for field, shape in schema.get("properties", {}).items()
        )
        text = escape(schema.get("description", ""))
        anchor = escape(name, quote=True)
        yield f'<details id="{anchor}"><summary>{escape(name)}</summary><p>{text}</p>{fields}</details>'


def _shape(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to named ones."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2], quote=True)
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_shape(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    return escape(str(schema.get("enum", schema.get("type", "anything"))))
