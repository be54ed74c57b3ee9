"""Shapes of tables and the logical types of their columns."""

from rosetta.types.schema import Column, TableSchema, UserType

__all__ = ["Column", "TableSchema", "UserType"]
