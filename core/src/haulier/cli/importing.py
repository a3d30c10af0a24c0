"""What commands import when they run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["importing"]


@contextmanager
def importing() -> Iterator[None]:
    """Import within: what that makes stays until the process ends, so no look for cycles goes through it, now or later.

    A command's imports make 50,000 objects, and looking through them again and again takes a twentieth of a preview.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
