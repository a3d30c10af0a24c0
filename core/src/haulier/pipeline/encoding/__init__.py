"""Payload -> body: one module per content format, each ending in the encoder it registers.

Pure: files are named in a body, never read. A new format is one module, and its name in `encoders`.
"""

from __future__ import annotations

from haulier.model.parts import ContentEncoder
from haulier.pipeline.encoding.body import digest_of, length_of
from haulier.pipeline.encoding.form import FORM
from haulier.pipeline.encoding.json import JSON
from haulier.pipeline.encoding.multipart import MULTIPART
from haulier.pipeline.encoding.none import NONE

__all__ = ["digest_of", "encoders", "length_of"]


def encoders() -> tuple[ContentEncoder, ...]:
    """The content encoders of the core, sorted by name."""
    return tuple(sorted((FORM, JSON, MULTIPART, NONE), key=lambda encoder: encoder.name))
