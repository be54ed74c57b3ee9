"""The same as `swift.py` and a part of `tables.py` in C, where a compiler or a built library is at hand."""
