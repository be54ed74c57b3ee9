"""Settings, database, logging, errors and secrets: what every layer of the backend may use."""
