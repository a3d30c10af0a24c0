"""Haulier as a program embeds it: `haulier.send` of one file to one server.

send.py PATH BATCH URL STATE [--exclude NAME] [--in-flight N] [--per-second N] [--transport NAME] [--without-ledger]
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable
from typing import Any

# As `haulier run` does: plugins of pydantic's own are not looked for.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from haulier import send

__all__ = ["destination_for"]


def destination_for(
    url: str,
    batch: int,
    *,
    exclude: str = "",
    in_flight: int = 16,
    per_second: int = 0,
    transport: str = "auto",
) -> dict[str, Any]:
    """A destination made by hand; records travel in the property `records`, or each alone where `batch` is 1.

    in_flight and per_second: 0 leaves them to the run.
    """
    limits = {"max_in_flight": in_flight, "requests_per_second": per_second}
    grouping = {"name": "property", "property_name": "records"}
    return {
        "name": "bench",
        "request": {"method": "POST", "url": url},
        "batching": {"size": batch, "grouping": grouping} if batch > 1 else False,
        "exclude": [exclude] if exclude else [],
        "limits": {name: value for name, value in limits.items() if value},
        "transport": transport,
    }


class _Unwritten:
    """Takes the place of the ledger's writer: every window counts as durable at once, nothing is kept."""

    def __init__(
        self, _ledger: object, _run: int, done: Callable[[int, None], None], *, before: object = None
    ) -> None:
        self._done = done
        self._count = 0

    def start(self) -> None:
        """There is no thread."""

    def put(self, _commit: object, _run: int | None = None) -> None:
        """Durable, as it were."""
        self._count += 1
        self._done(self._count, None)

    def close(self) -> None:
        """Nothing is left to write."""


def _without_ledger() -> None:
    """Put _Unwritten where a sitting looks for its writer; there is no setting for this, as nobody should want it."""
    from haulier.runs.sittings import sitting  # noqa: PLC0415 - a program that sends imports no such thing

    if "Writer" not in vars(sitting):
        sys.exit("haulier.runs.sittings.sitting has no Writer any more: take the ledger away elsewhere")
    vars(sitting)["Writer"] = _Unwritten


def main() -> None:
    """Send; ends with 1 and the reason where the run did not finish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("batch", type=int)
    parser.add_argument("url")
    parser.add_argument("state")
    parser.add_argument("--exclude", default="")
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--per-second", type=int, default=0)
    parser.add_argument("--transport", default="auto")
    parser.add_argument("--without-ledger", action="store_true")
    options = parser.parse_args()
    if options.without_ledger:
        _without_ledger()
    destination = destination_for(
        options.url,
        options.batch,
        exclude=options.exclude,
        in_flight=options.in_flight,
        per_second=options.per_second,
        transport=options.transport,
    )
    report = send(destination, options.path, state=options.state)
    gc.freeze()  # the process ends as `haulier run` does; so do the bare loops
    if report.state != "finished":
        sys.exit(f"the run is {report.state}: {report.reason}")


if __name__ == "__main__":
    main()
