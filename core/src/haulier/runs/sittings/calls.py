"""The doors of a program that sends: `send` and `asend`.

What a run needs is imported as it begins: of a large file, a process that plans is begun before that and gets ready
meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from haulier.runs.planning.beginning import planner_beside
from haulier.runs.sittings.importing import importing

if TYPE_CHECKING:
    from haulier.runs.credentials.authority import CredentialLike
    from haulier.runs.driving.delivered import Delivered
    from haulier.runs.inputs.intake import RecordsLike
    from haulier.runs.reports.report import Report
    from haulier.runs.resolving.site import DestinationLike
    from haulier.runs.sittings.sitting import Sitting

__all__ = ["asend", "send"]


def send(
    destination: DestinationLike,
    records: RecordsLike,
    *,
    run_key: str | None = None,
    credential: CredentialLike = None,
    state: str | os.PathLike[str] | None = None,
    on_delivery: Callable[[Delivered], None] | None = None,
    **more: Any,
) -> Report:
    """Carry records to a destination and return the report.

    destination: a name in the project, a path, a mapping with a `name`, or a Destination. records: a path (`-` for
    standard input), or an iterable of mappings or of JSON texts. run_key: what makes two calls the same run; without
    one a file is its own key. credential: a stored name, or values by field, instead of the destination's own.
    state: folder for ledgers instead of the project's. on_delivery: told of each settled request, in the run's thread.
    more: `again`, `params`, `base_url`, `format`, `limit`, `resume`, `follow` and `leave_in_doubt`, as the command line
    has them.

    Calling it again with an unfinished run goes on where it stopped; with a finished one sends nothing. A run that
    stopped for now is told by `report.state`. Raises ConfigurationError before anything is sent, InputError and
    LedgerError where those end the run. Works inside a running event loop; interrupted, it stops resumably.
    """
    with planner_beside(records, limit=more.get("limit")) as beside:
        with importing():
            sitting = _prepared(
                destination,
                records,
                more,
                run_key=run_key,
                credential=credential,
                state=state,
                on_delivery=on_delivery,
                beside=beside,
            )
            from haulier.runs.driving.loop import carried  # noqa: PLC0415 - see above, and behind what prepares

        return carried(sitting)


async def asend(
    destination: DestinationLike,
    records: RecordsLike,
    *,
    run_key: str | None = None,
    credential: CredentialLike = None,
    state: str | os.PathLike[str] | None = None,
    on_delivery: Callable[[Delivered], None] | None = None,
    **more: Any,
) -> Report:
    """`send` on the running event loop. Cancelled, the run stops at once and can be resumed."""
    with planner_beside(records, limit=more.get("limit")) as beside:
        with importing():
            sitting = _prepared(
                destination,
                records,
                more,
                run_key=run_key,
                credential=credential,
                state=state,
                on_delivery=on_delivery,
                beside=beside,
            )
        return await sitting.run()


def _prepared(
    destination: DestinationLike, records: RecordsLike, more: Mapping[str, Any], **rest: Any
) -> Sitting:
    from haulier.runs.resolving.arguments import check_more  # noqa: PLC0415 - see above
    from haulier.runs.sittings.sending import MORE, prepare  # noqa: PLC0415

    check_more(more, MORE)
    return prepare(destination, records, **rest, **more)
