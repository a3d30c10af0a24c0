"""Dates as HTTP writes them."""

from __future__ import annotations

from datetime import datetime

__all__ = ["date_of"]


def date_of(text: str) -> datetime:
    """The moment that a date names (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7).

    Raises ValueError, TypeError or OverflowError where it is none.
    """
    # Here, as few answers are asked for a date, and the import brings sockets and character sets into every start.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    return parsedate_to_datetime(text)
