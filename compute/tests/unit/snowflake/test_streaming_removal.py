"""What a pipeline streamed is forgotten when it leaves, so that one that comes back does not begin behind its slot."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from compute.destinations.snowflake.streaming.removal import remove_progress
from compute.tests.support.streaming_server import ServedChannel, serving
from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.errors import OutageError
from rosetta.snowflake import SnowflakeEndpoint

KEY = SigningKey(rsa.generate_private_key(65537, 2048))
PIPE = "databases/LANDING/schemas/_ROSETTA/pipes/STREAMED-STREAMING"


def test_the_channel_of_progress_goes_and_only_that() -> None:
    with serving(KEY, "org-acct", "loader") as server:
        server.channels = {(PIPE, name): ServedChannel() for name in ("rosetta_1_2", "rosetta_1_3")}
        endpoint = SnowflakeEndpoint(
            "org-acct", "loader", "LANDING", "S", KEY, host=server.host, port=server.port, scheme="http"
        )
        for _ in range(2):  # safe to do again
            remove_progress(endpoint, 1, 2)
        assert set(server.channels) == {(PIPE, "rosetta_1_3")}
        server.key = SigningKey(rsa.generate_private_key(65537, 2048))
        with pytest.raises(OutageError):
            remove_progress(endpoint, 1, 3)
        assert set(server.channels) == {(PIPE, "rosetta_1_3")}
