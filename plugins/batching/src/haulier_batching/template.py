"""`template`: the body is a text in which a person has left places for the records, filled in by MiniJinja."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import Field, field_validator

from haulier.authoring import (
    ConfigurationError,
    GroupingAlgorithm,
    Portion,
    RecordError,
    Settings,
    TextMediaType,
)
from haulier_batching.plain import names_methods, plain

if TYPE_CHECKING:
    from minijinja import Environment, TemplateError

__all__ = ["TEMPLATE", "Template", "TemplateSettings"]

_JSON = r"(?i)(?:application|text)/(?:[^;]*\+)?json\s*(?:;|$)"
_MARKUP = r"(?i)[a-z]+/(?:[^;]*\+)?(?:xml|html)\s*(?:;|$)"
# What MiniJinja would round: integers beyond 128 bits, and numbers beyond a double.
_PERHAPS_ROUNDED = re.compile(rb"\d{38}|[eE]\+?\d{3}")
_MOST_INTEGER = 2**127
_encode = msgspec.json.Encoder().encode
_check = msgspec.json.Decoder(msgspec.Raw).decode


class TemplateSettings(Settings):
    """Settings of `template`."""

    template: str = Field(
        description="the body, in the language of Jinja; `records` is the list of records: "
        '`{"ids": [{% for record in records %}{{ record.id }}{% if not loop.last %},{% endif %}{% endfor %}]}`'
    )
    media_type: TextMediaType = Field(default="application/json", description="what Content-Type says")
    escape: Literal["json", "markup", "none"] | None = Field(
        default=None,
        description="what becomes of a value where it is filled in: its JSON text; a text with `<`, `&` and quotes "
        "replaced; or the text as it is. Unless written, as the media type asks for",
    )
    steps: int = Field(
        default=100_000, ge=100, le=10_000_000, description="longest rendering of one body, in steps"
    )

    @field_validator("template")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("template is empty: write the body")
        return value

    @property
    def escaping(self) -> Literal["json", "markup", "none"]:
        """What becomes of a value."""
        if self.escape is not None:
            return self.escape
        return (
            "json"
            if re.match(_JSON, self.media_type)
            else "markup"
            if re.match(_MARKUP, self.media_type)
            else "none"
        )


class Template:
    """Renders one body a batch: strict about names, bounded in steps, without files and functions of ours."""

    def __init__(self, settings: TemplateSettings) -> None:
        """Read the template; ConfigurationError where it is none, or MiniJinja is not installed."""
        self._settings = settings
        self._checks_json = bool(re.match(_JSON, settings.media_type))
        self._environment = _environment(settings)
        self._explaining: Environment | None = None
        self._too_long = (
            f"the template took more than {settings.steps:,} steps; raise `steps`, or make batches smaller"
        )
        self._names_methods = names_methods(settings.template)

    def build(self, items: Sequence[Any]) -> tuple[Portion, ...]:
        """Return the body; RecordError says where in the template it cannot be rendered, and of which records."""
        if _PERHAPS_ROUNDED.search(_encode(items)):
            _refuse_rounded(items)
        text, fault = self._rendered(self._environment, items)
        if fault:
            # One by one, a rendering that takes too long would take so long as often as there are records.
            raise RecordError(fault) if fault == self._too_long else self._refusal(items)
        try:
            body = text.encode()
        except UnicodeEncodeError:
            raise RecordError("the template makes half a surrogate pair, which is no character") from None
        if self._checks_json:
            self._check_json(body)
        return (Portion(payload=body, media_type=self._settings.media_type),)

    def _rendered(self, environment: Environment, items: Sequence[Any]) -> tuple[str, str]:
        """The text, or why there is none."""
        from minijinja import TemplateError  # noqa: PLC0415 - an extra

        try:
            records = plain(items) if self._names_methods else items
            return environment.render_template("template", records=records), ""
        except TemplateError as error:
            return "", self._told(error)
        except (
            AttributeError,
            TypeError,
        ) as error:  # of a method that it calls; MiniJinja hands it on without a line
            return "", f"template: {error}"

    def _refusal(self, items: Sequence[Any]) -> RecordError:
        """Why there is no body of these records; those at fault are named where others can be rendered by themselves.

        Only here are names of what is undefined asked for: the environment that knows them is slower.
        """
        self._explaining = self._explaining or _environment(self._settings, explains=True)
        faults = [self._rendered(self._explaining, [item])[1] for item in items]
        each = [(item, fault) for item, fault in zip(items, faults, strict=True) if fault]
        if 0 < len(each) < len(items):
            return RecordError(each[0][1], each=each)
        return RecordError(self._rendered(self._explaining, items)[1])

    def _told(self, error: TemplateError) -> str:
        """`template:3: undefined value: `record.price` is undefined at {{ record.price }}`."""
        if error.kind == "OutOfFuel":
            return self._too_long
        what = error.message.replace("(in template:", "(line ")
        lines = self._settings.template.splitlines()
        line = error.line or 0
        at = f" at {lines[line - 1].strip()[:120]}" if 0 < line <= len(lines) else ""
        return f"template:{line}: {what.rpartition(' (line ')[0] or what}{at}"

    @staticmethod
    def _check_json(body: bytes) -> None:
        try:
            _check(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordError(f"what the template makes is no JSON: {_fault(body) or error}") from None


def _environment(settings: TemplateSettings, *, explains: bool = False) -> Environment:
    """The template, read. explains: its errors name what is undefined."""
    try:
        from minijinja import Environment, TemplateError  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "the grouping template needs MiniJinja: pip install 'haulier-batching[template]'"
        ) from None
    modes: dict[str, str | bool] = {"json": "json", "markup": "html", "none": False}
    mode = modes[settings.escaping]

    def escape(name: str) -> str | bool | None:
        return mode

    environment = Environment(
        undefined_behavior="strict",
        fuel=settings.steps,
        auto_escape_callback=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        debug=explains,
    )
    environment.remove_global("debug")
    try:
        environment.add_template("template", settings.template)
        unknown = environment.undeclared_variables_in_template("template") - {"records"}
    except TemplateError as error:
        raise ConfigurationError(f"template: line {error.line}: {error.detail or error.message}") from None
    if unknown - set(environment.globals):
        names = ", ".join(sorted(unknown))
        raise ConfigurationError(
            f"template: there is no {names}; what it is given is `records`, the list of records"
        )
    return environment


def _refuse_rounded(items: Sequence[Any]) -> None:
    told = "holds the number {}, which a template would round; send it as a text"
    each = [(item, told.format(found[:60])) for item in items if (found := _rounded(item))]
    if each:
        raise RecordError(each[0][1], each=each)


def _rounded(value: Any) -> str:
    """The first number in a value that MiniJinja would not keep, as text; empty where there is none."""
    if isinstance(value, dict):
        return next((found for one in value.values() if (found := _rounded(one))), "")
    if isinstance(value, list):
        return next((found for one in value if (found := _rounded(one))), "")
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if type(value) is int and not -_MOST_INTEGER <= value < _MOST_INTEGER:
        return str(value)
    return ""


def _fault(body: bytes) -> str:
    """Why a text is no JSON, in the words of the standard library; empty where it finds nothing."""
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


TEMPLATE = GroupingAlgorithm(
    name="template",
    title="Template",
    description=(
        "The body is a text of yours in which the records are filled in, in the language of Jinja. A record that lacks "
        "an attribute that it asks for is rejected, alone where the others can be filled in. In a JSON body every "
        "value is filled in as JSON text, so that no record can change what stands around it."
    ),
    factory=Template,
    settings=TemplateSettings,
    needs="values",
    remakes=False,
    anywhere=True,
)
