"""Ends with a message when the Python that runs it cannot run Haulier. Written for any Python, also an old one."""

import sys

NEEDED = (3, 11)

if sys.version_info[:2] < NEEDED:
    sys.exit(
        "Haulier needs Python %d.%d or newer; %s is Python %d.%d. "
        "Name another one: make setup PYTHON=python3.13" % (NEEDED + (sys.executable,) + tuple(sys.version_info[:2]))
    )

try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError as error:
    sys.exit(
        "%s cannot make virtual environments (%s). "
        "Some systems keep that in a package of its own, often called python3-venv." % (sys.executable, error)
    )
