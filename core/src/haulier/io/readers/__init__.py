"""The readers: whatever the input is, blocks of records come out. They open only the input that was named."""

from __future__ import annotations

from haulier.io.readers.choose import open_records, reader_types
from haulier.io.readers.doors import SourceDoors
from haulier.io.readers.source import QuickFingerprint, quick_fingerprint

__all__ = ["QuickFingerprint", "SourceDoors", "open_records", "quick_fingerprint", "reader_types"]
