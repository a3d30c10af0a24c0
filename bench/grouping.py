"""What groupings cost: `.venv/bin/python bench/grouping.py`. Nothing is sent.

The first row compares planning through a stranger's grouping with planning through the built-in `property`; the second
is what a batch costs more where a function in the sandbox makes it. Times are the best of many rounds, taken in turn,
so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from records import make_records
from timing import best

from haulier.authoring import GroupingAlgorithm, NoSettings
from haulier.io.code.room import CodeRoom
from haulier.io.destinations import destination_from
from haulier.io.readers import open_records
from haulier.model.block import Block
from haulier.model.expression import RunFacts
from haulier.model.parts import Program, Work
from haulier.plugins.registry import Registry
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve

BATCH = 100
RECORDS = 20_000
MOST_RATIO = 1.15  # what a stranger's grouping may cost beside the built-in one
MOST_MS = 1.5  # what the sandbox may cost a batch
CODE = """
def build(records, context):
    return {"source": "catalog", "count": len(records), "records": records}
"""


class Theirs:
    """Somebody's grouping: an envelope of their own around opaque items."""

    def __init__(self, settings: NoSettings) -> None:
        """There is nothing to set."""

    def build(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return `{"meta": {...}, "records": [...]}`."""
        return {"source": "catalog", "records": list(items)}


def planned(registry: Registry, grouping: dict[str, Any], blocks: Sequence[Block]) -> Callable[[], None]:
    """Plans all blocks from the beginning."""
    destination = destination_from(
        {
            "name": "bench",
            "request": {"url": "http://127.0.0.1:9/"},
            "batching": {"size": BATCH, "grouping": grouping},
        }
    )
    resolved = resolve(destination, registry)

    def plan() -> None:
        planner = resolved.planner(RunFacts("0" * 32, 0.0))
        made = sum(len(planner.feed(block).requests) for block in blocks) + len(planner.close().requests)
        assert made == RECORDS // BATCH

    return plan


def main() -> int:
    """Print the rows; 1 where something costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    registry = load_registry()
    algorithm = GroupingAlgorithm(name="theirs", title="Theirs", description="Somebody's.", factory=Theirs)
    registry = msgspec.structs.replace(registry, groupings={**registry.groupings, "theirs": algorithm})
    with tempfile.TemporaryDirectory() as folder:
        blocks = list(open_records(make_records(Path(folder, "records.jsonl"), RECORDS).path).blocks())
    built_in = {"name": "property", "property_name": "records", "other_props": {"source": "catalog"}}
    ours, theirs = best(
        rounds, planned(registry, built_in, blocks), planned(registry, {"name": "theirs"}, blocks)
    )
    ratio = theirs / ours
    print(f"built-in {ours / RECORDS * 1e6:.2f} us a record, a stranger's {theirs / RECORDS * 1e6:.2f}")
    print(f"ratio {ratio:.2f}, at most {MOST_RATIO}")
    items = [msgspec.Raw(line) for block in blocks for line in block.lines][:BATCH]
    with CodeRoom(Program(source=CODE), Path(), 0.0, trusted=False) as room:
        work = Work(room.program, items)
        (sandbox,) = best(rounds * 5, lambda: room.carry(work, range(BATCH)))
    print(f"\nthe sandbox, a batch of {BATCH}: {sandbox * 1e3:.2f} ms, at most {MOST_MS}")
    return int(ratio > MOST_RATIO or sandbox * 1e3 > MOST_MS)


if __name__ == "__main__":
    raise SystemExit(main())
