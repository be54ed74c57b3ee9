"""`python -m compute.bench`. Each contender's process imports this module, too, so it is next to nothing."""

from __future__ import annotations

if __name__ == "__main__":
    from compute.bench.run import main

    main()
