"""Dates as HTTP writes them."""

from __future__ import annotations

from datetime import UTC

__all__ = ["moment_of"]


def moment_of(text: str | None) -> float | None:
    """The moment that a date names, in seconds since 1970; None where it is none.

    One without a zone is of UTC (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7).
    """
    if not text:
        return None
    # Here, as few answers are asked for a date, and the import brings sockets and character sets into every start.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, TypeError, ValueError):
        return None
