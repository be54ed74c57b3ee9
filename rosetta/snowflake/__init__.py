"""Snowflake as backend and compute meet it: where it is, how to sign in, and what its errors mean."""

from rosetta.snowflake.endpoint import SnowflakeEndpoint, check_account, host_of, key_of, snowflake_endpoint
from rosetta.snowflake.session import Patience, connect, translate_error

__all__ = [
    "Patience",
    "SnowflakeEndpoint",
    "check_account",
    "connect",
    "host_of",
    "key_of",
    "snowflake_endpoint",
    "translate_error",
]
