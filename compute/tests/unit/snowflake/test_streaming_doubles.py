"""The stand-in for Snowpipe Streaming is held to Snowflake's own client: both run against it, over TLS."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from compute.destinations.snowflake.streaming import rest as rest_module
from compute.destinations.snowflake.streaming.channel import Clock, Pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.stream import Part, Stream
from compute.tests.support.streaming_server import serving
from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.lsn import Lsn, StreamPosition
from rosetta.snowflake import SnowflakeEndpoint

REPOSITORY = Path(__file__).parents[4]


def test_snowflakes_own_client_and_ours_agree_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    trusted, certificate, key_file = tmp_path / "ca.pem", tmp_path / "server.pem", tmp_path / "rsa_key.p8"
    authority.cert_pem.write_to_path(str(trusted))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    key = SigningKey(rsa.generate_private_key(65537, 2048))
    key_file.write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with serving(key, "org-acct", "loader", certificate) as server:
        module = "compute.tests.support.official_streaming_client"
        arguments = [sys.executable, "-m", module, server.host, str(server.port), str(key_file), "25"]
        environment = {**os.environ, "SSL_CERT_FILE": str(trusted)}
        theirs = subprocess.run(
            arguments, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert "COMMITTED 24" in theirs.stdout, theirs.stdout[-2000:] + theirs.stderr[-2000:]
        assert [row["ID"] for row in server.rows("ORDERS")] == list(range(25))

        context = ssl.create_default_context()
        authority.configure_trust(context)
        monkeypatch.setattr(rest_module, "trust", lambda: context)
        endpoint = SnowflakeEndpoint("org-acct", "loader", "DB", "S", key, host=server.host, port=server.port)
        rest = StreamingRest(endpoint)
        seconds = iter(range(0, 1000, 5))
        clock = Clock(lambda: float(next(seconds)), lambda _: None)
        stream = Stream(rest, Pipe("DB", "S", "_ROSETTA_PROGRESS"), "rosetta_1_2", clock)
        stream.open(1)
        end = StreamPosition(Lsn(10))
        stream.write(end, [Part(1, Pipe("DB", "S", "ORDERS"), [b'{"ID":25}\n'])])
        assert [stream.durable_position() for _ in range(3)][-1] == end
        assert sorted(row["ID"] for row in server.rows("ORDERS")) == list(range(26))
        stream.close()
