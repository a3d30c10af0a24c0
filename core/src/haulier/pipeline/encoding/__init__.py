"""Payload -> body: one module per content format, each ending in the encoder it registers.

Pure: files are named in a body, never read. A new format is one module, and its name in `formats.py`.
"""

from __future__ import annotations

from haulier.pipeline.encoding.body import Packed, digest_of, gzipped, length_of, packed

__all__ = ["Packed", "digest_of", "gzipped", "length_of", "packed"]
