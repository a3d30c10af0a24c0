"""A destination ready to run: what resolving it gives."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import chain

import msgspec

from haulier.delivery.judging import Judging
from haulier.errors import ConfigurationError, DestinationError, PluginError, RecordError
from haulier.model.connector import Attributes, Connector, EndpointTemplate
from haulier.model.delivery import Judge, Outcomes, Stop, Verdict
from haulier.model.destination import Batching, Destination, Limits, Stage
from haulier.model.expression import RunFacts
from haulier.model.fetch import Fetch
from haulier.model.parts import ContentEncoder, GroupingAlgorithm, Program, Settings
from haulier.model.paths import attribute_path
from haulier.model.request import Request, Response
from haulier.pipeline.address import AddressTemplate, compile_address
from haulier.pipeline.attributes import Way
from haulier.pipeline.bounds import Bounded
from haulier.pipeline.encoding import gzipped
from haulier.pipeline.encoding.json import JSON
from haulier.pipeline.planner import Planner
from haulier.pipeline.spec import BodyValue, PlanSpec
from haulier.plugins.registry import Registry
from haulier.runs.resolving.columns import empty_columns
from haulier.runs.resolving.formatting import empty_record, settings_for_run, settings_vary
from haulier.runs.resolving.guarding import GuardedEncode, GuardedGrouping, guard_of
from haulier.runs.resolving.pieces import FileParameter, Pieces
from haulier.runs.resolving.returned import verdict_fault, warnings_fault
from haulier.runs.resolving.shape import check_item, item_of, shape_of

__all__ = ["PREVIEW_RUN_ID", "Resolved", "place_of"]

# Stands where a run's own id will: whatever is made of it differs in the run and is marked as varying.
PREVIEW_RUN_ID = "0" * 32
_CLOCK = r"\b(?:started|datetime|date|time)\b"  # by which code can tell when it runs
_OK_AGAIN = (
    "`verdicts` has a 200 tried again until all attempts are spent: `success_when` tells by what an answer says "
    "whether it is a success"
)
_NOTHING_TO_HALVE = (
    "`all_or_nothing` says nothing here: it halves a batch that is refused, and no batches are made; write `batching`, "
    "or take it out"
)
_GZIPPED = (("Content-Encoding", "gzip"),)
_FIXED_HEADERS = (("User-Agent", "haulier"), ("Accept", "*/*"))


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A destination ready to run, or one stage of a chain. limits: the connector's with its own laid over them.

    destination: of a stage, the destination it would be by itself; stage: what it says besides, None without stages.
    registry: where it was resolved, by which messages name the plugin that brings a part of it.
    """

    destination: Destination
    connector: Connector
    pieces: Pieces
    encoder: ContentEncoder
    encoder_settings: Settings
    registry: Registry
    algorithm: GroupingAlgorithm | None
    grouping_settings: Settings | None
    way: Way
    limits: Limits
    stage: Stage | None = None

    @property
    def name(self) -> str:
        """Of its stage; empty without stages."""
        return self.stage.name if self.stage is not None else ""

    @property
    def template(self) -> EndpointTemplate | None:
        """The endpoint template; None for a request made by hand."""
        return self.pieces.template

    @property
    def address(self) -> AddressTemplate:
        """Where its requests go."""
        return self.pieces.address

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.pieces.address.method

    @property
    def attributes(self) -> Attributes:
        """Where the attributes of a record go."""
        return self.pieces.attributes

    @property
    def body(self) -> tuple[BodyValue, ...]:
        """Further values of the body."""
        return self.pieces.body

    @property
    def files(self) -> tuple[FileParameter, ...]:
        """Parts of the body that are files."""
        return self.pieces.files

    @property
    def fetch(self) -> Fetch | None:
        """How files are fetched that are named by URL; None where none is."""
        written = self.destination.fetch
        if not self.files or written is False:
            return None
        return Fetch() if written is True else written

    @property
    def batching(self) -> Batching | None:
        """How records travel together; None where each goes alone."""
        return self.pieces.batching

    @property
    def program(self) -> Program | None:
        """The program that its grouping has called with each batch, None where it calls none."""
        if self.algorithm is None or not self.algorithm.waits:
            return None
        grouping = guard_of(self.registry, self.algorithm).around(self.algorithm.factory)(
            self.grouping_settings
        )
        program = getattr(grouping, "program", None)
        return program if isinstance(program, Program) else None

    @property
    def fault_of_grouping(self) -> str:
        """What its grouping does of a record without attributes that none should, in words; else an empty text.

        It may refuse such a record: RecordError says so.
        """
        algorithm = self.algorithm
        if algorithm is None or algorithm.waits:
            return ""
        grouping = GuardedGrouping(
            algorithm.factory, self.grouping_settings, guard_of(self.registry, algorithm)
        )
        try:
            grouping.build([empty_record(algorithm, self.encoder)])
        except PluginError as error:
            return str(error)
        except RecordError:
            return ""
        return ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its author should know."""
        empty = empty_columns(self.destination.outputs) if self.batching is not None else ()
        again = (_OK_AGAIN,) if self.destination.verdicts.get(200) == "retry" else ()
        vain = (_NOTHING_TO_HALVE,) if self.destination.all_or_nothing and not self._halvable else ()
        look = self.encoder.warnings
        guard = guard_of(self.registry, self.encoder, part="`warnings` of")
        of_format = (
            guard.around(look, returns=warnings_fault)(self.encoder_settings) if look is not None else ()
        )
        return (*self.pieces.warnings, *of_format, *empty, *again, *vain)

    @property
    def _halvable(self) -> bool:
        """Whether records travel in batches that can be made smaller."""
        return self.batching is not None and not self.pieces.whole

    @property
    def origin(self) -> str:
        """scheme://host[:port] that its requests go to."""
        return self.address.origin

    @property
    def varies(self) -> bool:
        """Whether something uses the run's start or id, besides the idempotency key and code."""
        return (
            self.address.varies
            or any(value.expression.varies for value in self.body)
            or settings_vary(self.encoder, self.encoder_settings)
            or shape_of(self.destination).varies
        )

    @property
    def code_may_vary(self) -> bool:
        """Whether code might ask when it runs: it names a clock, or stands in a file that is read later."""
        program = self.program
        return program is not None and bool(program.file or re.search(_CLOCK, program.source))

    @property
    def record_paths(self) -> tuple[tuple[str, ...], ...]:
        """The attribute paths that its expressions read, each once: address, values of the body, files, `add`."""
        read = (
            self.address.record_paths,
            *(value.record_paths for value in self.body),
            *(file.path.record_paths for file in self.files),
            shape_of(self.destination).record_paths,
        )
        return tuple(dict.fromkeys(chain.from_iterable(read)))

    def judging(self, *, body_kept: bool = False) -> Judging:
        """The rules by which its answers are judged. body_kept: whether an output keeps what they say."""
        template = self.template
        return Judging(
            verdicts={**(template.verdicts if template else {}), **self.destination.verdicts},
            judge=self._judge(template) if template is not None else None,
            answers_file=template is not None
            and template.answers == "file"
            and self.destination.answers is None,
            answers_json=(self.destination.answers or (template.answers if template else "any")) != "any",
            ticket=template.ticket if template else "",
            success_when=self.destination.success_when or (template.success_when if template else None),
            reason_at=self.destination.reason_at or (template.reason_at if template else None),
            outcomes=self.destination.outcomes or (template.outcomes if template else None),
            key=self.destination.key,
            container=self._halvable,
            all_or_nothing=self._all_or_nothing(),
            body_kept=body_kept,
            fixed_address=not self.address.record_paths,
            wall_s=time.time,
        )

    def _judge(self, template: EndpointTemplate) -> Judge | None:
        if template.judge is None:
            return None
        place = place_of(self.destination, self.stage)
        guard = guard_of(self.registry, template, part="judge of", place=place)
        judge = guard.around(template.judge, returns=verdict_fault, about=_of_answer)

        def judged(request: Request, response: Response) -> Verdict | Outcomes | Stop | None:
            found = judge(request, response)
            if isinstance(found, Outcomes) and len(found.verdicts) != len(request.positions):
                told = (
                    f"returned Outcomes of {len(found.verdicts)} verdicts; there must be one for each record"
                )
                raise guard.fault(told, _of_answer(request, response))
            return found

        return judged

    def _all_or_nothing(self) -> bool:
        written = self.destination.all_or_nothing
        if written is None:
            return self.template is not None and self.template.all_or_nothing
        return written

    def planner(self, facts: RunFacts, *, run_id: str = "") -> Planner:
        """The planner of one run; raises ConfigurationError where a `--param` is missing or an address cannot be.

        run_id: of which idempotency keys are made, where it is not that of the facts.
        """
        return Planner(self.spec(facts, run_id=run_id))

    def spec(self, facts: RunFacts, *, run_id: str = "") -> PlanSpec:
        """What `planner` makes its planner of; raises as it does."""
        try:
            return self._spec(facts, run_id or facts.run_id)
        except ConfigurationError as error:
            raise type(error)(f"{place_of(self.destination, self.stage)}: {error}") from None

    def _spec(self, facts: RunFacts, run_id: str) -> PlanSpec:
        batching, algorithm = self.batching or Batching(size=1), self.algorithm
        whole = self.pieces.whole
        placed = algorithm is not None and not algorithm.waits
        anew = algorithm is not None and algorithm.needs == "values"
        opaque = placed and not anew and self.way != "full"
        grouped_by = guard_of(self.registry, algorithm) if algorithm is not None else None
        shape, item = shape_of(self.destination), item_of(batching, self.pieces.item_type)
        if item is not None:
            check_item(item, shape)
        return PlanSpec(
            method=self.method,
            address=compile_address(self.address, facts),
            encode=GuardedEncode(self.encoder.encode, guard_of(self.registry, self.encoder)),
            encoder_settings=settings_for_run(self.encoder, self.encoder_settings, facts),
            way=self.way,
            run_id=run_id,
            attributes=self.attributes,
            shape=shape.resolve(facts),
            body=tuple(value.resolve(facts) for value in self.body),
            bounds=_bounds(self.pieces.bounds, facts),
            files=tuple(file.name for file in self.files),
            grouping=GuardedGrouping(algorithm.factory, self.grouping_settings, grouped_by)
            if algorithm is not None and grouped_by is not None
            else None,
            grouped_by=grouped_by.what if grouped_by is not None else "",
            place=place_of(self.destination, self.stage),
            placed=placed,
            anew=anew,
            waits=self.program is not None,
            encoder_needs=self.encoder.needs,
            size=0 if whole or algorithm is None else batching.size,
            max_bytes=None if whole else batching.max_bytes,
            max_wait=None if whole else batching.max_wait,
            group_by=tuple(attribute_path(name, place="batching.group_by") for name in batching.group_by),
            weighed=batching.max_bytes is not None and opaque and self.encoder.needs == "opaque",
            minimum=self.pieces.minimum,
            item=item,
            media_type=self.encoder.media_type,
            booleans=self.address.booleans,
            idempotency_key=self.pieces.idempotency_key and self.method != "GET",
            headers=(*_FIXED_HEADERS, *_GZIPPED) if self.destination.compress else _FIXED_HEADERS,
            compress=gzipped if self.destination.compress else None,
            verbatim=self.encoder.encode is JSON.encode and not self.destination.compress,
        )


def place_of(destination: Destination, stage: Stage | None) -> str:
    """How messages name a destination, or a stage of it."""
    return f"destination `{destination.name}`" + (f", stage `{stage.name}`" if stage is not None else "")


def _bounds(bounds: Sequence[Bounded], facts: RunFacts) -> tuple[Bounded, ...]:
    """What records are held against; DestinationError where a `--param` is outside of certain bounds itself."""
    resolved = [one.resolve(facts) for one in bounds]
    for one in resolved:
        if one.certain and not one.expression.needs_record and (why := one.outside(one.expression.text())):
            raise DestinationError(f"params.{one.name}: {why}")
    return tuple(one for one in resolved if one.expression.needs_record)


def _of_answer(request: Request, response: Response) -> str:
    """What a judge was asked of, in words."""
    count, first = len(request.positions), min(request.positions)
    records = f"record {first}" if count == 1 else f"{count:,} records from {first} on"
    return f"asked of the answer {response.status} to {records}"
