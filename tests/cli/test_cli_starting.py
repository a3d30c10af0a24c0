"""What a command that sends nothing must not pay for when it starts and ends; see docs/performance.md."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.cli.running import Project

# Runs the command line in a process and prints its exit code, and what an expression gives after it.
_PROGRAM = """
import gc, sys
from haulier.cli import main
opened, looks = [], []
def importing():  # the rooms that a preview needs: the one that is imported first is not whole
    first = sys.modules.get("haulier.runs.previews.marking")
    return first is not None and not hasattr(first, "credential_marks")
sys.addaudithook(lambda event, told: event == "open" and opened.append(str(told[0])))
gc.callbacks.append(lambda phase, _: looks.append(phase == "start" and importing()))
try:
    main(sys.argv[2:])
except SystemExit as ended:
    print(ended.code, eval(sys.argv[1]))
"""
_FOR_SENDING = ("asyncio", "ssl", "httpx", "httptools", "uvloop", "sqlite3", "haulier.io.ledger")
# What modules of the standard library bring along that takes longer than what is done with it.
_HEAVY = (
    "concurrent.futures",
    "difflib",
    "email",
    "encodings.idna",
    "importlib.metadata",
    "logging",
    "shutil",
    "socket",
    "tempfile",
    "zipfile",
)
_DATACLASSES = (
    "sorted({kind.__qualname__ for module in list(sys.modules.values()) for kind in vars(module).values() "
    "if isinstance(kind, type) and kind.__module__.startswith('haulier') and '__dataclass_fields__' in vars(kind)})"
)


def previewed(project: Project, asked: str) -> str:
    """The exit code of a preview, and what the expression `asked` gives in its process."""
    project.destination("d", "request: {method: POST, url: 'http://localhost/x'}")
    (project.root / "in.jsonl").write_text('{"id":1}\n')
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, asked, "preview", "d", "--records", "in.jsonl"],
        capture_output=True,
        text=True,
        check=True,
        cwd=project.root,
    )
    return ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(
            f"sorted(set(sys.modules) & set({_FOR_SENDING!r}))", "[]", id="imports nothing for sending"
        ),
        pytest.param(f"sorted(set(sys.modules) & set({_HEAVY!r}))", "[]", id="imports nothing heavy"),
        pytest.param("sum(one.endswith('d.yaml') for one in opened)", "1", id="reads its destination once"),
        # A dataclass takes 0.5 ms to make, a struct a fortieth of it.
        pytest.param(_DATACLASSES, "[]", id="makes no dataclass"),
        pytest.param("sum(looks)", "0", id="imports without a look for cycles"),
        pytest.param("len(gc.get_objects()) < 1000", "True", id="ends without a look for cycles"),
    ],
)
def test_a_preview(project: Project, asked: str, told: str) -> None:
    assert previewed(project, asked) == f"0 {told}"


# Rooms that this preview has no use for. A short pattern takes no time.
_UNUSED = (
    "haulier.pipeline.encoding.xml",
    "haulier.io.destination_text",
    "haulier_batching",
    "haulier_imagga",
)
_LONG_PATTERNS = (
    "sorted(f'{module.__name__}.{name}' for module in list(sys.modules.values()) "
    f"if module.__name__.startswith({_UNUSED!r}) for name, one in vars(module).items() "
    "if type(one).__name__ == 'Pattern' and len(one.pattern) > 40)"
)


def test_a_preview_compiles_no_pattern_that_it_does_not_use(project: Project) -> None:
    assert previewed(project, _LONG_PATTERNS) == "0 []"


def test_what_is_imported_within_a_command_builds_models_without_plugins_of_pydantic() -> None:
    code = (
        "import sys\nfrom haulier.cli.importing import importing\n"
        "with importing():\n    from haulier.model.destination import Limits\n"
        "print(Limits(max_in_flight=2).max_in_flight, 'importlib.metadata' in sys.modules)\n"
        "from pydantic.plugin._loader import PYDANTIC_ENTRY_POINT_GROUP\n"
        "print(PYDANTIC_ENTRY_POINT_GROUP, 'importlib.metadata' in sys.modules)"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told == "2 False\npydantic True\n"


def test_help_imports_no_paths() -> None:
    code = "import sys; import haulier.cli.app as app; app.plugin_commands(); print('pathlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_a_run_imports_nothing_that_only_messages_dates_and_copies_need() -> None:
    unused = ("difflib", "email", "encodings.idna", "importlib.metadata", "shutil", "tempfile", "zipfile")
    code = (
        "import sys\nfrom haulier.cli.importing import importing\n"
        "with importing():\n    from haulier.runs.sittings.ordering import ordered\n"
        f"print(sorted(set(sys.modules) & set({unused!r})))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


# Python imports a module of this name when it starts: it interrupts the process when what it names is imported.
_INTERRUPTING = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    "module", ["haulier.cli.streams", "haulier.cli.ending", "click", "haulier.cli.app", "haulier.cli.preview"]
)
def test_an_interrupt_while_it_imports_ends_it_with_one_line(project: Project, module: str) -> None:
    (project.root / "sitecustomize.py").write_text(_INTERRUPTING)
    process = project.start("preview", "d", PYTHONPATH=str(project.root), INTERRUPTED_AT=module)
    out, err = process.communicate(timeout=60)
    # Once click has taken over, it ends the line first on which a terminal shows ^C.
    assert (process.returncode, out, err.removeprefix(b"\n")) == (130, b"", b"haulier: interrupted\n")
