"""The content formats that core brings. Whoever encodes in one of them need not import the others."""

from __future__ import annotations

from haulier.model.parts import ContentEncoder
from haulier.pipeline.encoding.csv import CSV
from haulier.pipeline.encoding.form import FORM
from haulier.pipeline.encoding.json import JSON
from haulier.pipeline.encoding.multipart import MULTIPART
from haulier.pipeline.encoding.ndjson import NDJSON
from haulier.pipeline.encoding.none import NONE
from haulier.pipeline.encoding.raw import BYTES
from haulier.pipeline.encoding.text import TEXT
from haulier.pipeline.encoding.xml import XML

__all__ = ["encoders"]


def encoders() -> tuple[ContentEncoder, ...]:
    """The content encoders of the core, sorted by name."""
    known = (BYTES, CSV, FORM, JSON, MULTIPART, NDJSON, NONE, TEXT, XML)
    return tuple(sorted(known, key=lambda encoder: encoder.name))
