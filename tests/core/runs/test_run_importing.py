"""What a run needs is imported without a look for cycles, and leaves the collector of the program as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.core.runs.carrying import destination
from tests.core.runs.wire import Wire

_SEND = """
import gc, json, sys
{before}
looks = []
gc.callbacks.append(lambda phase, info: looks.append(("haulier.runs.sittings.ordering" in sys.modules, phase)))
from haulier import send
looks.clear()
report = send(json.loads(sys.argv[1]), "in.jsonl", state="state")
early = [phase for there, phase in looks if not there]
print(report.state, early, gc.isenabled(), gc.get_freeze_count() > 0)
{after}
"""


def told(url: str, before: str = "", after: str = "", **environ: str) -> list[str]:
    Path("in.jsonl").write_bytes(b'{"id":1}\n')
    left = {name: value for name, value in os.environ.items() if name != "PYDANTIC_DISABLE_PLUGINS"}
    code = _SEND.format(before=before, after=after)
    out = subprocess.check_output(
        [sys.executable, "-c", code, repr(destination(url)).replace("'", '"')],
        text=True,
        timeout=60,
        env={**left, **environ},
    )
    return out.splitlines()


@pytest.mark.parametrize(
    ("before", "then"),
    [("", "True False"), ("gc.disable()", "False False"), ("gc.freeze()", "True True")],
    ids=["usual", "switched off", "set aside"],
)
def test_nothing_is_looked_through_meanwhile_and_the_collector_is_as_it_was(before: str, then: str) -> None:
    with Wire() as wire:
        assert told(wire.url, before) == [f"finished [] {then}"]


def test_a_cycle_of_the_program_is_found_all_the_same() -> None:
    before = "import weakref\nclass Of: pass\none = Of(); one.own = one; seen = weakref.ref(one); del one"
    with Wire() as wire:
        lines = told(wire.url, before, after="gc.collect(); print(seen())")
    assert lines == ["finished [] True False", "None"]


_PLUGINS = """
print("importlib.metadata" in sys.modules, bool(sys.modules["pydantic.plugin._loader"].__spec__))
import os
os.environ.pop("PYDANTIC_DISABLE_PLUGINS", None)
from pydantic.plugin._loader import get_plugins
print(list(get_plugins()), "importlib.metadata" in sys.modules)
"""


@pytest.mark.parametrize(("environ", "looked_for"), [({}, True), ({"PYDANTIC_DISABLE_PLUGINS": "1"}, False)])
def test_plugins_of_pydantic_are_looked_for_unless_the_environment_says_that_there_are_none(
    environ: dict[str, str], looked_for: bool
) -> None:
    with Wire() as wire:
        lines = told(wire.url, after=_PLUGINS, **environ)
    assert lines[1:] == [f"{looked_for} {looked_for}", "[] True"]
