"""A pytest fixture for programs that send to Imagga. In conftest.py:

pytest_plugins = ["haulier_imagga.emulator.fixtures"]

def test_it(imagga_emulator):
    haulier.send(imagga_emulator.to("tag-image", params=...), records, credential=imagga_emulator.credential)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from haulier.testing.emulator import LoggedRequest
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, ImaggaEmulator, serve

__all__ = ["RunningEmulator", "imagga_emulator"]


@dataclass(frozen=True)
class RunningEmulator:
    """An emulator that answers at `url`; `emulator` steers it: faults, limits, clock, settings."""

    emulator: ImaggaEmulator
    url: str

    @property
    def credential(self) -> dict[str, Any]:
        """Values of a credential that signs in, bound to this emulator."""
        return {"api_key": DEMO_KEY, "api_secret": DEMO_SECRET, "origins": [self.url]}

    @property
    def requests(self) -> list[LoggedRequest]:
        """What it was sent, oldest first."""
        return self.emulator.requests

    def to(self, endpoint: str, **settings: Any) -> dict[str, Any]:
        """A destination of this endpoint that leads here, without a limit in requests per second worth waiting for."""
        return {
            "name": endpoint,
            "connector": "imagga",
            "endpoint": endpoint,
            "base_url": self.url,
            "limits": {"requests_per_second": 1000, "max_in_flight": 4},
            **settings,
        }


@pytest.fixture
def imagga_emulator() -> Iterator[RunningEmulator]:
    """An emulator of its own for each test; jobs are done at the first question."""
    emulator = ImaggaEmulator(polls=0)
    with serve(emulator) as server:
        yield RunningEmulator(emulator, server.url)
