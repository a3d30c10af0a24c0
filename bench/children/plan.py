"""Planning alone: a file to requests on one core, with no transport and no ledger. Prints what it measured.

plan.py PATH BATCH [--exclude NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import time

from send import destination_for

from haulier.model.expression import RunFacts
from haulier.runs.inputs.intake import Intake
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier.runs.resolving.site import site_of


def main() -> None:
    """Read, plan, count; from the first byte read to the last request made."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("batch", type=int)
    parser.add_argument("--exclude", default="")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    destination = destination_for("http://127.0.0.1/records", options.batch, exclude=options.exclude)
    resolved = resolve(site_of(destination).destination, load_registry())
    planner = resolved.planner(RunFacts("0" * 32, time.time(), {}))
    records = requests = size = 0
    began = time.perf_counter()
    for block in Intake(options.path).plain_blocks():
        for request in planner.feed(block).requests:
            records += len(request.positions)
            requests += 1
            size += request.length
    for request in planner.close().requests:
        records += len(request.positions)
        requests += 1
        size += request.length
    seconds = time.perf_counter() - began
    print(json.dumps({"records": records, "requests": requests, "bytes": size, "seconds": seconds}))


if __name__ == "__main__":
    main()
