"""Carries one input to one destination, as its orders say; what the crash tests kill.

Called with a file of orders it does that once. Called with `--serve` it has everything imported and makes a copy of
itself for each line of orders that it reads: a sitting begins within milliseconds, and so can be killed at any instant
of its life. Each line is answered with the number of the process, and once that is over with how it ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import haulier
from haulier.errors import ConfigurationError, RunStopped
from haulier.io.ledger.view import LedgerView
from haulier.runs.reports.report import report_of


def carry(orders: dict[str, Any]) -> dict[str, Any]:
    """Carry out orders; the report."""
    destination, records = orders["destination"], orders.get("records", "")
    state, key = orders["state"], orders.get("run_key")
    kind = orders.get("kind", "piped" if orders.get("piped") else "file")
    if kind == "piped":
        lines = Path(records).read_bytes().splitlines()
        return haulier.send(destination, iter(lines), state=state, run_key=key or "piped").to_dict()
    if kind == "pushed":
        return _push(orders)
    if kind == "replayed":
        try:
            return haulier.replay(destination, state=state).to_dict()
        except ConfigurationError as error:
            if "nothing is left to replay" not in str(error):
                raise
            return {"state": "finished", "nothing left": True}
    if kind == "stdin":
        return haulier.send(destination, "-", state=state, run_key=key, format="jsonl").to_dict()
    credential = orders.get("credential")
    return haulier.send(destination, records, state=state, run_key=key, credential=credential).to_dict()


def _push(orders: dict[str, Any]) -> dict[str, Any]:
    """Write all records, under names; the report, also of a run that a crash ended when it was finished."""
    destination, key = orders["destination"], orders["run_key"]
    lines = Path(orders["records"]).read_bytes().splitlines()
    try:
        with haulier.open_run(destination, run_key=key, state=orders["state"]) as run:
            for start in range(0, len(lines), 50):
                run.write(lines[start : start + 50], id=f"chunk {start}")
    except RunStopped as error:
        if "finished before" not in str(error):
            raise
        with closing(LedgerView.open(Path(orders["state"]) / destination["name"])) as view:
            row = view.latest(key)
            assert row is not None
            return report_of(view, row, destination["name"]).to_dict()
    assert run.report is not None
    return run.report.to_dict()


def serve() -> None:
    """Carry out the orders that come in, each in a process of its own."""
    from tests.crash import seams

    from haulier.runs.resolving.builtins import load_registry
    from haulier.runs.sittings import sending

    seams.install()
    # Everything a sitting imports, and the plugins, are there before it begins.
    for name in (
        "haulier.io.transports.downloads",
        "haulier.io.transports.http1",
        "haulier.runs.sittings.pushing",
        "haulier.runs.replays.replay",
        "uvloop",
    ):
        import_module(name)
    registry = load_registry()
    sending.load_registry = lambda: registry
    for line in sys.stdin:
        orders = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(_sit(orders))
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


def _sit(orders: dict[str, Any]) -> int:
    from tests.crash import seams

    try:
        os.chdir(orders["folder"])
        opened = os.open(orders["records"] if orders.get("kind") == "stdin" else os.devnull, os.O_RDONLY)
        os.dup2(opened, 0)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - standard input of this copy
        seams.note_in(Path(orders["note"]))
        os.environ["HAULIER_PLANNING"] = orders.get("planning", "here")
        if orders.get("die"):
            seams.die_at(*orders["die"])
        report = carry(orders)
        Path(orders["answer"]).write_text(json.dumps(report))
    except BaseException:  # noqa: BLE001 - told to the test
        Path(orders["answer"]).write_text(traceback.format_exc())
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve()
    else:
        print(json.dumps(carry(json.loads(Path(sys.argv[1]).read_text()))))
