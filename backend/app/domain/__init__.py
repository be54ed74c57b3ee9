"""What Rosetta's API is about, free of HTTP and of drivers: services -> repositories -> models."""
