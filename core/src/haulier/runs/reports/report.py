"""The report of a run: what became of every record, as counts that add up."""

from __future__ import annotations

from typing import Any

import msgspec

from haulier.io.ledger.protocol import StoreView
from haulier.io.ledger.rows import RunRow
from haulier.io.saving import run_folder
from haulier.model.json_value import decoded

__all__ = ["Report", "StageCounts", "report_of"]

_SHAPE = 1  # version of the JSON shape


class StageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of one stage of a chain: read = the sum of all states, as in Report."""

    name: str
    read: int
    pending: int
    sending: int
    delivered: int
    accepted: int
    rejected: int
    in_doubt: int
    attempts: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of a run: read = pending + sending + delivered + accepted + rejected + in_doubt.

    stages: of a chain, the same for each stage; the counts above are sums of theirs. Empty without stages.

    state: `finished`; `stopped`, with the reason: the same call goes on; `open`: under way, or ended by a crash.
    attempts: requests that went out, repeated ones included. repeated: this is the report of an earlier run of the
    same input, nothing was sent now. started and ended in Unix seconds. note: what to tell the person beside it.
    parent: of a replay, the ids of the runs whose dead letters it carries, with commas between.
    saved_in: folder with the answers that are files; empty where none are kept. lost: how many are in doubt as the
    answer with the result of their job was lost; `haulier follow RUN --lost` asks once more.
    """

    run_id: str
    run_key: str
    destination: str
    source: str
    state: str
    reason: str
    read: int
    pending: int
    sending: int
    delivered: int
    accepted: int
    rejected: int
    in_doubt: int
    attempts: int
    started: float
    ended: float | None
    repeated: bool = False
    note: str = ""
    parent: str = ""
    saved_in: str = ""
    lost: int = 0
    stages: tuple[StageCounts, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every record was delivered."""
        return self.state == "finished" and self.delivered == self.read

    @property
    def exit_code(self) -> int:
        """What the command line exits with: 0 delivered, 3 stopped, 4 some rejected, else 5 in doubt or accepted."""
        if self.state != "finished":
            return 3
        if self.rejected:
            return 4
        return 5 if self.in_doubt or self.accepted else 0

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values, with the version of its shape."""
        return {
            "shape": _SHAPE,
            **msgspec.structs.asdict(self),
            "stages": [msgspec.structs.asdict(stage) for stage in self.stages],
            "ok": self.ok,
        }


_COUNTS = StageCounts.__struct_fields__[1:]


def _counts(view: StoreView, row: RunRow) -> StageCounts:
    sending = view.sending(row)
    settled = row.delivered + row.accepted + row.rejected + row.in_doubt
    return StageCounts(
        name=row.stage,
        read=row.read,
        pending=row.read - settled - sending,
        sending=sending,
        delivered=row.delivered,
        accepted=row.accepted,
        rejected=row.rejected,
        in_doubt=row.in_doubt,
        attempts=row.attempts,
    )


def report_of(
    view: StoreView, run: RunRow, destination: str, *, repeated: bool = False, note: str = ""
) -> Report:
    """The report of a run as its ledger has it now."""
    with view.snapshot():
        run = view.run(run.run_id) or run
        rows = (run, *view.stages(run))
        stages = [_counts(view, row) for row in rows]
        # Looked for among all requests, so not without need. The jobs of a chain are begun anew by a replay.
        lost = view.lost(run) if run.in_doubt and not run.stage else 0
    in_all = {name: sum(getattr(stage, name) for stage in stages) for name in _COUNTS}
    return Report(
        run_id=run.run_id,
        run_key=run.run_key,
        destination=destination,
        source=run.source,
        state=run.state,
        reason=run.reason,
        **in_all,
        started=run.started,
        ended=run.ended,
        repeated=repeated,
        note=note,
        parent=run.parent,
        saved_in=_saved_in(run),
        lost=lost,
        stages=tuple(stages) if run.stage else (),
    )


def _saved_in(run: RunRow) -> str:
    """The folders of a run's answers that are files, with commas between; empty where there are none."""
    settings: Any = decoded(run.settings)
    if not isinstance(settings, dict):
        return ""
    calls = (settings, *(settings.get("stages") or ()))
    folders = [call["save_body"] for call in calls if call.get("save_body")]
    return (
        ", ".join(dict.fromkeys(run_folder(folder, run.run_id) for folder in folders))
        if run.delivered
        else ""
    )
