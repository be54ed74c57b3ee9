"""The faults, in files by what is broken. Each enters itself into `matrix.FAULTS`."""
