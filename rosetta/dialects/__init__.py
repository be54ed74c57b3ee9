"""Pure SQL text per database; no driver is imported here."""
