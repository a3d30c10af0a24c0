"""The README is true: its destination, its Python, its plugin, and the demo's output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.docs.blocks import REPOSITORY, Block, blocks_of, difference

from haulier.io.destinations import load_destination
from haulier.io.project import Project
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier.testing.conformance import check_plugin
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, ImaggaEmulator, serve

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


def test_the_python_of_the_readme_delivers(tmp_path: Path) -> None:
    project, _ = Project.init(tmp_path)
    emulator = ImaggaEmulator()
    with serve(emulator) as server:
        text = _block("file: examples/destinations/tag-by-url.yaml").text
        (project.destinations / "tag-by-url.yaml").write_text(
            f"{text}base_url: {json.dumps(server.url)}\n", "utf-8"
        )
        words = ["credential", "add", "imagga", "--origin", server.url]
        values = ["--value", f"api_key={DEMO_KEY}", "--value", f"api_secret={DEMO_SECRET}"]
        _python(["-m", "haulier", *words, *values], tmp_path)
        printed = _python(["-c", _block("python").text], tmp_path)
    target = "/v2/tags?image_url=https%3A%2F%2Fexample.com%2Fpictures%2Fboat.jpg&limit=10"
    assert printed == f"GET {target}\nfinished 1 0 0\n"
    assert [request.target for request in emulator.requests] == [target]


def test_the_plugin_of_the_readme_conforms() -> None:
    block = _block("plugin")
    plugin = ModuleType("haulier_acme")
    exec(compile(block.text, "README.md", "exec"), vars(plugin))
    assert check_plugin(plugin) == []


def _python(words: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
