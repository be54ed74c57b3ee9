"""Configuration as code: a file that says which sources, destinations and pipelines there shall be."""

from rosetta.declaration.document import Document, load_document
from rosetta.declaration.export import export_document
from rosetta.declaration.plan import Action, Plan, make_plan

__all__ = ["Action", "Document", "Plan", "export_document", "load_document", "make_plan"]
