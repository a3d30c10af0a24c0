"""`haulier --help` is quick, lists everything, and imports nothing it does not need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.running import Project
from tests.distributions import write_distribution

from haulier.cli.app import haulier
from haulier.cli.lazy import LazyGroup, Listed

HEAVY = (
    "httpx",
    "httpcore",
    "pydantic",
    "msgspec",
    "sqlite3",
    "asyncio",
    "ssl",
    "haulier_imagga",
    "haulier_batching",
    "pluggy",
)


def every_command(group: LazyGroup, name: str = "haulier") -> Iterator[tuple[str, Listed, click.Command]]:
    for section in group._sections:
        for word, listed in section.commands.items():
            command = group.load(word)
            assert command is not None
            yield f"{name} {word}", listed, command
            if isinstance(command, LazyGroup):
                yield from every_command(command, f"{name} {word}")


def all_commands() -> list[tuple[str, Listed, click.Command]]:
    assert isinstance(haulier, LazyGroup)
    return list(every_command(haulier))


def test_help_imports_no_plugin_no_http_client_and_no_model(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom haulier.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('loaded', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ended.stdout.splitlines()[-1] == "loaded []"
    assert "imagga        from haulier-imagga" in ended.stdout


def test_help_lists_every_command_of_the_plan(project: Project) -> None:
    told = project.run("--help")
    assert told.code == 0
    listed = {line.split()[0] for line in told.out.splitlines() if line.startswith("  ") and line.strip()}
    assert listed >= {
        *("init", "plugins", "connectors", "endpoints", "encoders", "groupings", "credential", "destination"),
        *(
            "preview",
            "plan",
            "test",
            "activate",
            "pause",
            "run",
            "runs",
            "report",
            "dead-letters",
            "imagga",
            "follow",
        ),
    }


@pytest.mark.parametrize(
    ("name", "listed", "command"), all_commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_command_says_of_itself_what_help_says_of_it(
    name: str, listed: Listed, command: click.Command
) -> None:
    assert (command.help or "").splitlines()[0] == listed.help


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, command) for name, _, command in all_commands() if not isinstance(command, LazyGroup)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_command_has_json(name: str, command: click.Command) -> None:
    assert "--json" in [word for parameter in command.params for word in parameter.opts]


def test_an_unknown_command_is_answered_with_the_nearest_one(project: Project) -> None:
    told = project.run("rum")
    assert (told.code, told.out) == (2, "")
    assert "there is no command `rum`; did you mean `run`?" in told.err
    assert (
        "there is no command `xyzzy`; see: haulier credential --help"
        in project.run("credential", "xyzzy").err
    )


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A folder of installed distributions: one whose command works, one that cannot be imported, one that is rude."""
    site = tmp_path / "site"
    commands = {
        "haulier-hello": "hello = hello_command:hello",
        "haulier-broken": "broken = broken_command:broken",
        "haulier-rude": "run = hello_command:hello",
    }
    for name, line in commands.items():
        write_distribution(site, name, f"[haulier.commands]\n{line}\n")
    (site / "hello_command.py").write_text(
        "import click, pathlib\npathlib.Path('imported').touch()\n"
        "@click.command()\ndef hello():\n    '''Say hello.'''\n    click.echo('hello')\n"
    )
    (site / "broken_command.py").write_text("raise RuntimeError('no luck')\n")
    return site


def test_a_plugins_command_is_listed_without_import_and_runs(project: Project, strangers: Path) -> None:
    path = {"PYTHONPATH": str(strangers)}
    told = project.run("--help", **path)
    assert "  hello         from haulier-hello\n" in told.out
    assert "Left out: `run` of haulier-rude" in told.out
    assert not (project.root / "imported").exists()
    assert project.run("hello", **path).out == "hello\n"


def test_a_plugins_command_takes_no_core_name_and_a_broken_one_is_named(
    project: Project, strangers: Path
) -> None:
    path = {"PYTHONPATH": str(strangers)}
    assert "Carry records to a destination" in project.run("run", "--help", **path).out
    broken = project.run("broken", **path)
    assert broken.code == 2
    assert broken.err == "haulier: command broken of haulier-broken cannot be loaded: RuntimeError: no luck\n"
    told = project.run("plugins", "--json", **path).json
    assert told["shape"] == 1
    assert {
        "name": "run",
        "distribution": "haulier-rude",
        "refused": "the name belongs to a command of Haulier itself",
    } in told["commands"]


def test_plugins_left_out_bring_no_commands(project: Project) -> None:
    told = project.run("--help", HAULIER_PLUGINS="batching")
    assert "haulier-imagga" not in told.out
    assert project.run("imagga", "--help", HAULIER_PLUGINS="batching").code == 2


def test_plugins_shows_a_broken_plugin_and_what_the_others_offer(project: Project, tmp_path: Path) -> None:
    write_distribution(
        tmp_path / "site", "haulier-bad", "[haulier]\nbad = no_such_module_at_all\n", version="2.0"
    )
    told = project.run("plugins", PYTHONPATH=str(tmp_path / "site"))
    assert told.code == 0
    assert "bad  (haulier-bad 2.0) FAILED: " in told.out
    assert "connector: imagga" in told.out


def test_a_command_ends_quietly_when_its_reader_leaves(project: Project) -> None:
    code = (
        "import subprocess, sys\n"
        "one = subprocess.Popen([sys.executable, '-m', 'haulier', 'endpoints', 'imagga', '--json'], "
        "stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "one.stdout.close()\nprint(one.stderr.read().decode(), one.wait())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project.root
    )
    assert "Traceback" not in ended.stdout
    assert "Exception ignored" not in ended.stdout


def test_an_internal_error_is_one_line_and_its_traceback_is_for_the_asking(
    project: Project, tmp_path: Path
) -> None:
    # A damaged installation is as good as any bug.
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import haulier.cli.printing as p\np.table = lambda *a: 1 / 0\n")
    told = project.run("connectors", PYTHONPATH=str(site))
    assert told.code == 1
    assert told.err.startswith("haulier: internal error: ZeroDivisionError at sitecustomize.py:2. ")
    assert "HAULIER_DEBUG=1" in told.err
