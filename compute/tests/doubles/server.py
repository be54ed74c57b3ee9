"""Snowflake's SQL for tests: fakesnow behind a gate that verifies key-pair tokens; run by its own environment.

    python server.py PORT USERS_FILE

USERS_FILE holds `{"ACCOUNT.USER": ["-----BEGIN PUBLIC KEY-----...", ...]}`. What fakesnow cannot do and the destination
needs is mended here: MERGE as DuckDB's own (with functions, and inside a transaction), errors of the emulator as replies
that the connector does not repeat for minutes, sessions that end with their transaction undone.
"""

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import sys
import time

import duckdb
import fakesnow.cursor as cursors
import fakesnow.server as emulator
import fakesnow.transforms as transforms
import jwt
import snowflake.connector.errors
import uvicorn
from cryptography.hazmat.primitives import serialization
from fakesnow.transforms import stage
from sqlglot import exp, parse_one
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

USERS: dict[str, list[str]] = {}
# Statements that are to fail: [regular expression, code, SQLSTATE, message, how often]
FAULTS: list[list] = []
STATEMENTS: list[str] = []
_execute = cursors.FakeSnowflakeCursor._execute
_command = cursors.FakeSnowflakeCursor.execute


def execute(self, transformed, params=None):
    """MERGE runs as DuckDB's own and answers how many rows it touched; values that do not fit are SQL errors."""
    try:
        if isinstance(transformed, exp.Merge):
            self._duck_conn.execute(transformed.sql(dialect="duckdb"), params)
            (count,) = self._duck_conn.fetchone()
            transformed = parse_one(f'SELECT {count} AS "number of rows inserted"', read="duckdb")
            params = None
        return _execute(self, transformed.transform(_big_endian), params)
    except duckdb.CatalogException as error:
        raise snowflake.connector.errors.ProgrammingError(msg=_first(error), errno=2003, sqlstate="42S02") from error
    except duckdb.ConstraintException as error:
        raise snowflake.connector.errors.ProgrammingError(msg=_first(error), errno=100072, sqlstate="22000") from error
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
        raise snowflake.connector.errors.ProgrammingError(msg=_first(error), errno=100038, sqlstate="22018") from error


def _big_endian(node):
    """The lower half of an MD5 as a number, of which the emulator's database knows another order of bytes."""
    if isinstance(node, exp.MD5NumberLower64):
        return parse_one(f"CAST('0x' || SUBSTR(MD5({node.this.sql('duckdb')}), 17) AS UBIGINT)", read="duckdb")
    return node


def _first(error: Exception) -> str:
    return str(error).split("\n")[0]


def command(self, text, *args, **kwargs):
    """REMOVE, which the emulator does not know, removes files of a stage."""
    removed = re.fullmatch(r'REMOVE @"([^"]+)"."([^"]+)"/(.*)', text)
    if removed:
        folder = os.path.join(stage.LOCAL_BUCKET_PATH, self._conn.database, *removed.groups())
        shutil.rmtree(folder, ignore_errors=True)
        text = "SELECT 'removed' AS RESULT"
    return _command(self, text, *args, **kwargs)


cursors.FakeSnowflakeCursor._execute = execute
cursors.FakeSnowflakeCursor.execute = command
transforms.merge = lambda expression: [expression]


def refusal(code: str, state: str, message: str) -> JSONResponse:
    return JSONResponse(
        {"data": {"errorCode": code, "sqlState": state}, "code": code, "message": message, "success": False}
    )


async def body_of(request: Request) -> dict:
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)


async def login(request: Request) -> Response:
    data = (await body_of(request))["data"]
    fault = _token_fault(data)
    if fault is not None:
        return refusal(fault[0], "08001", fault[1])
    return await emulator.login_request(request)


def _token_fault(data: dict) -> tuple[str, str] | None:
    if data.get("AUTHENTICATOR") != "SNOWFLAKE_JWT":
        return "390144", "JWT token is invalid."
    subject = f"{data['ACCOUNT_NAME'].upper()}.{data['LOGIN_NAME'].upper()}"
    for text in USERS.get(subject, []):
        key = serialization.load_pem_public_key(text.encode())
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
        try:
            claims = jwt.decode(data["TOKEN"], key, algorithms=["RS256"], options={"require": ["exp", "iat"]})
        except jwt.PyJWTError:
            continue
        if claims["sub"] == subject and claims["iss"] == f"{subject}.{fingerprint}":
            return None
    return "390144", "JWT token is invalid."


async def query(request: Request) -> Response:
    statement = (await body_of(request))["sqlText"]
    STATEMENTS.append(statement)
    for fault in FAULTS:
        if fault[4] > 0 and re.search(fault[0], statement):
            fault[4] -= 1
            if fault[1] == "session":
                _end(emulator.to_token(request))
            elif fault[1] == "after":
                await _answered(request)
                return refusal("000604", "57014", "the answer was lost")
            else:
                return refusal(*fault[1:4])
    return await _answered(request)


async def _answered(request: Request) -> Response:
    try:
        if emulator.to_token(request) not in emulator.sessions:
            return refusal("390111", "08003", "Session no longer exists. New login required to access the service.")
    except emulator.ServerError:
        return refusal("390103", "08003", "Session token not found in the request data.")
    response = await emulator.query_request(request)
    if response.status_code >= 500:  # the connector would repeat it until its patience is over
        return refusal("300005", "XX000", "SQL execution internal error: " + json.loads(response.body)["message"][:2000])
    return response


async def session(request: Request) -> Response:
    if request.query_params.get("delete"):
        _end(emulator.to_token(request))
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})
    return await emulator.session(request)


def _end(token: str) -> None:
    """Ends a session; what it had not committed is undone."""
    connection = emulator.sessions.pop(token, None)
    if connection is not None:
        try:
            connection._duck_conn.rollback()
        except duckdb.Error:
            pass  # no transaction was open


async def control(request: Request) -> Response:
    """For tests: faults to come, sessions to end, the statements so far."""
    asked = json.loads(await request.body())
    FAULTS[:] = asked.get("faults", FAULTS)
    USERS.update(asked.get("users", {}))
    if asked.get("end_sessions"):
        for token in list(emulator.sessions):
            _end(token)
    statements = list(STATEMENTS)
    if asked.get("forget"):
        STATEMENTS.clear()
    return JSONResponse({"statements": statements, "now": time.time()})


app = Starlette(
    routes=[
        Route("/control", control, methods=["POST"]),
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/queries/v1/query-request", query, methods=["POST"]),
        Route("/session", session, methods=["POST"]),
        Mount("/", emulator.app),
    ]
)

if __name__ == "__main__":
    with open(sys.argv[2]) as file:
        USERS.update(json.load(file))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
