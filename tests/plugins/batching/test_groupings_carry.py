"""Every grouping carries every record once, in order, and whole: read back by the standard library."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import haulier

EACH = "{% for record in records %}{{ record }}{% if not loop.last %},{% endif %}{% endfor %}"
GROUPINGS: dict[str, dict[str, Any]] = {
    "array": {"name": "array"},
    "property": {"name": "property", "property_name": "records", "other_props": {"": [None, {"é": 1}]}},
    "lines": {"name": "lines"},
    "code": {"name": "code", "code": "def build(records, context):\n    return {'records': records}\n"},
    "code in parts": {
        "name": "code",
        "code": "def build(records, context):\n    half = len(records) // 2\n    return "
        "[Payload(records[:half], records=list(range(half)))] * (half > 0) "
        "+ [Payload(records[half:], records=list(range(half, len(records))))]\n",
    },
    "template": {"name": "template", "template": f"[{EACH}]"},
}
BOUNDS: dict[str, dict[str, Any]] = {
    "by number": {"size": 3},
    "by bytes": {"size": 7, "max_bytes": 150},
    "by value": {"size": 3, "group_by": "k"},
}

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
integers = st.integers(-(2**127), 2**127 - 1) | st.sampled_from([0, 2**63, 2**64, -(2**64)])
values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
deep: Any = "bottom"
for _ in range(60):
    deep = {"in": [deep]}
records = st.dictionaries(texts | st.just("k"), values, max_size=4)


def planned(grouping: str, bounds: str, many: Iterable[dict[str, Any]]) -> list[tuple[list[int], list[Any]]]:
    """(positions, the records in its body) of each request of a plan, in order."""
    written = {
        "name": "d",
        "request": {"url": "http://127.0.0.1:9/"},
        "batching": {**BOUNDS[bounds], "grouping": GROUPINGS[grouping]},
    }
    shown = haulier.preview(written, list(many), n=1_000_000)
    assert shown.rejected == ()
    found = []
    for sample in shown.samples:
        assert isinstance(sample.body, bytes)
        assert (
            len(sample.body) <= BOUNDS[bounds].get("max_bytes", len(sample.body))
            or len(sample.positions) == 1
        )
        if grouping == "lines":
            carried = [json.loads(line) for line in sample.body.split(b"\n")[:-1]]
        else:
            body = json.loads(sample.body)
            carried = body["records"] if isinstance(body, dict) else body
        found.append((list(sample.positions), carried))
    return found


def same(carried: Any, sent: Any) -> bool:
    """Equal, and of one kind: 1, 1.0 and true are three values."""
    return repr(carried) == repr(sent)


def check(grouping: str, bounds: str, many: list[dict[str, Any]]) -> None:
    found = planned(grouping, bounds, many)
    for positions, carried in found:
        assert positions == sorted(positions)
        assert same(carried, [many[position] for position in positions])
    assert sorted(position for positions, _ in found for position in positions) == list(range(len(many)))
    if bounds != "by value":
        assert [position for positions, _ in found for position in positions] == list(range(len(many)))


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("grouping", [name for name in GROUPINGS if not name.startswith("code")])
@given(many=st.lists(records, min_size=1, max_size=9))
@example(
    many=[{}, {"": ""}, {"k": None}, {"k": {}}, {"k": deep}, {"k": 2**100}, {"k": "\u2028\x00\x7f\ud7ff"}]
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_record_is_lost_doubled_or_reordered(
    grouping: str, bounds: str, many: list[dict[str, Any]]
) -> None:
    check(grouping, bounds, many)


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("grouping", [name for name in GROUPINGS if name.startswith("code")])
@given(many=st.lists(records, min_size=1, max_size=9))
@example(
    many=[{}, {"": ""}, {"k": None}, {"k": {}}, {"k": deep}, {"k": 2**500}, {"k": "\u2028\x00\x7f\ud7ff"}]
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_code_loses_doubles_and_reorders_no_record(
    grouping: str, bounds: str, many: list[dict[str, Any]]
) -> None:
    """Fewer examples: each starts the processes of two sandboxes."""
    check(grouping, bounds, many)


DATA = os.environ.get("HAULIER_TEST_DATA")


@pytest.mark.skipif(DATA is None, reason="HAULIER_TEST_DATA names no folder of real data")
@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("name", ["movies.jsonl", "earthquakes.jsonl"])
def test_real_records_arrive_value_by_value(grouping: str, name: str) -> None:
    lines = (Path(DATA or "") / name).read_text(encoding="utf-8").splitlines()[:2_000]
    many = [json.loads(line) for line in lines]
    written = {
        "name": "d",
        "request": {"url": "http://127.0.0.1:9/"},
        "batching": {"size": 100, "max_bytes": 40_000, "grouping": GROUPINGS[grouping]},
    }
    shown = haulier.preview(written, [line.encode() for line in lines], n=1_000_000)
    assert (shown.refused, [at for sample in shown.samples for at in sample.positions]) == (
        0,
        list(range(len(many))),
    )
    carried: list[Any] = []
    for sample in shown.samples:
        assert isinstance(sample.body, bytes)
        assert len(sample.body) <= 40_000
        if grouping == "lines":
            carried += [json.loads(line) for line in sample.body.split(b"\n")[:-1]]
        else:
            body = json.loads(sample.body)
            carried += body["records"] if isinstance(body, dict) else body
    assert carried == many
