"""Lines of a file as request bodies, for the bare loops."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

__all__ = ["bodies_of"]


def bodies_of(path: Path, batch: int) -> Iterator[bytes]:
    """Lines of a file as bodies, so many in each."""
    with path.open("rb") as file:
        while lines := [line.rstrip(b"\n") for line in islice(file, batch)]:
            yield lines[0] if batch == 1 else b'{"records":[' + b",".join(lines) + b"]}"
