"""The embedded stack: PostgreSQL and Valkey from wheels, started as ordinary processes, for `rosetta up` and the tests."""
