"""The authors' door is complete, sorted, and leads nowhere but to the model."""

from __future__ import annotations

import subprocess
import sys

import haulier.authoring
from haulier.plugins import hookspecs
from haulier.plugins.offers import OFFERED


def test_everything_in_all_is_there_and_sorted() -> None:
    names = haulier.authoring.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert [name for name in names if not hasattr(haulier.authoring, name)] == []


def test_importing_the_door_loads_no_client_no_command_line_no_loop_and_no_room_with_doors() -> None:
    probe = "import sys, haulier.authoring; print(*sorted(sys.modules))"
    loaded = set(subprocess.check_output([sys.executable, "-c", probe], text=True).split())
    rooms = {"haulier.io", "haulier.runs", "haulier.cli", "haulier.pipeline", "haulier.delivery"}
    assert loaded & {"httpx", "click", "asyncio", *rooms} == set()


def test_the_plugin_in_the_docstring_conforms() -> None:
    from types import ModuleType

    from haulier.testing.conformance import check_plugin

    text = haulier.authoring.__doc__ or ""
    source = "\n".join(
        line[4:] for line in text.split("::\n", 1)[1].split("\nwith `[project")[0].splitlines()
    )
    plugin = ModuleType("haulier_acme")
    exec(source, plugin.__dict__)
    assert check_plugin(plugin) == []


def test_every_hook_says_when_it_is_called_what_nothing_means_and_shows_an_example() -> None:
    for field in OFFERED:
        doc = getattr(hookspecs, f"haulier_{field}").__doc__ or ""
        assert "Called by the loader" in doc, field
        assert "Returning" in doc, field
        assert "Example::" in doc, field
