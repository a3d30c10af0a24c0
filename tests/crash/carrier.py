"""Carries one input to one destination, as given on the command line; what the crash tests kill."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import haulier


def main(orders_path: str) -> None:
    orders = json.loads(Path(orders_path).read_text())
    records = Path(orders["records"])
    if orders["piped"]:
        lines = records.read_bytes().splitlines()
        report = haulier.send(orders["destination"], iter(lines), state=orders["state"], run_key="piped")
    else:
        report = haulier.send(orders["destination"], str(records), state=orders["state"])
    print(json.dumps(report.to_dict()))


if __name__ == "__main__":
    main(sys.argv[1])
