"""What plugins bring besides connectors: the small protocols behind the hooks.

Hooks find these once a run; the objects themselves work on the way of records, and none of them does I/O but
readers and outputs, which do it through the `Doors` they are handed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias

import msgspec
from pydantic import BaseModel, ConfigDict

from haulier.model.block import Block
from haulier.model.request import Added, Body, Header, Request, Response

__all__ = [
    "Account",
    "Acquire",
    "Added",
    "ContentEncoder",
    "CredentialType",
    "Doors",
    "Grouping",
    "GroupingAlgorithm",
    "Needs",
    "NoSettings",
    "Output",
    "OutputType",
    "Payload",
    "Portion",
    "Program",
    "Quota",
    "Reader",
    "ReaderType",
    "Settings",
    "Token",
    "TokenRequest",
    "Work",
]

# How records arrive. opaque: as msgspec.Raw, or as a mapping of attribute -> msgspec.Raw where they were looked into;
# members: always as such a mapping, so that every number keeps the text it was written with; values: decoded.
Needs: TypeAlias = Literal["opaque", "members", "values"]
# What an encoder is handed: JSON-like values in which records stand as its `needs` say; attributes whose place is
# `file` are FilePart.
Payload: TypeAlias = Any


class Settings(BaseModel):
    """Base of every settings model: nothing unknown allowed, inputs hidden in errors, frozen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True, allow_inf_nan=False
    )


class NoSettings(Settings):
    """For what has nothing to set."""


class Grouping(Protocol):
    """Shapes the records of one batch into one payload, or into several. Called once a batch, in order; pure."""

    def build(self, items: Sequence[Any]) -> Payload | tuple[Portion, ...] | Generator[Work, Any, Payload]:
        """Return the payload in which every item stands exactly once. Opaque items are placed, never read.

        A tuple of `Portion` makes a request of each. A grouping that must wait is a generator: it yields `Work`, is
        sent what came of it, and returns its payload. Raising RecordError rejects the records of the batch.
        """
        ...


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """One of the payloads of a batch.

    payload: for the content encoder; as msgspec.Raw, checked to be JSON, where it is text already (it is decoded for
        encoders that need more); or bytes, which go out as they are, with `media_type` or else the encoder's.
    carries: indices of the items it carries, ascending; None: all of them. Every item is carried once.
    """

    payload: Payload
    carries: Sequence[int] | None = None
    media_type: str = ""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A Python function that a person wrote, `build(records, context)`, and what one call of it may use.

    source: its text; or file: where that stands, a path below the project. runner: "sandbox", or "trusted" for this
    very process. seconds, memory_bytes and recursion (calls within calls) bound one call; only "sandbox" holds to them.
    """

    source: str = ""
    file: str = ""
    runner: Literal["sandbox", "trusted"] = "sandbox"
    seconds: float = 1.0
    memory_bytes: int = 64 << 20
    recursion: int = 200


class Work(msgspec.Struct, frozen=True):
    """What a grouping waits for: a program called with the items of a batch. It is sent a tuple of `Portion`."""

    program: Program
    items: Sequence[Any]


class GroupingAlgorithm(msgspec.Struct, frozen=True, kw_only=True):
    """A grouping algorithm as registered. needs: "values" asks for decoded records, and costs their decoding.

    remakes: whether it makes the same payload of the same items always, also in a later version; where it does not, the
    ledger keeps its requests whole until they are settled. waits: whether it yields `Work`. formats: the content
    formats that its payload makes sense in, the usual one first; empty: any. anywhere: see ContentEncoder.
    """

    name: str
    title: str
    description: str
    factory: Callable[[Any], Grouping]
    settings: type[Settings] = NoSettings
    needs: Needs = "opaque"
    remakes: bool = True
    waits: bool = False
    formats: tuple[str, ...] = ()
    anywhere: bool = False


class ContentEncoder(msgspec.Struct, frozen=True, kw_only=True):
    """A content format as registered.

    encode: (payload, settings) -> Body; pure, and the same bytes for the same payload, always.
    media_type: what Content-Type says unless a setting changes it; charset: of its text, empty where it is none.
    carries_batches: whether a list of records makes sense in it; files: whether it can carry a FilePart.
    expressions: names of settings that are texts with expressions in them. Only references to records are left in the
    settings that `encode` is handed: the facts of the run are filled in before.
    warnings: settings -> what their author should know, each in words; None where there is nothing to look for.
    anywhere: whether another process, which imports the module anew, may encode as well: what a program sets in the
    module at run time decides nothing. Large files are then planned beside the run.

    Raises DestinationError where no payload of this shape can be carried: it is tried on one empty record before a run
    begins. RecordError where values of a record do not fit; for a batch it names the items at fault in `each`.
    """

    name: str
    title: str
    description: str
    media_type: str
    encode: Callable[[Payload, Any], Body]
    settings: type[Settings] = NoSettings
    carries_batches: bool = False
    files: bool = False
    needs: Needs = "values"
    charset: str = ""
    expressions: tuple[str, ...] = ()
    warnings: Callable[[Any], Sequence[str]] | None = None
    anywhere: bool = False


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests an account has left, of how many, until when (Unix seconds)."""

    left: int
    limit: int | None = None
    reset_epoch: float | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What a service says of an account. facts: (word, value) for people, in order.

    limits: what it may be pressed with, as in a destination's `limits`: `requests_per_second`, `max_in_flight`.
    """

    facts: tuple[tuple[str, str], ...] = ()
    limits: Mapping[str, float] = msgspec.field(default_factory=dict)
    quota: Quota | None = None


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an `acquire` wants to be asked. url: at an origin that the credential is bound to.

    body: bytes as they go out; headers: in wire form, Content-Type included where there is a body. Its `repr` shows
    the method only.
    """

    url: str
    method: str = "POST"
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"TokenRequest(method={self.method!r})"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What was acquired. expires_at: Unix seconds; None where nobody said. Its `repr` does not show it."""

    value: str
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at!r})"


# (settings, now as Unix seconds) -> a generator that yields what is to be asked, is sent the answers, and returns the
# token. Pure; raises CredentialError where the service will not give one.
Acquire: TypeAlias = Callable[[Any, float], "Generator[TokenRequest, Response, Token]"]


class CredentialType(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is authenticated.

    settings: a pydantic model; secret values are typed SecretStr. origins: scheme://host[:port] that a credential of
    this type is bound to unless its creator names others; empty: the creator must name them.
    apply: pure (request, settings, now as Unix seconds) -> Added; called at each attempt, after encoding.
    acquire: for types whose token is asked for first; then `apply` gets that Token instead of the settings. Called when
    there is none, when it expires, and once more when it was answered with 401. None for all others.
    check: `connector/endpoint` of a harmless call that tells whether the values are good; empty where there is none.
    check_params: parameters of that call. learn: what its answer says of the account; pure.
    """

    name: str
    title: str
    description: str
    settings: type[Settings]
    apply: Callable[[Request, Any, float], Added]
    origins: tuple[str, ...] = ()
    acquire: Acquire | None = None
    check: str = ""
    check_params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    learn: Callable[[Response], Account] | None = None


class Doors(Protocol):
    """The only way to the outside for readers and outputs: what they are handed decides what they can reach."""

    def open_read(self, path: str) -> BinaryIO:
        """Open a file below the allowed root for reading; raises ConfigurationError outside it."""
        ...

    def open_append(self, path: str) -> BinaryIO:
        """Open a file below the allowed root for appending, unbuffered, creating folders on the way."""
        ...

    def make_durable(self, file: BinaryIO) -> None:
        """Wait until the disk has what was written to a file these doors opened."""
        ...

    def send(self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        """Send one request and wait for the whole answer; redirects are not followed, nothing is tried again.

        What the credential adds that the output's settings name is added here: the output never sees its values.
        Raises TransportError where no answer came, CredentialError where the credential is not bound to the origin of
        `url`, ConfigurationError for readers, which send nothing.
        """
        ...


class Reader(Protocol):
    """An opened input. repeatable: whether opening it again gives the same records (a file does, a pipe does not)."""

    repeatable: bool

    def blocks(self) -> Iterator[Block]:
        """Yield the records in order; raises InputError where the input ends in the middle of a record."""
        ...


class ReaderType(msgspec.Struct, frozen=True, kw_only=True):
    """A record reader as registered. endings: file name endings (".jsonl"); schemes: URL schemes without "://"."""

    name: str
    title: str
    description: str
    factory: Callable[[str, Doors], Reader]
    endings: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()


class Output(Protocol):
    """A durable at-least-once consumer of responses; made, called and closed in one thread of its own.

    Lines come in the order of the ledger. No delivery ever waits for an output: what it has not taken yet stays in the
    ledger. It may have two attributes: `at_once`, how many lines a `write` is handed at most (1,000), and `patience_s`,
    how long one that takes nothing is waited for after the last delivery (60), before the run stops resumably.
    """

    def write(self, lines: Sequence[bytes]) -> None:
        """Make these JSON lines durable before returning.

        Raising OutputBusy or TransportError has them handed again later, the same ones; raising anything else stops the
        run resumably. Either way they stay owed.
        """
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class OutputType(msgspec.Struct, frozen=True, kw_only=True):
    """An output type as registered.

    Four settings mean the same in every output that has them, and are seen to before lines reach it: `include`
    (attributes of the record besides those sent), `answer` (whether lines carry the answer), `when` (a
    Condition: only lines that say so) and `credential` (what
    `Doors.send` applies; held against `url`, where there is such a setting, before a run begins).
    """

    name: str
    title: str
    description: str
    settings: type[Settings]
    factory: Callable[[Any, Doors], Output]
