"""Ends with a message when the Python that runs it cannot run Haulier. Any Python 3 reads it."""

import sys

NEEDED = (3, 11)

if sys.version_info[:2] < NEEDED:
    wanted, found = (".".join(map(str, version[:2])) for version in (NEEDED, sys.version_info))
    sys.exit(
        f"Haulier needs Python {wanted} or newer; {sys.executable} is Python {found}. "
        "Name another one: make setup PYTHON=python3.13"
    )

try:
    import ensurepip
    import venv
except ImportError as error:
    sys.exit(
        f"{sys.executable} cannot make virtual environments ({error}). "
        "Some systems keep that in a package of its own, often called python3-venv."
    )
