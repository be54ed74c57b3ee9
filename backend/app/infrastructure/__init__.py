"""Adapters behind the ports of app.domain.ports."""
