"""Settings of the compute service."""
