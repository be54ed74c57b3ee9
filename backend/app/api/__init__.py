"""HTTP: thin routes, and the one place where everything is wired together (deps)."""
