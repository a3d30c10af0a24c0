"""Ends with a message when the Python that runs it cannot run Haulier. Any Python reads it, an old one too."""

import sys

NEEDED = (3, 11)

if sys.version_info[:2] < NEEDED:
    sys.exit(
        "Haulier needs Python {}.{} or newer; {} is Python {}.{}. "
        "Name another one: make setup PYTHON=python3.13".format(*NEEDED, sys.executable, *sys.version_info[:2])
    )

try:
    import ensurepip
    import venv
except ImportError as error:
    sys.exit(
        "{} cannot make virtual environments ({}). "
        "Some systems keep that in a package of its own, often called python3-venv.".format(sys.executable, error)
    )
