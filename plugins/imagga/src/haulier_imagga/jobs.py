"""How Imagga's jobs are followed: a ticket is asked for until its result is final, and gives that once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haulier.authoring import Following

__all__ = ["FOLLOW", "FOLLOW_GROUPS", "groups_of"]

# A result is kept for 24 hours and deleted once it was answered: https://docs.imagga.com/
# No interval is documented; the time-out is Haulier's own.
FOLLOW = Following(
    endpoint="get-ticket", parameter="ticket_id", final="/result/is_final", once=True, first_s=2, most_s=30
)


def groups_of(answer: Any, items: Sequence[Any]) -> list[Mapping[str, Any]] | None:
    """For each face id the number of its group from 0, and how many faces are in it; null for one in no group.

    None where the answer has no groups that can be told apart: their shape was not established. Lists of face ids are
    read, and objects that hold one: https://github.com/henomis/imagga-go has a flat list, which says nothing.
    """
    result = answer.get("result") if isinstance(answer, Mapping) else None
    ticket = result.get("ticket_result") if isinstance(result, Mapping) else None
    groups = ticket.get("groups") if isinstance(ticket, Mapping) else None
    if not isinstance(groups, list) or not groups:
        return None
    found: dict[str, tuple[int, int]] = {}
    for number, group in enumerate(groups):
        ids = _ids(group)
        if ids is None:
            return None
        found.update((face, (number, len(ids))) for face in ids)
    return [*_parts(found, items)]


def _parts(found: Mapping[str, tuple[int, int]], items: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        number, size = found.get(item, (None, None)) if isinstance(item, str) else (None, None)
        yield {"group": number, "group_size": size}


def _ids(group: Any) -> list[str] | None:
    """The face ids of a group: itself, or the one list of texts in it."""
    if isinstance(group, Mapping):
        lists = [value for value in group.values() if isinstance(value, list)]
        group = lists[0] if len(lists) == 1 else None
    if isinstance(group, list) and all(isinstance(face, str) for face in group):
        return group
    return None


FOLLOW_GROUPS = FOLLOW.model_copy(update={"spread": groups_of})
