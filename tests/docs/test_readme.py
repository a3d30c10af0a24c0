"""The README is true: its destination, its Python, its plugin, and the demo's output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.docs.blocks import REPOSITORY, Block, blocks_of, difference
from tests.docs.walkthrough import follow

from haulier.io.destinations import load_destination
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier.testing.conformance import check_plugin

README = REPOSITORY / "README.md"
DESTINATIONS = sorted((REPOSITORY / "examples" / "destinations").glob("*.yaml"))


def _block(mark: str) -> Block:
    (found,) = [block for block in blocks_of(README) if block.mark == mark]
    return found


def test_the_demo_prints_what_the_readme_shows() -> None:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert not (why := difference(_block("demo").text, done.stdout)), why


def test_the_destination_of_the_readme_is_one_of_the_examples() -> None:
    block = _block("file: examples/destinations/tag-by-url.yaml")
    assert block.text == (REPOSITORY / "examples/destinations/tag-by-url.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DESTINATIONS, ids=lambda path: path.stem)
def test_every_example_destination_holds(path: Path) -> None:
    resolve(load_destination(path), load_registry())


def test_the_commands_and_the_python_of_the_readme_work_in_the_order_they_are_read(tmp_path: Path) -> None:
    urls = (REPOSITORY / "examples/urls.jsonl").read_text(encoding="utf-8")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/urls.jsonl").write_text(
        "".join(urls.splitlines(keepends=True)[:2]), encoding="utf-8"
    )
    follow(README, tmp_path)


def test_the_plugin_of_the_readme_conforms() -> None:
    block = _block("plugin")
    plugin = ModuleType("haulier_acme")
    exec(compile(block.text, "README.md", "exec"), vars(plugin))
    assert check_plugin(plugin) == []
