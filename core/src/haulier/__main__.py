"""`python -m haulier`: the command line."""

from __future__ import annotations

from haulier.cli import main

if __name__ == "__main__":
    main()
