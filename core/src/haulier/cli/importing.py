"""What commands import when they run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from haulier.runs.sittings.importing import look_for_pydantics_plugins_by

__all__ = ["importing"]


@contextmanager
def importing() -> Iterator[None]:
    """Import within: what that makes stays until the process ends, so no look for cycles goes through it, now or later.

    A command's imports make 50,000 objects, and looking through them again and again takes a twentieth of a preview.
    pydantic's own plugins are left out: they serve the author of a program, and nobody at a command line.
    """
    look_for_pydantics_plugins_by(tuple)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
