"""Preview: the first requests of a plan, as they would go out. No network, nothing written, nothing kept.

It is a loop around the planner that runs use; there is no second way to make a request.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.transports.protocol import NOTHING_ADDED, head_of
from haulier.model.block import RejectedRecord
from haulier.model.expression import RunFacts
from haulier.model.request import FilePart, Request
from haulier.pipeline.planner import Planned, Planner
from haulier.plugins.registry import Registry
from haulier.runs.inputs.collisions import apart_from
from haulier.runs.inputs.filing import Fetching, Filing, Unfetched, with_files
from haulier.runs.inputs.guarded_readers import readers_of
from haulier.runs.inputs.intake import Intake, RecordsLike
from haulier.runs.previews.coding import carried_out, carrier_of
from haulier.runs.previews.describing import LaterStage, later_stages, unknown_attributes
from haulier.runs.resolving.arguments import check_arguments
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.remarks import warnings_of
from haulier.runs.resolving.resolve import resolve_stages
from haulier.runs.resolving.resolved import PREVIEW_RUN_ID, Resolved
from haulier.runs.resolving.site import DestinationLike, Site, site_of

__all__ = [
    "Prepared",
    "Preview",
    "Sample",
    "attribute_warnings",
    "fetcher_of",
    "pick_sample",
    "planned",
    "prepared",
    "preview",
    "preview_of",
    "sample_of",
    "unfetched_in",
]

_MOST_REJECTED = 20  # shown
_MOST_REFUSED = 1_000  # looked at while nothing can be sent


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a preview. number: its place in the plan, from 0. headers: all but the credential's.

    body: bytes, or parts where files are streamed. sha256: hexadecimal, as ledger and report have it; empty where a
        file of it was not fetched.
    varies: what will differ in a run: what is made of its id or start, or is fetched then.
    """

    number: int
    positions: tuple[int, ...]
    method: str
    url: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | tuple[bytes | FilePart, ...]
    length: int
    sha256: str
    varies: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: the body as text where it is UTF-8, else base64; files by name, size and hash."""
        shown = {
            **{name: getattr(self, name) for name in self.__struct_fields__ if name != "body"},
            "body": _body_values(self.body),
        }
        if (plain := self.uncompressed) is not self.body:
            shown["uncompressed"] = _body_values(plain)
        return shown

    @property
    def uncompressed(self) -> bytes | tuple[bytes | FilePart, ...]:
        """The body as it was before it was compressed; the body itself where it was not."""
        if ("Content-Encoding", "gzip") in self.headers and isinstance(self.body, bytes):
            return gzip.decompress(self.body)
        return self.body


class Prepared(msgspec.Struct, frozen=True):
    """A destination that was found and checked against what is installed: its first stage is what is previewed."""

    site: Site
    registry: Registry
    stages: tuple[Resolved, ...]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """Samples in order, and warnings of the destination.

    rejected: the first records, at most 20, that cannot be sent among the `refused` ones that were met on the way.
    later: of a chain, the stages after the one the samples are of: what they send is made from answers.
    """

    samples: tuple[Sample, ...]
    rejected: tuple[RejectedRecord, ...]
    refused: int
    warnings: tuple[str, ...]
    later: tuple[LaterStage, ...] = ()


def preview(
    destination: DestinationLike,
    records: RecordsLike,
    *,
    n: int = 3,
    sample: int | None = None,
    params: Mapping[str, str] | None = None,
    base_url: str | None = None,
    format: str | None = None,
    limit: int | None = None,
    fetch_into: Path | None = None,
) -> Preview:
    """The first `n` requests, or the one numbered `sample` (from 0), made from the current settings.

    fetch_into: folder for files that records name by URL, which are fetched up to the last sample; unless given, none
        is, and the samples say so.

    Opens no socket but to fetch. Raises ConfigurationError for what is wrong with the destination, InputError for the
    input.
    """
    check_arguments(params=params, base_url=base_url, format=format, limit=limit)
    ready = prepared(destination, base_url=base_url)
    return preview_of(
        ready, records, n=n, sample=sample, params=params, format=format, limit=limit, fetch_into=fetch_into
    )


def prepared(destination: DestinationLike, *, base_url: str | None = None) -> Prepared:
    """Find a destination and all that it names. Raises ConfigurationError for what is wrong with it."""
    site = site_of(destination)
    registry = load_registry()
    return Prepared(site, registry, resolve_stages(site.destination, registry, base_url=base_url))


def preview_of(
    ready: Prepared,
    records: RecordsLike,
    *,
    n: int,
    sample: int | None,
    params: Mapping[str, str] | None,
    format: str | None,
    limit: int | None,
    fetch_into: Path | None = None,
) -> Preview:
    """As `preview`, of a destination that is prepared already."""
    stages, resolved = ready.stages, ready.stages[0]
    facts = RunFacts(PREVIEW_RUN_ID, time.time(), dict(params or {}))
    wanted = range(sample, sample + 1) if sample is not None else range(n)
    made = refused = 0
    samples: list[Sample] = []
    rejected: list[RejectedRecord] = []
    intake = Intake(records, format=format, limit=limit, readers=readers_of(ready.registry))
    planner = resolved.planner(facts)
    fetching = fetcher_of(resolved, fetch_into)
    for piece in planned(stages, facts, intake, ready.site.root, planner, fetching=fetching):
        refused += len(piece.rejected)
        rejected += piece.rejected[: max(0, _MOST_REJECTED - len(rejected))]
        samples += [sample_of(request, resolved) for request in piece.requests if request.number in wanted]
        made += len(piece.requests)
        if len(samples) >= len(wanted) or (refused >= _MOST_REFUSED and not made):
            break
    if sample is not None and not samples:
        because = f" ({rejected[0].told})" if rejected else ""
        raise ConfigurationError(f"there is no sample {sample}: these records make {made} requests{because}")
    return Preview(
        samples=tuple(samples),
        rejected=tuple(rejected),
        refused=refused,
        warnings=(
            *warnings_of(stages),
            *attribute_warnings(stages, intake),
            *planner.remarks(),
            *intake.hints(),
        ),
        later=later_stages(stages),
    )


def attribute_warnings(stages: Sequence[Resolved], intake: Intake) -> tuple[str, ...]:
    """Warnings of keys, and of what later stages read, held against the first records if they can be read again."""
    if not intake.repeatable or (len(stages) == 1 and stages[0].destination.key is None):
        return ()
    first = next(intake.plain_blocks(), None)
    return unknown_attributes(stages, first.lines) if first is not None else ()


def planned(
    stages: Sequence[Resolved],
    facts: RunFacts,
    intake: Intake,
    root: Path,
    planner: Planner | None = None,
    *,
    twice: bool = True,
    fetching: Fetching | None = None,
) -> Iterator[Planned]:
    """The plan of the first stage, lazily: what comes of each block, at the end of records that waited for company.

    twice: what code makes is made twice and compared. fetching: fetches files named by URL; None: none is fetched.
    """
    resolved = stages[0]
    planner = planner or resolved.planner(facts)
    filing = Filing(resolved, facts, root, fetching or Unfetched())
    records = intake.plain_blocks(most=1 if fetching is not None else 0)
    if resolved.stage is not None:
        records = apart_from([stage.name for stage in stages], records)
    blocks = with_files(records, filing)
    with ExitStack() as stack:
        if fetching is not None:
            stack.callback(fetching.close)
        carry = carrier_of(resolved, root, facts.started, twice=twice, stack=stack)
        for block in blocks:
            yield from carried_out(planner, planner.feed(block), carry)
        yield from carried_out(planner, planner.close(), carry)


def fetcher_of(resolved: Resolved, folder: Path | None) -> Fetching | None:
    """What fetches files into a folder; None without one, and where nothing is fetched."""
    if folder is None or resolved.fetch is None:
        return None
    # It brings asyncio and TLS along, which previews need not pay.
    from haulier.io.fetching import Fetcher  # noqa: PLC0415

    return Fetcher(resolved.fetch, folder)


def sample_of(request: Request, resolved: Resolved) -> Sample:
    """A planned request as a sample."""
    target, headers = head_of(request, NOTHING_ADDED)
    varies = ["header Idempotency-Key"] if request.key else []
    if resolved.varies:
        varies.append("what uses {now} or {run.id}")
    if resolved.code_may_vary:
        varies.append("what the code makes of the time, if it asks for it")
    unfetched = unfetched_in(request.body)
    if unfetched:
        varies += ["header Content-Type", "header Content-Length", f"{unfetched}, fetched when it is sent"]
    return Sample(
        number=request.number,
        positions=tuple(request.positions),
        method=request.method,
        url=request.url,
        target=target,
        headers=tuple(headers),
        body=request.body,
        length=request.length,
        sha256="" if unfetched else request.sha256.hex(),
        varies=tuple(varies),
    )


def unfetched_in(body: bytes | tuple[bytes | FilePart, ...]) -> str:
    """The files of a body that were not fetched, in words; empty where it is whole."""
    parts = () if isinstance(body, bytes) else body
    names = [part.name for part in parts if isinstance(part, FilePart) and not part.seen]
    return f"the file {', '.join(names)}" if names else ""


def pick_sample(
    stages: Sequence[Resolved],
    facts: RunFacts,
    intake: Intake,
    root: os.PathLike[str],
    number: int,
    *,
    fetching: Fetching | None = None,
) -> Request:
    """The request numbered `number` of the first stage; ConfigurationError where the plan has fewer."""
    found = 0
    reasons: list[str] = []
    for piece in planned(stages, facts, intake, Path(root), fetching=fetching):
        reasons += [record.told for record in piece.rejected[:1]]
        for request in piece.requests:
            found += 1
            if request.number == number:
                return request
    because = f" ({reasons[0]})" if reasons else ""
    raise ConfigurationError(f"there is no sample {number}: these records make {found} requests{because}")


def _body_values(body: bytes | tuple[bytes | FilePart, ...]) -> Any:
    if isinstance(body, bytes):
        return _text(body)
    return [_file_values(part) if isinstance(part, FilePart) else _text(part) for part in body]


def _file_values(part: FilePart) -> dict[str, Any]:
    if not part.seen:
        return {"file": part.name, "fetched": False}
    return {"file": part.name, "size": part.size, "sha256": part.sha256.hex()}


def _text(content: bytes) -> Any:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": msgspec.to_builtins(content)}
