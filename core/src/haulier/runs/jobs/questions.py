"""How the jobs of a destination are asked for: the question for a ticket, and what an answer says of each record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from haulier.delivery.follow import Patience
from haulier.io.ledger.rows import RunRow
from haulier.model.column import Fault, values_at
from haulier.model.connector import Following
from haulier.model.destination import Destination
from haulier.model.expression import RunFacts
from haulier.model.json_value import decoded
from haulier.model.paths import written_path
from haulier.model.pointer import look_up
from haulier.model.request import Request, Response
from haulier.pipeline.shaping import Shape, Shaper
from haulier.plugins.registry import Registry
from haulier.runs.inputs.intake import Intake
from haulier.runs.previews.preview import pick_sample
from haulier.runs.resolving.guarding import Guard, guard_of
from haulier.runs.resolving.resolve import resolve
from haulier.runs.resolving.resolved import Resolved, place_of
from haulier.runs.resolving.returned import spread_fault
from haulier.runs.resolving.shape import item_of, shape_of

__all__ = ["Questioner", "questioner_of"]


class Questioner(msgspec.Struct, frozen=True, kw_only=True):
    """How jobs of a destination are asked for. resolved: the call; following: how its template says it is done.

    shape: what became of the attributes of each record before it was put into the call that began the job; item: path
    of the one that was put there, as it was named then; empty: all of it. guard: around `spread`.
    """

    resolved: Resolved
    following: Following
    facts: RunFacts
    root: Path
    shape: Shape
    item: tuple[str, ...]
    guard: Guard

    def request(self, ticket: str) -> Request:
        """The question for one ticket; ConfigurationError where the ticket cannot stand in an address."""
        return pick_sample([self.resolved], self.facts, Intake([{"ticket": ticket}]), self.root, 0)

    def patience(self, timeout_s: float | None) -> Patience:
        """How often, and for how long."""
        how = self.following
        return Patience(
            final=how.final,
            once=how.once,
            first_s=how.first_s,
            most_s=how.most_s,
            timeout_s=how.timeout_s if timeout_s is None else timeout_s,
        )

    def parts(self, response: Response, texts: Sequence[bytes]) -> Sequence[dict[str, Any]] | None:
        """What each record gets of the last answer."""
        spread = self.following.spread
        if spread is None or not texts:
            return None
        items = self._sent(texts)
        found = self.guard.around(spread, returns=spread_fault)(look_up(response.body, ""), items)
        if found is None or len(found) != len(items):
            return None
        return [
            ({written_path(self.item): item} if self.item else {}) | dict(part)
            for item, part in zip(items, found, strict=True)
        ]

    def _sent(self, texts: Sequence[bytes]) -> list[Any]:
        """What each record put into the call, as `item` names it; None where it has no such attribute."""
        records = [decoded(text) for text in texts]
        faults: dict[int, str] = {}
        shaper = Shaper(self.shape, values=True)
        shaper.read(records, faults)
        records = [record or {} for record in shaper.send(records, faults)]
        items = values_at(self.item)(records) if self.item else records
        return [
            None if index in faults or isinstance(item, Fault) else item for index, item in enumerate(items)
        ]


def questioner_of(resolved: Resolved, registry: Registry, run: RunRow, root: Path) -> Questioner | None:
    """How the jobs of a run are asked for; None where its endpoint does not say."""
    template, destination = resolved.template, resolved.destination
    if template is None or template.follow is None:
        return None
    how = template.follow
    item = item_of(resolved.batching)
    facts = RunFacts(run.run_id, run.started, decoded(run.settings).get("parameters", {}))
    asking = Destination.model_validate(
        {
            "name": destination.name,
            "connector": destination.connector,
            "endpoint": how.endpoint,
            "credential": destination.credential,
            "params": {how.parameter: "{record.ticket}"},
            "headers": destination.headers,
            "override_authorization": destination.override_authorization,
            "timeout_s": destination.timeout_s,
            "base_url": resolved.origin + resolved.address.base_path,
        }
    )
    return Questioner(
        resolved=resolve(asking, registry),
        following=how,
        facts=facts,
        root=root,
        shape=shape_of(destination).resolve(facts),
        item=item.paths[0] if item is not None and item.alone else (),
        guard=guard_of(registry, template, part="`spread` of", place=place_of(destination, resolved.stage)),
    )
