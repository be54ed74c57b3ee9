"""The embedded stack: PostgreSQL and Valkey from wheels, as ordinary processes, for `rosetta up` and the tests."""
