"""errors.md: the tree of errors, what each means, and how the command line ends with it."""

from __future__ import annotations

import inspect
import re

from haulier import errors
from reference.markdown import code, docstring, page, table

__all__ = ["errors_page"]

_INTRO = """\
Everything that Haulier raises on purpose derives from `HaulierError`. The classes are grouped by what the reader can
do. They are imported from `haulier`."""
_EXIT = {
    "ConfigurationError": "2",
    "DestinationError": "2",
    "CredentialError": "2",
    "ExpressionError": "2",
    "PluginError": "2",
    "InputError": "2 before a run begins, 3 in the middle of one",
    "LedgerError": "2 before a run begins, 3 in the middle of one",
    "RecordError": "none by itself: the record is rejected, the others go on",
    "OutputBusy": "3 where an output takes nothing until its patience ends",
    "TransportError": "3 where no run is there to try again (`haulier test`)",
    "RunStopped": "3",
}
_FILE = "core/src/haulier/errors.py"


def errors_page() -> str:
    """The page."""
    text = inspect.getdoc(errors) or ""
    tree = re.search(r"(?m)^    HaulierError\n(?:    .*\n)+", text)
    assert tree is not None, f"{_FILE} draws no tree"
    rows = [
        (f"`{name}`", docstring(getattr(errors, name)), _EXIT.get(name, "2"))
        for name in errors.__all__
        if name != "HaulierError"
    ]
    closing = text.rpartition("\n\n")[2]
    return page(
        "Errors",
        _INTRO,
        code(inspect.cleandoc(tree.group())),
        closing,
        "## Each class",
        table(("class", "meaning", "exit code of the command line"), rows),
        "All exit codes: see [troubleshooting](../troubleshooting.md#exit-codes).",
    )
