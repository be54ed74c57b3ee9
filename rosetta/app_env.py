"""What a service runs for."""

from enum import StrEnum


class AppEnv(StrEnum):
    """`APP_ENV`: production accepts no secret of an example, test alone lets bugs be planted."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"
