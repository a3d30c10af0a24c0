"""Carries records through a chain, as given on the command line; what the crash tests of chains kill.

kill_at: `STAGE COUNT`: kill this process the moment so many records for that stage are durable, before they are taken.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import haulier
from haulier.runs.stages.stage_feed import StageFeed


def kill_between(count: int) -> None:
    """SIGKILL between the commit of an outcome and the intent of the stage that follows."""
    real, left = StageFeed.durable, [count]

    def durable(self: StageFeed, more: int) -> None:
        left[0] -= more
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, more)

    StageFeed.durable = durable  # type: ignore[method-assign]


def main(orders_path: str) -> None:
    orders = json.loads(Path(orders_path).read_text())
    if orders.get("kill_between"):
        kill_between(orders["kill_between"])
    report = haulier.send(orders["destination"], orders["records"], state=orders["state"])
    print(json.dumps(report.to_dict()))


if __name__ == "__main__":
    main(sys.argv[1])
