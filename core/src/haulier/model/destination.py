"""A destination: a configured connector, endpoint, settings and credential name, as a person wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from haulier.model.answers import Condition, OutcomeMapping, Place, Pointer, Verdicts
from haulier.model.connector import Attributes, Method, Name
from haulier.model.credential_name import CredentialName
from haulier.model.fetch import Fetch
from haulier.model.spelling import Spelling
from haulier.model.written import Written
from haulier.model.written_number import KeptNumber, WrittenJson

__all__ = [
    "AttributeType",
    "Batching",
    "Call",
    "Destination",
    "GroupingChoice",
    "Limits",
    "ManualRequest",
    "OutputChoice",
    "ParamValue",
    "Retry",
    "Stage",
]

AttributeType: TypeAlias = Literal[
    "text", "integer", "number", "boolean", "json", "text?", "integer?", "number?", "boolean?", "json?"
]
ParamValue: TypeAlias = str | int | KeptNumber | bool | list[str] | None
_DAY_S = 86_400
_SHARE = Spelling(
    r"[0-9]+|(100|[0-9]{1,2})%",
    "must be a number of records, or a share of them in whole percent from 0% to 100%, such as `5%`",
)


class ManualRequest(Written):
    """A request made by hand instead of by an endpoint template."""

    method: Method = Field(default="POST", description="the HTTP method")
    url: str = Field(
        description="http(s) URL; `{record.name}` and the like in path and query, never in scheme or host"
    )
    content_format: str | None = Field(
        default=None, description="name of a content encoder; `json` unless the method has no body"
    )
    headers: str | Mapping[str, str] = Field(default="", description="header pairs `a:1,b:2`, or a mapping")
    attributes: Attributes | None = Field(
        default=None,
        description="where the attributes of a record go; unless written: GET query, DELETE none, else body",
    )
    body: Mapping[str, ParamValue] = Field(
        default_factory=dict, description="further values of the body, by name"
    )
    files: Mapping[str, str] = Field(
        default_factory=dict,
        description="file parts of a multipart body: name -> path, such as `{record.file}`",
    )
    idempotency_key: bool = Field(default=True, description="send an Idempotency-Key header (never on GET)")


class Choice(BaseModel):
    """One of what plugins offer, by name, with settings of its own beside it: its settings model checks them."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, defer_build=True)

    @property
    def settings(self) -> dict[str, Any]:
        """What was written beside the name."""
        return dict(self.model_extra or {})


class GroupingChoice(Choice):
    """The grouping algorithm and its own settings, checked by the algorithm's settings model."""

    name: str = Field(description="name of a grouping algorithm")


class Batching(Written):
    """Which records travel together, and in what shape."""

    size: Annotated[int, Field(ge=1)] = Field(default=100, description="records a request carries at most")
    max_bytes: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="bytes a body has at most, before it is compressed; a record that exceeds it alone goes alone, and "
        "is named",
    )
    max_wait: Annotated[float, Field(gt=0, le=_DAY_S)] | None = Field(
        default=None, description="seconds a record waits for company at most, where the input is slow"
    )
    group_by: list[str] = Field(
        default=[],
        description="attributes, such as `country` or `address.city`: records that differ in one never share a batch",
    )
    grouping: GroupingChoice = Field(
        # Made as it is: what checks it takes some 5 ms to build, which every start would pay.
        default=GroupingChoice.model_construct(name="array"),
        description="a name, or a name with its settings",
    )
    item: str | list[str] = Field(
        default="",
        description="what each record becomes inside the batch: whole; one attribute's value, such as `sku` or "
        "`address.city`; or with a list those attributes alone. A record that lacks one of them is rejected",
    )

    @field_validator("group_by", mode="before")
    @classmethod
    def _one_attribute_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("grouping", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Limits(Written):
    """What paces requests; no part of the settings that a resume compares."""

    requests_per_second: Annotated[float, Field(ge=0.0001)] | None = Field(
        default=None, description="evenly spaced, without bursts; shared by all runs with the same credential"
    )
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="requests under way at once; unless written, found from the service's latency, at most 100",
    )
    patience_s: Annotated[float, Field(ge=0, le=31 * _DAY_S)] = Field(
        default=300, description="longest wait for the service, or for its quota, before the run stops"
    )


class Retry(Written):
    """How often and how patiently a delivery is tried; full jitter."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(default=5, description="tries per delivery")
    base_s: Annotated[float, Field(ge=0, le=_DAY_S)] = Field(
        default=0.5, description="longest first wait, seconds"
    )
    cap_s: Annotated[float, Field(ge=0, le=_DAY_S)] = Field(default=30, description="longest wait, seconds")

    @model_validator(mode="after")
    def _can_grow(self) -> Self:
        if "base_s" in self.model_fields_set and self.base_s > self.cap_s:
            raise ValueError(
                f"the first wait, `base_s`, may be as long as the longest one at most: `cap_s` is {self.cap_s:g}"
                f"{'' if 'cap_s' in self.model_fields_set else ' unless written'}; raise it, or lower `base_s`"
            )
        return self


class OutputChoice(Choice):
    """One output: its type and the type's own settings, checked by the type's settings model."""

    to: str = Field(description="name of an output type")


class Call(Written):
    """What is said of a call, whether it is all that a destination does or one stage of it."""

    name: Name
    description: str = Field(default="", description="for people")
    connector: str = Field(default="http", description="name of a connector")
    endpoint: str | None = Field(
        default=None, description="name of one of its endpoint templates; or write `request`"
    )
    request: ManualRequest | None = Field(
        default=None, description="a request made by hand; or name an `endpoint`"
    )
    credential: CredentialName | None = Field(
        default=None,
        description="name of a stored credential; `none`: none, also in a stage where one stands beside `stages`",
    )
    key: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="attribute that names a record in reports, outputs and dead letters"
    )
    order: Literal["none", "key", "strict"] = Field(
        default="none",
        description="key: at most one unsettled request for each value of `key`; strict: at most one in all",
    )
    params: Mapping[str, ParamValue] = Field(
        default_factory=dict, description="values of the endpoint's parameters"
    )
    content_format: str | None = Field(
        default=None, description="one of the formats the endpoint takes, where not its first"
    )
    format_settings: Mapping[str, Any] = Field(
        default_factory=dict, description="settings of the content encoder"
    )
    headers: str | Mapping[str, str] = Field(default="", description="more headers, `a:1,b:2` or a mapping")
    override_authorization: bool = Field(
        default=False, description="let a written Authorization header stand instead of the credential"
    )
    exclude: list[str] = Field(
        default=[],
        description="attributes kept out of body and query, any number; still usable in expressions",
    )
    include: list[str] = Field(
        default=[],
        description="the attributes that are sent, where not all are; paths such as `a.b` lead into nested ones",
    )
    rename: Mapping[str, str] = Field(
        default_factory=dict,
        description="attribute -> the name it is sent under, where it stands: `{title: name, address.zip: postcode}`; "
        'a new name with a dot in it is written `["a.b"]`',
    )
    add: Mapping[str, WrittenJson] = Field(
        default_factory=dict,
        description='attributes that stand in every record that is sent: `{source: catalog, link: "/p/{record.sku}"}`',
    )
    types: Mapping[str, AttributeType] = Field(
        default_factory=dict,
        description=(
            "attribute -> `text`, `integer`, `number`, `boolean` or `json`; with `?` behind it an empty text becomes "
            "null. A record whose value does not fit is rejected"
        ),
    )
    compress: Literal["gzip"] | None = Field(
        default=None, description="send bodies compressed, with a Content-Encoding header"
    )
    batching: Batching | bool = Field(default=False, description="off, on with defaults, or settings")
    limits: Limits = Field(default_factory=Limits)
    retry: Retry = Field(default_factory=Retry)
    unanswered: Literal["resend", "park"] = Field(
        default="resend",
        description="a request that may have arrived and got no answer: `resend` it with the same bytes and key, or "
        "`park` its records as in doubt",
    )
    outputs: list[OutputChoice] = Field(default=[])
    save_body: str | None = Field(
        default=None,
        description="folder, below the project's, for answers that are files; each run makes one of its own in it",
    )
    files_root: str | None = Field(
        default=None, description="the folder below which file parameters may be read"
    )
    max_file_bytes: Annotated[int, Field(ge=1)] = Field(
        default=64 * 1024 * 1024, description="largest file below `files_root` that is sent"
    )
    fetch: Fetch | bool = Field(
        default=False,
        description="off, on with defaults, or settings: file parameters that are http(s) URLs are fetched from there",
    )
    base_url: str | None = Field(
        default=None,
        description="replaces the connector's origin and base path (emulator, region, gateway); beside `stages` in the "
        "stages of that connector",
    )
    timeout_s: Annotated[float, Field(gt=0, le=_DAY_S)] = Field(
        default=30, description="longest silence of the server during a request"
    )
    transport: Literal["auto", "http1", "httpx"] = Field(
        default="auto",
        description="who sends: `http1` is the fast one and needs `haulier[fast]`; `auto` takes it where installed",
    )
    answers: Literal["json", "any"] | None = Field(
        default=None,
        description="json: an answer that is a web page is no success; unless written, as the endpoint says",
    )
    success_when: Condition | None = Field(
        default=None,
        description="what a 2xx answer must say to be a success: `{at: /status/type, is: success}`",
    )
    reason_at: Place | None = Field(
        default=None, description="where an answer says why it refused: a JSON pointer, or `header:NAME`"
    )
    outcomes: OutcomeMapping | None = Field(
        default=None, description="where an answer speaks of each record of a batch by itself"
    )
    all_or_nothing: bool | None = Field(
        default=None,
        description="a 400 or 422 refuses the whole batch for one bad record: halve it until that stands alone",
    )
    max_rejected: Annotated[str, _SHARE] | None = Field(
        default=None,
        description="rejected records, a number or a share such as `5%`, that stop the run where there are more; a "
        "share counts once 100 records have settled",
    )
    verdicts: Verdicts = Field(default_factory=dict, description="status -> what it means here")

    @field_validator("save_body")
    @classmethod
    def _a_folder(cls, value: str | None) -> str | None:
        if value is not None and (value != value.strip() or not value or value.startswith("~")):
            raise ValueError("must name a folder below the project's, such as `out/pictures`, without `~`")
        return value

    @field_validator("max_rejected", mode="before")
    @classmethod
    def _a_number_too(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value


class Stage(Call):
    """One stage of a chain: a call, made with the records that came through the stage before it.

    Settings that are left out here and stand beside `stages` are taken from there.
    """

    name: Name = Field(description="names the stage, and the attribute that holds what it answered")
    after: Literal["delivered", "settled"] = Field(
        default="delivered",
        description="which records come here: those the stage before delivered; or, where something is to be cleaned "
        "up, also those that any stage but the first rejected",
    )
    each: Pointer | None = Field(
        default=None,
        description="JSON pointer to a list in the answer of the stage before: one record for each element of it",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _check_one_way(self)
        return self


class Destination(Call):
    """What a destination file says. `name` is the file's own name and is not written in it."""

    name: Name = Field(exclude=True, description="the file's name without its ending")
    stages: Annotated[list[Stage], Field(min_length=1)] | None = Field(
        default=None, description="a chain: several calls for each record, one after the other"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.stages is None:
            _check_one_way(self)
        else:
            _check_stages(self, self.stages)
        return self

    @property
    def calls(self) -> tuple[tuple[Stage | None, Destination], ...]:
        """Each stage with the destination it would be by itself; of one without stages: itself."""
        if self.stages is None:
            return ((None, self),)
        shared = {name: getattr(self, name) for name in _INHERITED & self.model_fields_set}
        return tuple((stage, _alone(self.name, shared, stage)) for stage in self.stages)


# What stands beside `stages` and holds for each of them that does not say otherwise; the rest belongs to one call.
_SHARED = frozenset(
    [
        *("base_url", "compress", "connector", "credential", "fetch", "files_root", "key"),
        *("limits", "max_file_bytes", "max_rejected", "order", "override_authorization"),
        *("retry", "timeout_s", "transport", "unanswered"),
    ]
)
# What a base URL beside the stages replaces is no matter of one stage alone: `calls` have what they say themselves.
_INHERITED = _SHARED - {"base_url"}
_OF_THE_CHAIN = frozenset({"name", "description", "outputs", "stages"})
_OF_THE_STAGE = frozenset({"name", "after", "each", "description"})


def _alone(name: str, shared: Mapping[str, Any], stage: Stage) -> Destination:
    own = {field: getattr(stage, field) for field in stage.model_fields_set - _OF_THE_STAGE}
    return Destination.model_validate({**shared, **own, "name": name})


def _check_one_way(call: Call) -> None:
    if (call.endpoint is None) == (call.request is None):
        raise ValueError(
            "write either `endpoint: NAME` (see: haulier endpoints CONNECTOR) or `request: {url: ...}`, "
            "one of the two"
        )


def _check_stages(chain: Call, stages: list[Stage]) -> None:
    if wrong := sorted(chain.model_fields_set - _SHARED - _OF_THE_CHAIN):
        raise ValueError(
            f"`{wrong[0]}` belongs to one call: write it in the stage it is for, not beside `stages`"
        )
    names = [stage.name for stage in stages]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two stages have the name `{twice[0]}`; give each a name of its own")
    if stages[0].after != "delivered" or stages[0].each is not None:
        raise ValueError(
            f"stage `{names[0]}` is the first: nothing comes before it, so leave `after` and `each` out"
        )
