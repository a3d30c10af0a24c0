"""Going on with what was accepted: the sitting that follows the jobs of a run, behind `run` and by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from haulier.errors import ConfigurationError, PluginError
from haulier.io.credentials import Redactor
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.io.shared_limit import SharedLimit
from haulier.model.json_value import decoded
from haulier.model.wording import clause
from haulier.plugins.registry import Registry
from haulier.runs.credentials.authority import Authority, CredentialLike, authority_of
from haulier.runs.credentials.sharing import share_of
from haulier.runs.driving.loop import carried
from haulier.runs.driving.orders import Orders, kept_paths
from haulier.runs.jobs.follow import Clock, Follower
from haulier.runs.jobs.keeping import RunKeeping, Spaced
from haulier.runs.jobs.questions import Questioner, questioner_of
from haulier.runs.outputs.opened import authorities_of_outputs, close_outputs, lines_of, open_outputs
from haulier.runs.outputs.owing import Owing, ReadBack
from haulier.runs.outputs.served import Served
from haulier.runs.reports.history import replay_target
from haulier.runs.reports.report import Report, report_of
from haulier.runs.resolving.arguments import check_arguments
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier.runs.resolving.resolved import Resolved, place_of
from haulier.runs.resolving.site import site_of

__all__ = [
    "FollowOrders",
    "FollowSitting",
    "follow",
    "follow_after",
    "follows",
    "prepare_follow",
    "read_back",
]

_SLACK = 1.02  # wider than told, as requests do not all travel equally long


class FollowOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs of a run are followed with. timeout_s None: as long as the endpoint's template says.

    lost: ask, too, for jobs whose answer was lost.
    """

    resolved: Resolved
    registry: Registry
    authority: Authority
    output_authorities: Sequence[Authority]
    root: Path
    state_dir: Path
    timeout_s: float | None = None
    lost: bool = False
    clock: Clock | None = None


def read_back(state_dir: Path, run: RunRow) -> ReadBack:
    """Reads what an output is owed, in the output's thread: beside the writer, over a connection of its own."""

    def read(output: int, after: int, most: int) -> list[tuple[int, bytes]]:
        view = LedgerView.open(state_dir)
        try:
            return view.owed(run, output=output, after=after, most=most)
        finally:
            view.close()

    return read


async def follow_jobs(
    orders: FollowOrders,
    ledger: Store,
    run: RunRow,
    outputs: Sequence[Served],
    *,
    begun: Callable[[Follower], None],
) -> str:
    """Follow the jobs of a run until each is at its end or timed out; why it ended early, or an empty text.

    begun: handed the follower, so that it can be stopped.
    """
    questioner = questioner_of(orders.resolved, orders.registry, run, orders.root)
    if questioner is None:
        return ""
    troubles: list[Exception] = []
    keeping = RunKeeping(
        ledger,
        run,
        questioner,
        lines=lines_of(orders.resolved, orders.registry, run.run_id),
        redact=_redactor(orders),
        lost=orders.lost,
    )
    owing = Owing(
        outputs, read=read_back(orders.state_dir, run), paid=keeping.paid.extend, failed=troubles.append
    )
    keeping.owe = owing.durable if outputs else None
    share = share_of(orders.state_dir.parent, orders.resolved.origin, orders.authority)
    follower = _follower(orders, run, questioner, keeping, share)
    begun(follower)
    owing.begin(ledger.owing(run))
    try:
        await follower.run()
        late = await owing.finish(stopped=lambda: bool(follower.stop_reason), meanwhile=keeping.settle_debts)
        await keeping.settle_debts()
    finally:
        await owing.close()
        share.close()
    _ended_anew(ledger, run)
    for trouble in troubles:
        if isinstance(trouble, PluginError):
            raise trouble
    return follower.stop_reason or late or "; ".join(map(str, troubles))


def _ended_anew(ledger: Store, run: RunRow) -> None:
    """A run of which something came to rest by following ends now, not when its last record was sent."""
    now = ledger.run(run.run_id)
    if now is not None and now.accepted != run.accepted:
        ledger.end(now, state=now.state, reason=now.reason, ended=time.time())


def _follower(
    orders: FollowOrders, run: RunRow, questioner: Questioner, keeping: RunKeeping, share: SharedLimit
) -> Follower:
    """One as the orders say."""
    rate = orders.resolved.limits.requests_per_second
    return Follower(
        run,
        questioner,
        keeping,
        Spaced(share, _SLACK / rate if rate else 0.0),
        orders.authority,
        redact=_redactor(orders),
        way_out=f"to ask once more: haulier follow {run.run_id[:12]} --lost",
        timeout_s=orders.timeout_s,
        clock=orders.clock,
    )


def _redactor(orders: FollowOrders) -> Redactor:
    return orders.authority.redactor(*orders.output_authorities)


def follows(orders: Orders, at: int) -> bool | None:
    """Whether a stage of a run is to follow its jobs; None where its endpoint does not say how."""
    template = orders.stages[at].template
    return orders.follow if template is not None and template.follow is not None else None


async def follow_after(
    orders: Orders,
    ledger: Store,
    report: Report,
    outputs: Sequence[Served],
    *,
    begun: Callable[[Follower], None],
) -> Report:
    """Follow the jobs of a run that has just finished; its report then."""
    run = ledger.run(report.run_id)
    if run is None:
        return report
    following = FollowOrders(
        resolved=orders.resolved,
        registry=orders.registry,
        authority=orders.authorities[0],
        output_authorities=orders.output_authorities,
        root=orders.root,
        state_dir=orders.state_dir,
    )
    why = await follow_jobs(following, ledger, run, outputs, begun=begun)
    row = ledger.run(run.run_id) or run
    note = note_of(why, row)
    if report.repeated:
        asked = f"the jobs of {report.accepted:,} records that were accepted then were followed"
        note = "; ".join(filter(None, (report.note, asked, note)))
    return report_of(ledger, row, report.destination, repeated=report.repeated, note=note or report.note)


class FollowSitting:
    """Goes on with the jobs of a finished run; `stop` may be called from any thread."""

    def __init__(self, orders: FollowOrders, run_id: str | None) -> None:
        self._orders = orders
        self._run_id = run_id
        self._follower: Follower | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_reason = ""

    def stop(self, reason: str) -> None:
        """End after the question that is under way; the same call goes on."""
        self._stop_reason = self._stop_reason or reason
        follower, loop = self._follower, self._loop
        if follower is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(follower.stop, reason)

    async def run(self) -> Report:
        """Follow every job to its end or to its time-out; the report of the run as it is then."""
        self._loop = asyncio.get_running_loop()
        orders, name = self._orders, self._orders.resolved.destination.name
        ledger: Store = Ledger.create(orders.state_dir)
        try:
            run = self._found(ledger)
            outputs = await open_outputs(
                orders.resolved.destination.outputs,
                orders.registry,
                orders.root,
                orders.output_authorities,
                place=place_of(orders.resolved.destination, None),
                kept=kept_paths(orders.state_dir),
            )
            try:
                why = await follow_jobs(orders, ledger, run, outputs, begun=self._begun)
            finally:
                await close_outputs(outputs)
            row = ledger.run(run.run_id) or run
            return report_of(ledger, row, name, note=note_of(why, row))
        finally:
            ledger.close()

    def _begun(self, follower: Follower) -> None:
        self._follower = follower
        if self._stop_reason:
            follower.stop(self._stop_reason)

    def _found(self, ledger: Store) -> RunRow:
        runs = ledger.runs()
        run = ledger.run(self._run_id) if self._run_id else next(iter(runs), None)
        if run is None:
            raise ConfigurationError(f"there is no run {self._run_id}; see: haulier runs")
        if run.state != "finished":
            raise ConfigurationError(
                f"run {run.run_id} is not finished: carry it to its end first, with the command that began it"
            )
        check_same(self._orders.resolved, run)
        return run


def note_of(why: str, run: RunRow) -> str:
    """What to tell of the following beside the report."""
    if why:
        return f"following stopped: {clause(why)}; go on with: haulier follow {run.run_id[:12]}"
    if run.accepted:
        return f"not at their end yet: {run.accepted:,} records; go on with: haulier follow {run.run_id[:12]}"
    return ""


def check_same(resolved: Resolved, run: RunRow) -> None:
    """Tickets mean something to the service and the endpoint that gave them only; else ConfigurationError."""
    found = decoded(run.settings)
    before: Mapping[str, Any] = found if isinstance(found, dict) else {}
    origin = resolved.origin + resolved.address.base_path
    if before.get("origin", origin) != origin:
        raise ConfigurationError(
            f"the tickets of run {run.run_id} are of {before['origin']}, and the destination leads to {origin} now; "
            "put it back, or say --base-url"
        )
    if before.get("endpoint") != resolved.destination.endpoint:
        raise ConfigurationError(
            f"the tickets of run {run.run_id} are of the endpoint {before.get('endpoint')}, and the destination names "
            f"{resolved.destination.endpoint} now; put it back"
        )


def prepare_follow(
    word: str,
    *,
    state: str | None = None,
    credential: CredentialLike = None,
    base_url: str | None = None,
    timeout_s: float | None = None,
    lost: bool = False,
    clock: Clock | None = None,
) -> FollowSitting:
    """Everything checked, nothing asked: what `follow` does before it begins."""
    destination, run_id = replay_target(word, state=state)
    site = site_of(destination, state=state)
    registry = load_registry()
    resolved = resolve(site.destination, registry, base_url=base_url)
    if site.destination.stages is not None:
        raise ConfigurationError(
            f"destination `{site.destination.name}` is a chain, whose jobs are followed while it runs: go on with the "
            "command that began the run, without --no-follow"
        )
    if resolved.template is None or resolved.template.follow is None:
        raise ConfigurationError(
            f"destination `{site.destination.name}`: its endpoint does not say how a job is asked for, so nothing can "
            "be followed; see: haulier endpoints"
        )
    return FollowSitting(
        FollowOrders(
            resolved=resolved,
            registry=registry,
            authority=authority_of(site, resolved, registry, credential),
            output_authorities=authorities_of_outputs(site, resolved.destination.outputs, registry),
            root=site.root,
            state_dir=site.state_dir(),
            timeout_s=timeout_s,
            lost=lost,
            clock=clock,
        ),
        run_id,
    )


def follow(
    run: str,
    *,
    state: str | None = None,
    credential: CredentialLike = None,
    base_url: str | None = None,
    timeout_s: float | None = None,
    lost: bool = False,
) -> Report:
    """Go on asking for the jobs of a finished run, and settle its records with their results; the report then.

    run: its id, the beginning of it, or a destination for its latest run. timeout_s: longest time for each job,
    instead of what its endpoint says. lost: ask, too, for jobs whose answer was lost: the result may still be there.
    Raises ConfigurationError where there is nothing that can be followed.
    """
    check_arguments(run=run, credential=credential, base_url=base_url, timeout_s=timeout_s, lost=lost)
    sitting = prepare_follow(
        run, state=state, credential=credential, base_url=base_url, timeout_s=timeout_s, lost=lost
    )
    return carried(sitting)
