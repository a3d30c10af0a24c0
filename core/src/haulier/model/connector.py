"""Connector and endpoint template: a service and its calls, described as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from haulier.model.answers import Condition, OutcomeMapping, Place, Verdicts
from haulier.model.delivery import Judge
from haulier.model.spelling import Spelling

__all__ = [
    "Attributes",
    "BatchKind",
    "Connector",
    "EndpointTemplate",
    "Following",
    "ItemType",
    "Method",
    "Name",
    "Parameter",
    "ParameterPlace",
]

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
ParameterPlace: TypeAlias = Literal["path", "query", "header", "body", "file"]
BatchKind: TypeAlias = Literal["unit", "container", "whole"]
ItemType: TypeAlias = Literal["any", "text", "object"]
Attributes: TypeAlias = Literal["body", "query", "none"]
Name: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=60),
    Spelling(
        r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "must be a name of small letters and digits, a letter first, with single hyphens between words, such as "
        "`tag-image`",
    ),
]


class Described(BaseModel):
    """What plugin authors write: frozen, nothing unknown allowed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        defer_build=True,  # a start uses few of the models, and to build them all takes longer than the rest of it
    )


class Parameter(Described):
    """One named value of a call, filled from the destination's `params` and nowhere else."""

    name: str = Field(min_length=1, description="the service's own name for it")
    place: ParameterPlace = Field(
        description="path, query, header, body (a field of the payload) or file (a multipart part)"
    )
    description: str
    required: bool = False
    type: Literal["text", "integer", "number", "boolean", "list"] = "text"
    choices: tuple[str, ...] = Field(default=(), description="the allowed values")
    several: bool = Field(default=False, description="whether several of `choices` may be joined by commas")
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = Field(
        default="",
        description="regular expression for the whole of a text; what does not fit is shown `example`",
    )
    certain: bool = Field(
        default=False,
        description="whether the service is known to refuse what is outside of `choices`, `minimum`, `maximum` and "
        "`pattern`: a record with such a value is rejected before it is sent, else sent and told of",
    )
    service_default: str = Field(
        default="", description="what the service takes where nothing is sent; never sent by Haulier"
    )
    example: str = ""

    @property
    def bounded(self) -> bool:
        """Whether it says which values it takes, besides their type."""
        return bool(self.choices or self.pattern or self.minimum is not None or self.maximum is not None)


class Following(Described):
    """How the job behind a ticket is followed to its end."""

    endpoint: Name = Field(description="the endpoint of the same connector that is asked for a ticket")
    parameter: str = Field(description="its parameter that takes the ticket")
    final: str = Field(description="JSON pointer to what is true in the answer that is the last")
    once: bool = Field(
        default=False, description="the last answer is given once: what was dropped is not asked for again"
    )
    first_s: float = Field(default=2, gt=0, description="seconds before it is asked for the second time")
    most_s: float = Field(default=30, gt=0, description="longest pause; each is twice the one before")
    timeout_s: float = Field(default=3600, gt=0, description="longest time to follow a job in one go")
    spread: Callable[[Any, Sequence[Any]], Sequence[Mapping[str, Any]] | None] | None = Field(
        default=None,
        exclude=True,
        description="(last answer, what each record put into the call) -> what each record gets of it; None: nothing",
    )


class EndpointTemplate(Described):
    """One API call of a connector.

    path: absolute below the connector's origin, `{name}` for a parameter whose place is `path`.
    attributes: where the attributes of a record go: into the body, into the query, or nowhere (parameters only).
    batch: `unit` one record a call; `container` a list that may be split and regrouped; `whole` one call for the
        whole input, never split. batching: default batching settings of a destination made from this template.
    takes: name -> JSON pointer (RFC 6901) into the answer's body: what outputs carry on as attributes.
    content_formats: names of encoders that fit, the default first; empty where no body is sent.
    """

    connector: Name
    name: Name
    title: str
    description: str
    method: Method
    path: Annotated[str, Spelling(r"/.*", "must begin with `/`")]
    parameters: tuple[Parameter, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = Field(
        default=(), description="groups of parameters of which exactly one is given"
    )
    attributes: Attributes = "none"
    content_formats: tuple[str, ...] = ()
    batch: BatchKind = "unit"
    batching: Mapping[str, Any] | None = None
    minimum_records: int = Field(default=1, ge=1, description="fewest records a call may carry")
    item_type: ItemType = Field(
        default="any",
        description="what the attributes that `batching.item` names must hold; null counts as missing",
    )
    booleans: Literal["words", "digits"] = "words"
    query: Mapping[str, str] = Field(
        default_factory=dict, description="what always stands in the query, before the parameters"
    )
    takes: Mapping[str, str] = Field(default_factory=dict)
    verdicts: Verdicts = Field(default_factory=dict)
    judge: Judge | None = Field(default=None, description="reads an answer where statuses do not tell enough")
    answers: Literal["json", "file", "any"] = Field(
        default="any", description="what a success is: json, or a file such as a picture"
    )
    success_when: Condition | None = None
    reason_at: Place | None = None
    outcomes: OutcomeMapping | None = None
    all_or_nothing: bool = Field(
        default=False, description="one bad record makes it refuse the whole batch (400, 422)"
    )
    ticket: str = Field(default="", description="JSON pointer to the ticket of a job that was accepted")
    follow: Following | None = Field(
        default=None, description="how the job behind the ticket is followed to its end"
    )
    idempotent: bool = Field(
        default=True, description="False: asking again changes what is there or what is answered"
    )
    idempotency_key: bool = Field(
        default=True, description="whether an Idempotency-Key header is sent (never on GET)"
    )
    gzip: bool | None = Field(
        default=None, description="whether it takes bodies compressed with gzip; None: not known"
    )
    irreversible: str = Field(
        default="", description="what cannot be undone, as a warning; empty where it can be"
    )
    notes: tuple[str, ...] = ()
    verified: bool = Field(description="whether two independent sources, or the service's own page, say so")
    source: str = Field(description="address of the source of these facts")
    read_on: date

    @model_validator(mode="after")
    def _consistent(self) -> EndpointTemplate:
        names = [parameter.name for parameter in self.parameters]
        if double := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"endpoint {self.name}: parameters named twice: {', '.join(sorted(double))}")
        for group in self.one_of:
            if unknown := set(group) - set(names):
                raise ValueError(
                    f"endpoint {self.name}: one_of names unknown parameters: {', '.join(sorted(unknown))}"
                )
        if self.follow is not None and not self.ticket:
            raise ValueError(f"endpoint {self.name}: `follow` needs `ticket`, where the ticket stands")
        for parameter in self.parameters:
            if parameter.place == "path" and "{" + parameter.name + "}" not in self.path:
                raise ValueError(f"endpoint {self.name}: path {self.path} has no {{{parameter.name}}}")
        return self


class Connector(Described):
    """One service: where it is, how it is authenticated, how hard it may be pressed."""

    name: Name
    title: str
    description: str
    origin: str = Field(
        default="", description="scheme://host[:port] of the service; empty: every destination names its own"
    )
    credential_type: str = Field(
        default="none", description="how it is authenticated; empty: by a credential of any type"
    )
    website: str = ""
    limits: Mapping[str, Any] = Field(
        default_factory=dict, description="default `limits:` of its destinations"
    )
    quota_headers: Mapping[str, str] = Field(
        default_factory=dict,
        description="the service's own names: limit, remaining, reset_epoch -> header name in lower case",
    )
    warnings: Callable[[str, str, str], tuple[str, ...]] | None = Field(
        default=None,
        description="(method, url, content format) of a hand-made request -> what to tell its author",
    )
