"""The plugin that the page explains is a real distribution: it installs, conforms, and does what the page shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.blocks import REPOSITORY, blocks_of
from tests.docs.walkthrough import follow

PAGE = REPOSITORY / "docs" / "writing-a-plugin.md"
PLUGIN = REPOSITORY / "examples" / "plugin"
_PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the distribution in it, as pip installs it: no network, nothing else."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *_PIP_OPTIONS, "--target", str(folder), str(PLUGIN)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_code_on_the_page_is_the_code_of_the_distribution() -> None:
    shown = {block.mark.removeprefix("file: "): block.text for block in blocks_of(PAGE) if "/" in block.mark}
    files = [path for path in PLUGIN.rglob("*.py") if "__pycache__" not in path.parts]
    assert {str(path.relative_to(PLUGIN)) for path in files} <= set(shown)
    for path in [*files, PLUGIN / "pyproject.toml"]:
        name = str(path.relative_to(PLUGIN))
        text = next(block.text for block in blocks_of(PAGE) if block.mark == f"file: {name}")
        assert text == path.read_text(encoding="utf-8"), f"{PAGE.name} shows another {name}"


def test_its_own_tests_pass(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PLUGIN / "tests")],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_can_be_tried_as_the_page_shows(installed: Path, tmp_path: Path) -> None:
    follow(PAGE, tmp_path, environment={"PYTHONPATH": str(installed)})
