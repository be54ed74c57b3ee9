"""What must be true of a source and a target before a pipeline can work: facts by SQL, findings by pure functions."""

from rosetta.preflight.finding import Finding, Level
from rosetta.preflight.source import check_source
from rosetta.preflight.source_facts import source_facts_sql
from rosetta.preflight.target import check_target, target_facts_sql

__all__ = ["Finding", "Level", "check_source", "check_target", "source_facts_sql", "target_facts_sql"]
