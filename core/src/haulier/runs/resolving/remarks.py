"""What the author of a destination should know of its stages, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from haulier.model.closest import closest
from haulier.model.destination import Destination
from haulier.runs.resolving.resolved import Resolved

__all__ = ["failing_groupings", "misspelt_stages", "taken_twice", "warnings_of"]

_ALIKE = 0.8  # of 1: a path that is that like a known one is taken for a misspelt one


def warnings_of(stages: Sequence[Resolved]) -> tuple[str, ...]:
    """What the author of all stages should know, each warning with the stage it is about."""
    own = [
        f"stage `{one.name}`: {warning}" if one.name else warning
        for one in stages
        for warning in one.warnings
    ]
    return (*own, *_misspelt(stages))


def failing_groupings(stages: Sequence[Resolved]) -> Iterator[str]:
    """A warning for each grouping that raises what nobody expects for a record without attributes.

    It may well be right for the records to come, so it is not refused; one that refuses such a record by RecordError
    says what it should.
    """
    for one in stages:
        if fault := one.fault_of_grouping:
            place = f"stage `{one.name}`: " if one.name else ""
            yield (
                f"{place}batching: {fault}, for a record without attributes; it should refuse by RecordError what it "
                "cannot place, as anything else stops the run"
            )


def taken_twice(destination: Destination, stages: Sequence[Resolved]) -> Iterator[str]:
    """A warning for each name that two stages take out of their answers, where outputs beside the stages get one."""
    first: dict[str, str] = {}
    for one in stages if destination.outputs else ():
        for name in _takes(one):
            if (before := first.setdefault(name, one.name)) != one.name:
                yield (
                    f"outputs: stages `{before}` and `{one.name}` both take `{name}` out of their answers, and a line "
                    f"has that of `{before}`; for both, write `answer: true` or `outputs` in stage `{one.name}`"
                )


def _takes(resolved: Resolved) -> Mapping[str, str]:
    """What is taken out of the answer a record goes on with; of a job that is its result, which has none."""
    template = resolved.template
    return template.takes if template is not None and template.follow is None else {}


def misspelt_stages(stages: Sequence[Resolved]) -> Iterator[str]:
    """A warning for each path of a later stage that begins with what is like the name of an earlier one, but is none.

    A record may have an attribute of that name, so those that the first stage reads pass, and whatever is not looked
    into. Where records are at hand, these say more: see `unknown_attributes`.
    """
    names: list[str] = []
    of_records = {path[0] for path in stages[0].record_paths}
    for before, resolved in pairwise(stages):
        names.append(before.name)
        for path in resolved.record_paths:
            if len(path) > 1 and path[0] not in (*names, *of_records) and (close := closest(path[0], names)):
                yield (
                    f"stage `{resolved.name}`: {{record.{'.'.join(path)}}}: `{path[0]}` is no earlier stage; is "
                    f"`{close[0]}` meant?"
                )


def _misspelt(stages: Sequence[Resolved]) -> Iterator[str]:
    """A warning for each path into an earlier stage's answer that is like one it is known to have, but is not it.

    What else an answer holds is not known, so any other path passes.
    """
    known: dict[str, list[str]] = {}
    for before, resolved in pairwise(stages):
        if resolved.stage is not None and resolved.stage.each is not None:
            return  # from here on a record holds an element of the answer, not the answer
        known[before.name] = [".".join(pointer.split("/")[1:]) for pointer in _takes(before).values()]
        for path in resolved.record_paths:
            written, names = ".".join(path[1:]), known.get(path[0], [])
            same_end = [name for name in names if name.rpartition(".")[2] == path[-1]]
            close = same_end or closest(written, names, _ALIKE)
            if close and not any(_leads(written, name) for name in names):
                yield (
                    f"stage `{resolved.name}`: {{record.{'.'.join(path)}}}: the answer of stage `{path[0]}` is known "
                    f"to have {close[0]}; is that meant?"
                )


def _leads(written: str, name: str) -> bool:
    """Whether one path is the other, or a part of it, or goes on below it."""
    return f"{name}.".startswith(f"{written}.") or f"{written}.".startswith(f"{name}.")
