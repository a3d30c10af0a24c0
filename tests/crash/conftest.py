"""A process that has everything imported, for all crash tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.crash.sittings import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made
