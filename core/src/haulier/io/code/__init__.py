"""Code that people write: run in a sandbox, or, where they trust it twice, in this very process."""

from __future__ import annotations

from haulier.io.code.room import CodeRoom

__all__ = ["CodeRoom"]
