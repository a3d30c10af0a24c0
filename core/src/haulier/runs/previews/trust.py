"""The second word that code needs to leave the sandbox: the person at the keyboard's, beside the destination's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["code_is_trusted", "trusting_code"]

_trusted: ContextVar[bool] = ContextVar("haulier_code_is_trusted", default=False)


@contextmanager
def trusting_code() -> Iterator[None]:
    """Within it, destinations that say `runner: trusted` have their code run in this very process, with all it can do.

    It holds for calls made in the same thread or task. Destinations that do not say so keep to their sandbox.
    """
    token = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(token)


def code_is_trusted() -> bool:
    """Whether that was said here."""
    return _trusted.get()
