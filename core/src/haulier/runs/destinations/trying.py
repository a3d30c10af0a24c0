"""Trying things: a check of a configuration or credential, and a test send of one sample. Nothing saved is changed."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from haulier.delivery.judging import History, Judging
from haulier.errors import ConfigurationError, CredentialError, TransportError
from haulier.io.accounts import AccountBook
from haulier.io.credentials import CredentialStore, Redactor
from haulier.io.doors import FolderDoors
from haulier.model.delivery import Outcomes, Stop
from haulier.model.destination import Destination, OutputChoice
from haulier.model.expression import RunFacts
from haulier.model.pointer import look_up
from haulier.model.request import Request, Response
from haulier.pipeline.encoding import gzipped
from haulier.pipeline.planner import idempotency_key
from haulier.runs.credentials.acquiring import with_tokens
from haulier.runs.credentials.authority import Authority, CredentialLike, authorities_of, authority_of
from haulier.runs.destinations.untried import untried
from haulier.runs.driving.loop import LoopThread
from haulier.runs.driving.orders import outputs_of
from haulier.runs.inputs.guarded_readers import readers_of
from haulier.runs.inputs.intake import Intake, RecordsLike
from haulier.runs.outputs.opened import authorities_of_outputs, saved_bodies, transport_of
from haulier.runs.previews.coding import code_room
from haulier.runs.previews.preview import Sample, fetcher_of, pick_sample, sample_of
from haulier.runs.resolving.arguments import check_arguments
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.remarks import failing_groupings, misspelt_stages, taken_twice, warnings_of
from haulier.runs.resolving.resolve import resolve, resolve_stages
from haulier.runs.resolving.resolved import PREVIEW_RUN_ID, Resolved
from haulier.runs.resolving.returned import account_fault
from haulier.runs.resolving.site import DestinationLike, Site, site_of

__all__ = ["Checked", "TestAnswer", "check", "check_credential", "output_problems", "test_send"]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. problems: reasons why a run would not begin; warnings: what its author should know."""

    destination: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether a run would begin."""
        return not self.problems


class TestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test send. status None: no answer, `reason` says why; verdict: what a run would make of it.

    account: of a check, what the service says of the account, as words and values.
    """

    __test__ = False  # no test class, whatever pytest thinks of the name

    sample: Sample
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float
    verdict: str
    reason: str
    taken: Mapping[str, Any]
    account: tuple[tuple[str, str], ...] = ()


def check(
    destination: DestinationLike,
    *,
    credential: CredentialLike = None,
    base_url: str | None = None,
    params: Mapping[str, str] | None = None,
) -> Checked:
    """Hold a destination against what is installed and stored; sends nothing and raises nothing for what it finds."""
    check_arguments(credential=credential, base_url=base_url, params=params)
    site = site_of(destination)
    registry = load_registry()
    problems: list[str] = []
    warnings: tuple[str, ...] = ()
    try:
        stages = resolve_stages(site.destination, registry, base_url=base_url)
        about = site.destination
        of_stages = (*failing_groupings(stages), *misspelt_stages(stages), *taken_twice(about, stages))
        warnings = (*warnings_of(stages), *of_stages, *untried(about, stages))
        facts = RunFacts(PREVIEW_RUN_ID, time.time(), dict(params or {}))
        for resolved in stages:
            problems.extend(_stage_problems(resolved, site, facts))  # what it yields before it raises stays
        authorities_of(site, stages, registry, credential)
        outputs = outputs_of(site.destination)
        problems += output_problems(site, outputs)
        authorities_of_outputs(site, outputs, registry)
    except ConfigurationError as error:
        problems.append(str(error))
    return Checked(destination=site.destination.name, problems=tuple(problems), warnings=warnings)


def _stage_problems(resolved: Resolved, site: Site, facts: RunFacts) -> Iterator[str]:
    """What is wrong with a stage beside its settings; ConfigurationError where it cannot be at all."""
    resolved.planner(facts)
    if (room := code_room(resolved, site.root, facts.started)) is not None:
        with room:
            yield from room.problems()
    saved_bodies(resolved, site.root, facts.run_id)
    root = resolved.destination.files_root
    if resolved.files and root is not None and not (site.root / root).is_dir():
        yield f"files_root: there is no folder {root} in {site.root}"


def output_problems(site: Site, outputs: Sequence[OutputChoice]) -> list[str]:
    """Files that outputs could not be written to."""
    doors, problems = FolderDoors(site.root), []
    for choice in outputs:
        path = choice.settings.get("path")
        if isinstance(path, str) and (reason := doors.refusal(path)):
            problems.append(f"outputs {choice.to}: {reason}")
    return problems


def test_send(
    destination: DestinationLike,
    records: RecordsLike,
    *,
    sample: int = 0,
    payload: bytes | None = None,
    credential: CredentialLike = None,
    params: Mapping[str, str] | None = None,
    base_url: str | None = None,
    format: str | None = None,
) -> TestAnswer:
    """Really send one sample, with its body replaced by `payload` where given, and return what came of it.

    A payload is compressed where the destination says so, as any body is. Each test has a run id of its own, so that no
    service takes it for a repetition of the one before; the idempotency key belongs to the body that goes out.

    No ledger is written and no output told. Raises ConfigurationError as `send` does.
    """
    check_arguments(credential=credential, base_url=base_url, params=params, format=format)
    site = site_of(destination)
    registry = load_registry()
    stages = resolve_stages(site.destination, registry, base_url=base_url)
    resolved = stages[0]
    authority = authority_of(site, resolved, registry, credential)
    facts = RunFacts(uuid.uuid4().hex, time.time(), dict(params or {}))
    intake = Intake(records, format=format, readers=readers_of(registry))
    with TemporaryDirectory() as folder:
        fetching = fetcher_of(resolved, Path(folder))
        request = pick_sample(stages, facts, intake, site.root, sample, fetching=fetching)
        if payload is not None:
            body = gzipped(payload) if site.destination.compress else payload
            request = _replaced(request, body, facts.run_id)
        return LoopThread(lambda: _try(request, resolved, authority)).result()


def check_credential(
    name: str, *, site: Site | None = None, values: CredentialLike = None, base_url: str | None = None
) -> TestAnswer:
    """Ask the service by its type's harmless call whether a stored credential is good.

    Raises CredentialError where the type has no such call, or the credential may not go there.
    """
    registry = load_registry()
    folder = site or site_of(
        {"name": "credential-check", "request": {"method": "GET", "url": "https://localhost/"}}
    )
    stored = CredentialStore(folder.credentials()).get(name)
    kind = registry.credential_type(stored.type)
    if not kind.check:
        raise CredentialError(
            f"credential type {kind.name} has no call to check it with; try it with: haulier test"
        )
    connector, _, endpoint = kind.check.partition("/")
    origin = base_url or (stored.origins[0] if stored.origins else None)
    destination = Destination.model_validate(
        {
            "name": "credential-check",
            "connector": connector,
            "endpoint": endpoint,
            "credential": name,
            "params": dict(kind.check_params),
            "base_url": origin,
        }
    )
    at = Site(destination=destination, root=folder.root, in_code=True, _state=(folder.root, None))
    resolved = resolve(destination, registry)
    authority = msgspec.structs.replace(authority_of(at, resolved, registry, values), checked=True)
    request = pick_sample([resolved], RunFacts(PREVIEW_RUN_ID, time.time()), Intake([{}]), folder.root, 0)
    answer = LoopThread(lambda: _try(request, resolved, authority)).result()
    if kind.learn is None or answer.verdict != "delivered" or answer.status is None:
        return answer
    guard = msgspec.structs.replace(authority.guard, what=f"`learn` of {authority.guard.what}", place="")
    learn = guard.around(kind.learn, returns=account_fault)
    account = learn(Response(status=answer.status, headers=answer.headers, body=answer.body))
    if values is None:
        AccountBook(folder.credentials()).learn(name, account)
    return msgspec.structs.replace(answer, account=account.facts)


def _replaced(request: Request, payload: bytes, run_id: str) -> Request:
    if not request.length:
        raise ConfigurationError(f"a {request.method} has no body to replace; change it with --set instead")
    digest = sha256(payload).digest()
    key, headers = request.key, request.headers
    if key:
        key = idempotency_key(run_id, request.positions, digest)
        headers = tuple(
            (name, key if name == "Idempotency-Key" else value) for name, value in request.headers
        )
    return msgspec.structs.replace(
        request, headers=headers, body=payload, length=len(payload), sha256=digest, key=key
    )


async def _try(request: Request, resolved: Resolved, authority: Authority) -> TestAnswer:
    transport = with_tokens(
        transport_of(resolved, in_flight=1), authority, timeout_s=resolved.destination.timeout_s
    )
    redact = authority.redactor()
    started = asyncio.get_running_loop().time()
    response: Response | None = None
    reason = ""
    try:
        response = await transport.send(request, authority.authorize()(request))
    except TransportError as error:
        reason = redact(str(error))
    finally:
        await transport.close()
    seconds = asyncio.get_running_loop().time() - started
    judging = msgspec.structs.replace(resolved.judging(), unaccepted=authority.unaccepted)
    verdict, said = _judged(request, response, judging)
    return TestAnswer(
        sample=sample_of(request, resolved),
        status=response.status if response is not None else None,
        headers=tuple((name, redact(value)) for name, value in response.headers)
        if response is not None
        else (),
        body=_redacted(redact, response.body) if response is not None else b"",
        seconds=seconds,
        verdict=verdict,
        reason=redact(said) or reason,
        taken=_taken(response, resolved),
    )


def _judged(request: Request, response: Response | None, judging: Judging) -> tuple[str, str]:
    if response is None:
        return "no answer", ""
    verdict = judging(request, response, resend=False, history=History())
    if isinstance(verdict, Stop):
        return "stop", verdict.reason
    if isinstance(verdict, Outcomes):
        kinds = Counter(one.kind for one in verdict.verdicts)
        reason = next((one.reason for one in verdict.verdicts if one.reason), "")
        return ", ".join(f"{count} {kind}" for kind, count in kinds.items()), reason
    return verdict.kind, verdict.reason


def _taken(response: Response | None, resolved: Resolved) -> dict[str, Any]:
    if response is None or resolved.template is None:
        return {}
    found = {name: look_up(response.body, pointer) for name, pointer in resolved.template.takes.items()}
    return {name: value for name, value in found.items() if value is not None}


def _redacted(redact: Redactor, body: bytes) -> bytes:
    try:
        return redact(body.decode()).encode()
    except UnicodeDecodeError:
        return body
