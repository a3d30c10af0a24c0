"""Records of any kind, as the planner hands them to encoders, and the real ones of HAULIER_TEST_DATA."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from msgspec import Raw

from haulier.errors import RecordError
from haulier.model.block import Block
from haulier.model.parts import ContentEncoder
from haulier.pipeline.attributes import decode

needs_real_data = pytest.mark.skipif(
    "HAULIER_TEST_DATA" not in os.environ, reason="HAULIER_TEST_DATA is not set"
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | texts
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(texts, values, max_size=5)


def members(record: Any) -> dict[str, Raw]:
    """A record as the shallow way reads it."""
    items, faults = decode(Block(first=0, lines=[json.dumps(record).encode()]), "shallow")
    assert faults == {}
    found: dict[str, Raw] = items[0]
    return found


def data_of(encoder: ContentEncoder, payload: Any, **settings: Any) -> bytes:
    """The body of a payload, which must be bytes."""
    (data,) = encoder.encode(payload, encoder.settings(**settings)).parts
    assert isinstance(data, bytes)
    return data


def refusal_of(encoder: ContentEncoder, payload: Any, **settings: Any) -> str:
    with pytest.raises(RecordError) as refused:
        encoder.encode(payload, encoder.settings(**settings))
    return str(refused.value)


def real_records(name: str, most: int = 500) -> list[dict[str, Any]]:
    """The first records of a real file, as Python reads them."""
    path = Path(os.environ["HAULIER_TEST_DATA"]) / name
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [dict(row) for row, _ in zip(csv.DictReader(file), range(most), strict=False)]
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line, _ in zip(file, range(most), strict=False)]
