"""Snowflake destinations through Snowflake's connector."""

from app.infrastructure.snowflake.credits import SnowflakeCredits
from app.infrastructure.snowflake.session import SnowflakeSessions
from app.infrastructure.snowflake.target import SnowflakeTarget

__all__ = ["SnowflakeCredits", "SnowflakeSessions", "SnowflakeTarget"]
