"""Servers and a project folder for the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.support import Imagga, Project, RecordingServer

from haulier_imagga.emulator import ImaggaEmulator, serve


@pytest.fixture
def imagga() -> Iterator[Imagga]:
    """An Imagga emulator of its own, whose accounts have done nothing yet."""
    emulator = ImaggaEmulator(monthly_limit=1_000_000)
    emulator.log.max_body_bytes = 16 << 20
    with serve(emulator) as running:
        yield Imagga(emulator, running.url)


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    """A server that records."""
    with RecordingServer() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project, made by hand so that rows about something else need no command; it is the current folder."""
    for name in ("HAULIER_PLUGINS", "IMAGGA_API_KEY", "IMAGGA_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    made = Project(tmp_path / "project")
    monkeypatch.chdir(made.root)
    return made
