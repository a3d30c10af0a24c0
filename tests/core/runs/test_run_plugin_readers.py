"""What a plugin's reader does that no reader may: named, with input and place; nobody rejected; the run goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import Project
from tests.core.runs.carrying import rows
from tests.core.runs.wire import Wire
from tests.distributions import write_distribution

# A reader that anybody may have installed. It yields three records, and does then as it is told.
READER = """
import os
import sys
from haulier.authoring import Block, InputError, ReaderType, RecordError, hookimpl

class Pages:
    repeatable = True

    def __init__(self, path, doors):
        self.path, self.doors = path, doors

    def blocks(self):
        with self.doors.open_read(self.path) as file:
            lines = file.read().splitlines()
        yield Block(first=0, lines=lines[:3], first_line=1)
        yield from eval(os.environ.get("DOES", "()"), globals(), {"lines": lines})
        yield Block(first=3, lines=lines[3:], first_line=4)

def failing(error):
    raise error

def opened(path, doors):
    return eval(os.environ.get("OPENS", "Pages(path, doors)"), globals(), {"path": path, "doors": doors})

class Readers:
    @hookimpl
    def haulier_readers(self):
        return [ReaderType(name="pages", title="P", description="Pages.", factory=opened, endings=(".pages",))]

sys.modules[__name__] = Readers()
"""
NAMED = "in.pages: reader pages (plugin pages of haulier-pages 1.0) "
MEND = (
    "No record is rejected for what a plugin does wrong: mend the plugin, or name another format with --format "
    "(format= in Python), and go on"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    (tmp_path / "destinations").mkdir()
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    write_distribution(tmp_path / "site", "haulier-pages", "[haulier]\npages = haulier_pages\n")
    (tmp_path / "site" / "haulier_pages.py").write_text(READER)
    (tmp_path / "in.pages").write_text("".join(f'{{"id":{number}}}\n' for number in range(6)))
    return made


def carry(project: Project, command: str = "run", **does: str) -> tuple[int, str]:
    """(exit code, the last line that it says; of what goes well, all that it shows)."""
    words = {
        "run": ("run", "d", "--records", "in.pages", "--activate"),
        "preview": ("preview", "d", "--records", "in.pages", "--sample", "5"),
        "plan": ("plan", "d", "--records", "in.pages"),
        "test": ("test", "d", "--records", "in.pages", "--sample", "5"),
    }
    ended = project.run(*words[command], PYTHONPATH=str(project.root / "site"), **does)
    return ended.code, ended.err.splitlines()[-1] if ended.code == 2 else ended.out


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("failing(KeyError('page'))", "raised KeyError: 'page'"),
        ("failing(SystemExit(3))", "raised SystemExit: 3"),
        ("failing(__import__('asyncio').CancelledError())", "raised CancelledError"),
        (
            "failing(RecordError('no page'))",
            "raised RecordError: no page; a reader names a record that cannot be taken in the `faults` of its block",
        ),
        ("[b'{}']", "yielded a bytes; it must yield blocks (`haulier.authoring.Block`)"),
        (
            "[Block(first=3, lines=tuple(lines[3:]))]",
            "yielded a block whose `lines` are a tuple; they must be a list of bytes",
        ),
        (
            "[Block(first=3, lines=[lines[3], lines[4].decode()])]",
            "yielded a block with a line of type str; each must be bytes, a JSON text",
        ),
        (
            "[None, Block(first=3, lines=lines[3:])]",
            "yielded a NoneType; it must yield blocks (`haulier.authoring.Block`)",
        ),
        (
            "[Block(first=0, lines=lines[3:])]",
            "yielded a block whose `first` is 0 where 3 records came before; it must be 3",
        ),
        (
            "[Block(first=3, lines=lines[3:], first_line='4')]",
            "yielded a block whose `first_line` is '4'; it must be a number, or None",
        ),
        (
            "[Block(first=3, lines=lines[3:], faults=['short'])]",
            "yielded a block whose `faults` are a list; they must be a mapping of index to reason",
        ),
        (
            "[Block(first=3, lines=lines[3:], faults={3: 'short'})]",
            "yielded a block of 3 lines with the fault 3: 'short'; each is the index of a line, and why",
        ),
    ],
)
def test_what_a_reader_does_wrong_stops_the_run_which_goes_on_when_it_is_mended(
    does: str, told: str, project: Project
) -> None:
    with Wire() as wire:
        project.post("d", wire.url)
        code, said = carry(project, DOES=does)
        assert (code, said) == (2, f"haulier: {NAMED}{told} (behind line 3). {MEND}"), said
        state = project.root / ".haulier"
        assert rows(state, "select state, read, rejected, in_doubt from run") == [("stopped", 3, 0, 0)]
        assert carry(project)[0] == 0
        assert rows(state, "select state, delivered, rejected, in_doubt from run") == [("finished", 6, 0, 0)]
        assert sorted(json.loads(body)["id"] for body in wire.bodies) == [*range(6)]


@pytest.mark.parametrize(
    ("opens", "told"),
    [
        ("failing(ValueError('no page'))", f"raised ValueError: no page (as it was opened). {MEND}"),
        ("failing(SystemExit(3))", f"raised SystemExit: 3 (as it was opened). {MEND}"),
        (
            "None",
            "returned a NoneType, which is no reader: it must have `blocks()`, and `repeatable` as True or False "
            f"(as it was opened). {MEND}",
        ),
    ],
)
def test_a_reader_that_cannot_be_opened_is_named(opens: str, told: str, project: Project) -> None:
    with Wire() as wire:
        project.post("d", wire.url)
        assert carry(project, OPENS=opens) == (2, f"haulier: {NAMED}{told}")
        assert wire.asked == []


@pytest.mark.parametrize(
    ("packed", "code", "told"),
    [
        (gzip.compress, 0, ""),
        (lambda plain: gzip.compress(plain[:9]) + gzip.compress(plain[9:]), 0, ""),
        (lambda plain: gzip.compress(plain)[:-9], 3, "in.pages.gz: the gzip data ends early"),
        (lambda plain: plain, 3, "in.pages.gz: the gzip data is damaged: Not a gzipped file"),
    ],
)
def test_a_reader_of_a_plugin_is_handed_unpacked_what_is_packed(
    packed: Callable[[bytes], bytes], code: int, told: str, project: Project
) -> None:
    (project.root / "in.pages.gz").write_bytes(packed((project.root / "in.pages").read_bytes()))
    with Wire() as wire:
        project.post("d", wire.url)
        words = ("run", "d", "--records", "in.pages.gz", "--activate")
        ended = project.run(*words, PYTHONPATH=str(project.root / "site"))
        assert (ended.code, told in ended.err + ended.out) == (code, True), ended.err
        assert sorted(json.loads(body)["id"] for body in wire.bodies) == ([*range(6)] if code == 0 else [])


@pytest.mark.parametrize("command", ["preview", "plan", "run", "plugins"])
def test_what_a_plugin_prints_is_no_result(command: str, project: Project) -> None:
    module = project.root / "site" / "haulier_pages.py"
    module.write_text(module.read_text() + "print('imported')")
    words = () if command == "plugins" else ("d", "--records", "in.pages")
    with Wire() as wire:
        project.post("d", wire.url)
        ended = project.run(
            *(command, *words, *(("--activate",) if command == "run" else ()), "--json"),
            PYTHONPATH=str(project.root / "site"),
            OPENS="print('opened') or Pages(path, doors)",
        )
    assert json.loads(ended.out)["shape"] == 1
    assert ended.err.splitlines().count("imported") == 1
    assert ended.err.splitlines().count("opened") == (0 if command == "plugins" else 1)


def test_a_plugin_that_fails_to_load_is_told_in_one_line(project: Project) -> None:
    (project.root / "site" / "haulier_pages.py").write_text("raise ValueError('first\\nsecond')")
    ended = project.run("plugins", PYTHONPATH=str(project.root / "site"))
    told = "pages  (haulier-pages 1.0) FAILED: importing haulier_pages raised ValueError: first second"
    assert told in ended.out.splitlines()


@pytest.mark.parametrize("command", ["preview", "plan", "test"])
def test_every_command_that_reads_names_it(command: str, project: Project) -> None:
    with Wire() as wire:
        project.post("d", wire.url)
        code, said = carry(project, command, DOES="failing(KeyError('page'))")
        assert (code, said) == (2, f"haulier: {NAMED}raised KeyError: 'page' (behind line 3). {MEND}")
        assert wire.asked == []


def test_a_reader_may_say_that_its_input_ends_early(project: Project) -> None:
    """What an InputError says is of the input, and no fault of the plugin."""
    with Wire() as wire:
        project.post("d", wire.url)
        code, said = carry(project, DOES="failing(InputError('in.pages: breaks off'))")
        assert code == 3
        assert "in.pages: breaks off" in said
        assert "reader pages" not in said
        assert len(wire.asked) == 3
