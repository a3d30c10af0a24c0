"""Which run this is: a new one, an unfinished one that goes on, or a finished one whose report is shown again."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.activation import changed, settings_of
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import RunRow, Unsettled
from haulier.io.readers.input_hash import InputHash
from haulier.model.json_value import decoded
from haulier.model.written_number import as_written
from haulier.runs.driving.orders import Orders
from haulier.runs.resolving.brought import Maker, brought_by_template, makers_of, replaced

__all__ = [
    "check_bodies",
    "check_hash",
    "check_outputs",
    "goes_on",
    "later_stages",
    "new_run",
    "note_for_finished",
    "plugins_changed",
    "settings_now",
    "stages_mended",
]

_AGAIN = "--again repeats it, again=True in Python"
_UNREAD = (
    "a run under this key finished before; nothing was read or sent, so whether this is the same input nobody "
    f"compared. Take another --run-key (run_key=) for other input; {_AGAIN}"
)
_OTHER_INPUT = (
    "a run under this key finished before with another input; nothing was sent. "
    "Take another --run-key (run_key=) for this input, or --again (again=True)"
)

# What may differ between two sittings of one run: none of it changes a byte of a request.
_NOT_COMPARED = (
    "credential",
    "fetch",
    "limits",
    "outputs",
    "description",
    "retry",
    "timeout_s",
    "transport",
    "unanswered",
    # How answers are read: who mends that wants to go on.
    "all_or_nothing",
    "answers",
    "max_rejected",
    "outcomes",
    "reason_at",
    "success_when",
    "verdicts",
)
# Kept for reports and messages.
_TOLD = ("plugins", "save_body")


def later_stages(orders: Orders, run: RunRow) -> list[RunRow]:
    """The rows of the later stages of a chain, beside the run's own; its keys and lines are named by them."""
    names = [stage.name for stage in orders.stages]
    return [
        msgspec.structs.replace(
            run,
            run_id=f"{run.run_id}.{name}",
            run_key=f"{run.run_id}.{name}",
            source=f"stage {before}",
            parent="",
            settings=run.settings,
            way=resolved.way,
            stage=name,
        )
        for before, name, resolved in zip(names, names[1:], orders.stages[1:], strict=False)
    ]


def new_run(orders: Orders, run_key: str, fingerprint: str, parent: str = "") -> RunRow:
    """The row that a new run begins with. parent: of a replay, the runs whose dead letters it carries."""
    return RunRow(
        id=0,
        run_id=uuid.uuid4().hex,
        run_key=run_key,
        parent=parent,
        state="open",
        reason="",
        started=time.time(),
        ended=None,
        source=orders.intake.name,
        fingerprint=fingerprint,
        settings=_settings(orders),
        way=orders.resolved.way,
        read=0,
        digest=None,
        low_water=0,
        delivered=0,
        accepted=0,
        rejected=0,
        in_doubt=0,
        attempts=0,
        stage=orders.resolved.name,
    )


async def note_for_finished(orders: Orders, earlier: RunRow, *, given: bool) -> str | None:
    """What to say beside the report of a finished run; None where the input is another one, to be sent."""
    intake = orders.intake
    if given and not intake.repeatable:
        return _UNREAD if earlier.read else None
    check_hash(earlier)
    found = await asyncio.to_thread(intake.whole_digest, InputHash.of(earlier.digest))
    same = found == (earlier.read, earlier.digest)
    if not same:
        # One that read nothing used nothing up.
        return _OTHER_INPUT if given and earlier.read else None
    if given:
        return f"this run finished before; nothing was sent ({_AGAIN})"
    if _written(earlier.settings) != _written(_settings(orders)):
        return None
    return f"this very input was carried there before; nothing was sent ({_AGAIN})"


def check_hash(earlier: RunRow) -> None:
    """Hold back a run whose input cannot be compared, as what hashed it is not installed: ConfigurationError."""
    hashed_by = InputHash.of(earlier.digest)
    if not hashed_by.installed:
        state = "finished" if earlier.state == "finished" else "unfinished"
        raise ConfigurationError(
            f"run {earlier.run_id} of this input is {state}, and what it read was hashed by {hashed_by.title}, which "
            "is not installed here, so whether this is the same input cannot be told. Nothing was sent: "
            "pip install 'haulier[fast]', then give the same command again"
        )


def goes_on(orders: Orders, earlier: RunRow, ledger: Store) -> bool:
    """Whether an earlier run goes on with these settings; ConfigurationError where they differ too late."""
    if earlier.state == "finished":
        return True
    old, new = _compared(orders, earlier)
    if old == new:
        return True
    if all(_is_bare(run, ledger) for run in (earlier, *ledger.stages(earlier))):
        return False
    bare = {stage.stage for stage in ledger.stages(earlier) if _is_bare(stage, ledger)}
    if _but_for(bare, old) != _but_for(bare, new):
        lines = "; ".join(changed(old, new))
        others = plugins_changed(orders, earlier)
        back = f"It was begun with {others}: reinstall that and put them" if others else "Put them"
        raise ConfigurationError(
            f"run {earlier.run_id} of this input is unfinished and was begun with other settings: {lines}. "
            f"{back} back to go on with it, or begin a run of its own with another --run-key (run_key=)"
        )
    return True


def plugins_changed(orders: Orders, earlier: RunRow) -> str:
    """Which plugins that have a say in its requests are others than in its last sitting, with both versions.

    Empty where none is, or where an earlier version of Haulier kept nothing of them.
    """
    before = msgspec.convert(decoded(earlier.settings).get("plugins", []), list[Maker])
    return " and ".join(replaced(before, makers_of(orders.stages, orders.registry)))


def check_bodies(orders: Orders, earlier: RunRow, changed: Sequence[Unsettled]) -> None:
    """Hold back a run of which requests that may have gone out are others now, as a plugin was replaced meanwhile.

    changed: those requests. ConfigurationError unless somebody said that they are to be left in doubt.
    """
    others = plugins_changed(orders, earlier) if changed and not orders.leave_in_doubt else ""
    if others:
        records = sum(len(left.positions) for left in changed)
        raise ConfigurationError(
            f"run {earlier.run_id} of this input is unfinished, and other bodies come now of {records:,} records in "
            f"{len(changed):,} requests that may have gone out; it was begun with {others}. Nothing was sent. "
            "Reinstall that to go on with the same bytes, or say --leave-in-doubt (leave_in_doubt=True): these records "
            "are in doubt then, and the rest goes on. The ledger has a request some windows before it leaves, so only "
            "the service knows how many of them had left"
        )


def stages_mended(orders: Orders, earlier: RunRow, ledger: Store) -> list[RunRow]:
    """The later stages of a run that goes on whose settings are others now: nothing can have come of them so far."""
    old, new = _compared(orders, earlier)
    return [stage for stage in ledger.stages(earlier) if old != new and _is_bare(stage, ledger)]


def settings_now(orders: Orders, earlier: RunRow) -> RunRow:
    """The row of a run that goes on, with where answers are saved from now on."""
    return msgspec.structs.replace(earlier, settings=_settings(orders))


def check_outputs(orders: Orders, earlier: RunRow, owing: Mapping[int, tuple[int, int]]) -> None:
    """Lines are kept for outputs by their number: while there are any, each must be of the type it was."""
    outputs = [output.to for output in orders.outputs]
    before = decoded(earlier.settings).get("outputs", outputs)
    for number, (count, _) in owing.items():
        if outputs[number : number + 1] != before[number : number + 1]:
            state, way_out = (
                ("finished", "to hand them over")
                if earlier.state == "finished"
                else (
                    "unfinished",
                    "to go on with it, or begin a run of its own with another --run-key (run_key=)",
                )
            )
            raise ConfigurationError(
                f"run {earlier.run_id} of this input is {state} and keeps {count:,} lines for its output "
                f"{number + 1}; its outputs were: {', '.join(before)}. Put them back in this order {way_out}"
            )


def _settings(orders: Orders) -> str:
    """What a resume compares: all but limits, outputs and the credential's values; of those their types only."""
    settings = settings_of(orders.destination)
    for written in (settings, *settings.get("stages", ())):
        for name in _NOT_COMPARED:
            written.pop(name, None)
    origins = [stage.address.origin + stage.address.base_path for stage in orders.stages]
    settings["origin"] = origins[0] if len(set(origins)) == 1 else origins
    settings["parameters"] = dict(orders.params)
    settings["outputs"] = [output.to for output in orders.outputs]
    brought = {stage.name: brought_by_template(stage) for stage in orders.stages}
    settings["template"] = brought if orders.is_chain else brought[""]
    settings["plugins"] = msgspec.to_builtins(makers_of(orders.stages, orders.registry))
    programs = [program for stage in orders.stages if (program := stage.program) is not None and program.file]
    if programs:
        from haulier.io.code.room import loaded  # noqa: PLC0415 - comes with all that runs processes

        codes = [sha256(loaded(program, orders.root).source.encode()).hexdigest() for program in programs]
        settings["code"] = codes[0] if len(codes) == 1 else codes
    return msgspec.json.encode(as_written(settings), order="deterministic").decode()


def _compared(orders: Orders, earlier: RunRow) -> tuple[Any, Any]:
    """Settings of an earlier sitting and of now, as two sittings of one run are held against each other.

    What templates bring is among them, unless an earlier version of Haulier began the run and kept nothing of it.
    """
    kept, now = decoded(earlier.settings), decoded(_settings(orders))
    old, new = _written(earlier.settings), _written(_settings(orders))
    if "template" in kept:
        old["template"], new["template"] = kept["template"], now["template"]
    return old, new


def _written(settings: str) -> Any:
    """Settings as two runs are held against each other: what a person wrote of them, and the origin it leads to.

    An upgrade of a plugin makes no finished run another one, which would send everything again.
    """
    found = decoded(settings)
    for written in (found, *found.get("stages", ())):
        for name in (*_NOT_COMPARED, *_TOLD):
            written.pop(name, None)
    found.pop("template", None)
    return found


def _but_for(stages: Collection[str], settings: Any) -> Any:
    """Settings without what is said of some stages; which records come to a stage is said of those before it, too."""
    written = settings.get("stages", ())
    if not stages or not written:
        return settings
    origin = settings["origin"]
    origins = origin if isinstance(origin, list) else [origin] * len(written)
    kept = [
        {name: one[name] for name in ("name", "after", "each") if name in one}
        if one["name"] in stages
        else one
        for one in written
    ]
    names = [one["name"] for one in written]
    brought = {name: one for name, one in settings.get("template", {}).items() if name not in stages}
    where = [None if name in stages else at for name, at in zip(names, origins, strict=True)]
    return {**settings, "stages": kept, "origin": where, "template": brought}


def _is_bare(run: RunRow, ledger: Store) -> bool:
    """Whether nothing of a run, or of a stage, can have come to anything, so that mended settings may begin it anew."""
    settled = run.delivered + run.accepted + run.in_doubt
    return not settled and not any(left.may_have_been_sent for left in ledger.unsettled(run))
