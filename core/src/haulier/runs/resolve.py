"""From what a person wrote to what runs: a destination held against the registry, checked and compiled.

Everything that can be known to be wrong before the first record is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from haulier.delivery.judging import Judging
from haulier.errors import ConfigurationError, DestinationError
from haulier.model.connector import Attributes, Connector, EndpointTemplate, Parameter
from haulier.model.destination import Batching, Destination, Limits, ManualRequest, ParamValue
from haulier.model.expression import Expression, RunFacts, parse
from haulier.model.headers import HeaderTemplate, parse_pairs
from haulier.model.parts import ContentEncoder, GroupingAlgorithm, Settings
from haulier.model.url import QueryItem, origin_of, split_base, split_written, template_path
from haulier.pipeline.address import AddressTemplate, compile_address
from haulier.pipeline.attributes import Way
from haulier.pipeline.planner import BodyValue, PlanSpec, Planner
from haulier.plugins.registry import Registry
from haulier.runs.parameters import check_parameters, text_expression, value_expression

__all__ = ["FileParameter", "Resolved", "resolve"]

_NO_BODY = ("GET", "DELETE")


@dataclass(frozen=True)
class FileParameter:
    """A part of the body that is a file. path: where it is, rendered for each record."""

    name: str
    path: Expression
    required: bool


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A destination ready to run. limits: the connector's with the destination's own laid over them.

    warnings: what its author should know, none of it an error.
    """

    destination: Destination
    connector: Connector
    template: EndpointTemplate | None
    method: str
    address: AddressTemplate
    attributes: Attributes
    body: tuple[BodyValue, ...]
    files: tuple[FileParameter, ...]
    encoder: ContentEncoder
    encoder_settings: Settings
    batching: Batching | None
    algorithm: GroupingAlgorithm | None
    grouping_settings: Settings | None
    whole: bool
    minimum: int
    way: Way
    limits: Limits
    idempotency_key: bool
    warnings: tuple[str, ...]

    @property
    def origin(self) -> str:
        """scheme://host[:port] that its requests go to."""
        return self.address.origin

    @property
    def varies(self) -> bool:
        """Whether something besides the idempotency key differs from run to run by itself."""
        return self.address.varies or any(value.expression.varies for value in self.body)

    def judging(self) -> Judging:
        """The rules by which its answers are judged."""
        template = self.template
        return Judging(
            verdicts={**(template.verdicts if template else {}), **self.destination.verdicts},
            judge=template.judge if template else None,
            answers_json=(self.destination.answers or (template.answers if template else "any")) == "json",
            ticket=template.ticket if template else "",
        )

    def planner(self, facts: RunFacts) -> Planner:
        """The planner of one run; raises ConfigurationError where a `--param` is missing or an address cannot be."""
        batching, algorithm = self.batching, self.algorithm
        return Planner(
            PlanSpec(
                method=self.method,
                address=compile_address(self.address, facts),
                encode=self.encoder.encode,
                encoder_settings=self.encoder_settings,
                way=self.way,
                run_id=facts.run_id,
                attributes=self.attributes,
                exclude=frozenset(self.destination.exclude),
                body=tuple(value.resolve(facts) for value in self.body),
                files=tuple(file.name for file in self.files),
                grouping=algorithm.factory(self.grouping_settings) if algorithm is not None else None,
                size=0 if self.whole or batching is None else batching.size,
                minimum=self.minimum,
                item=batching.item if batching is not None else "",
                booleans=self.address.booleans,
                idempotency_key=self.idempotency_key and self.method != "GET",
                headers=_FIXED_HEADERS,
            )
        )


_FIXED_HEADERS = (("User-Agent", "haulier"), ("Accept", "*/*"))


def resolve(destination: Destination, registry: Registry, *, base_url: str | None = None) -> Resolved:
    """Check a destination against what is installed; DestinationError or ConfigurationError says what is wrong."""
    connector = registry.connector(destination.connector)
    place = f"destination `{destination.name}`"
    try:
        if destination.endpoint is not None:
            template = registry.endpoint(connector.name, destination.endpoint)
            return _from_template(
                destination, connector, template, registry, base_url or destination.base_url
            )
        assert destination.request is not None
        return _by_hand(
            destination, connector, destination.request, registry, base_url or destination.base_url
        )
    except ConfigurationError as error:
        raise type(error)(f"{place}: {error}") from None


# -- by an endpoint template -----------------------------------------------------------------------------------------


def _from_template(
    destination: Destination,
    connector: Connector,
    template: EndpointTemplate,
    registry: Registry,
    base_url: str | None,
) -> Resolved:
    params = check_parameters(template, destination.params)
    by_place: dict[str, list[tuple[Parameter, ParamValue]]] = {}
    for parameter in template.parameters:
        if parameter.name in params:
            by_place.setdefault(parameter.place, []).append((parameter, params[parameter.name]))
    origin, base_path = _base(connector, base_url)
    words = template.booleans
    address = AddressTemplate(
        method=template.method,
        origin=origin,
        base_path=base_path,
        path=template_path(
            template.path,
            {
                one.name: text_expression(value, f"params.{one.name}", words)
                for one, value in by_place.get("path", [])
            },
            place=f"endpoint {template.name}",
        ),
        query=tuple(
            QueryItem(
                one.name, text_expression(value, f"params.{one.name}", words), required=_must(template, one)
            )
            for one, value in by_place.get("query", [])
        ),
        headers=(
            *_headers(destination, ""),
            *(
                HeaderTemplate(
                    one.name, text_expression(value, f"params.{one.name}", words), _must(template, one)
                )
                for one, value in by_place.get("header", [])
            ),
        ),
        booleans=words,
    )
    formats = template.content_formats
    chosen = destination.content_format or (formats[0] if formats else "none")
    warnings: list[str] = []
    if destination.content_format and destination.content_format not in formats:
        right = f"write content_format: {formats[0]}" if formats else "it takes no body"
        warnings.append(f"endpoint {template.name} does not take the content format {chosen}; {right}")
    if template.irreversible:
        warnings.append(template.irreversible)
    body = tuple(
        BodyValue(one.name, value_expression(value, f"params.{one.name}"), _must(template, one))
        for one, value in by_place.get("body", [])
    )
    files = tuple(
        FileParameter(one.name, text_expression(value, f"params.{one.name}", words), _must(template, one))
        for one, value in by_place.get("file", [])
    )
    batching = _template_batching(destination, template, warnings)
    return _assemble(
        destination,
        connector,
        template,
        registry,
        address=address,
        attributes=template.attributes,
        format_name=chosen,
        body=body,
        files=files,
        batching=batching,
        whole=template.batch == "whole",
        minimum=template.minimum_records,
        idempotency_key=template.idempotency_key,
        warnings=warnings,
    )


def _must(template: EndpointTemplate, parameter: Parameter) -> bool:
    """A parameter that was given must have a value where it is required, alone or as one of a group."""
    return parameter.required or any(parameter.name in group for group in template.one_of)


def _template_batching(
    destination: Destination, template: EndpointTemplate, warnings: list[str]
) -> Batching | None:
    written = destination.batching
    default = Batching.model_validate(dict(template.batching)) if template.batching is not None else None
    if template.batch == "unit":
        if written:
            raise DestinationError(
                f"endpoint {template.name} takes one record a call, so its records cannot travel in batches; "
                "leave `batching` out"
            )
        return None
    if template.batch == "whole" and default is not None:
        if isinstance(written, Batching):
            given = written.model_dump(exclude_unset=True)
            if "size" in given:
                warnings.append(
                    f"endpoint {template.name} is one call for the whole input: batching.size is not used"
                )
            return default.model_copy(update={name: getattr(written, name) for name in given})
        return default
    if written is True:
        return default or Batching()
    return written or default


# -- by hand ---------------------------------------------------------------------------------------------------------


def _by_hand(
    destination: Destination,
    connector: Connector,
    request: ManualRequest,
    registry: Registry,
    base_url: str | None,
) -> Resolved:
    if destination.params:
        raise DestinationError(
            f"params.{next(iter(destination.params))}: a request made by hand has no parameters; "
            "write the value into request.url, request.body or request.files"
        )
    url = split_written(request.url)
    origin, base_path = url.origin, ""
    if base_url is not None:
        origin, base_path = split_base(base_url)
    attributes: Attributes = request.attributes or {"GET": "query", "DELETE": "none"}.get(
        request.method, "body"
    )  # type: ignore[assignment]
    if attributes == "body" and request.method in _NO_BODY:
        raise DestinationError(f"request.attributes: a {request.method} has no body; write query or none")
    if request.method in _NO_BODY and (request.body or request.files):
        raise DestinationError(
            f"request.body: a {request.method} has no body; write the values into request.url"
        )
    has_body = attributes == "body" or request.body or request.files
    chosen = request.content_format or ("json" if has_body else "none")
    if not has_body:
        chosen = "none"
    address = AddressTemplate(
        method=request.method,
        origin=origin,
        base_path=base_path,
        path=url.path,
        query=url.query,
        headers=_headers(destination, request.headers),
    )
    warnings = list(connector.warnings(request.method, request.url, chosen)) if connector.warnings else []
    batching = destination.batching
    if batching is True:
        batching = Batching()
    if batching and attributes != "body":
        raise DestinationError(
            "batching: records travel together in a body only; send them with POST, PUT or PATCH"
        )
    return _assemble(
        destination,
        connector,
        None,
        registry,
        address=address,
        attributes=attributes,
        format_name=destination.content_format or chosen,
        body=tuple(
            BodyValue(name, value_expression(value, f"request.body.{name}"), True)
            for name, value in request.body.items()
        ),
        files=tuple(
            FileParameter(name, parse(path, place=f"request.files.{name}"), True)
            for name, path in request.files.items()
        ),
        batching=batching or None,
        whole=False,
        minimum=1,
        idempotency_key=request.idempotency_key,
        warnings=warnings,
    )


# -- both ------------------------------------------------------------------------------------------------------------


def _assemble(
    destination: Destination,
    connector: Connector,
    template: EndpointTemplate | None,
    registry: Registry,
    *,
    address: AddressTemplate,
    attributes: Attributes,
    format_name: str,
    body: tuple[BodyValue, ...],
    files: tuple[FileParameter, ...],
    batching: Batching | None,
    whole: bool,
    minimum: int,
    idempotency_key: bool,
    warnings: list[str],
) -> Resolved:
    encoder = registry.encoder(format_name)
    settings = _settings(
        encoder.settings,
        {**_booleans(encoder, address.booleans), **destination.format_settings},
        f"format_settings of {encoder.name}",
    )
    algorithm, grouping_settings = None, None
    if batching is not None:
        if not encoder.carries_batches:
            able = ", ".join(sorted(one.name for one in registry.encoders.values() if one.carries_batches))
            raise DestinationError(
                f"batching: the content format {encoder.name} cannot carry batches; these can: {able}"
            )
        for value in body:
            if value.expression.needs_record:
                raise DestinationError(
                    f"{value.name} stands once beside all records of a batch, so it cannot come from a record; "
                    "write a constant"
                )
        if files:
            raise DestinationError("batching: a request with files carries one record; leave `batching` out")
        algorithm = registry.grouping(batching.grouping.name)
        grouping_settings = _settings(
            algorithm.settings, batching.grouping.settings, f"batching.grouping {algorithm.name}"
        )
        algorithm.factory(grouping_settings)
    if files and not encoder.files:
        able = ", ".join(sorted(one.name for one in registry.encoders.values() if one.files))
        raise DestinationError(
            f"{files[0].name} is a file, which the content format {encoder.name} cannot carry; use {able}"
        )
    if files and destination.files_root is None:
        raise DestinationError(
            f"params.{files[0].name} reads files: write `files_root`, the folder they must be below"
        )
    for output in destination.outputs:
        kind = registry.output(output.to)
        _settings(kind.settings, output.settings, f"outputs {output.to}")
    return Resolved(
        destination=destination,
        connector=connector,
        template=template,
        method=address.method,
        address=address,
        attributes=attributes,
        body=body,
        files=files,
        encoder=encoder,
        encoder_settings=settings,
        batching=batching,
        algorithm=algorithm,
        grouping_settings=grouping_settings,
        whole=whole,
        minimum=minimum,
        way=_way(destination, address, attributes, body, files, encoder, batching, algorithm),
        limits=_limits(connector, destination),
        idempotency_key=idempotency_key,
        warnings=tuple(warnings),
    )


def _way(
    destination: Destination,
    address: AddressTemplate,
    attributes: Attributes,
    body: tuple[BodyValue, ...],
    files: tuple[FileParameter, ...],
    encoder: ContentEncoder,
    batching: Batching | None,
    algorithm: GroupingAlgorithm | None,
) -> Way:
    """The cheapest faithful way to read the records."""
    sends = attributes == "body" or (batching is not None and bool(batching.item))
    if sends and (encoder.needs == "values" or (algorithm is not None and algorithm.needs == "values")):
        return "full"
    if any(value.expression.needs_record for value in body) and encoder.needs == "values":
        return "full"
    plain = not (destination.exclude or address.needs_record or body or files or attributes == "query")
    return "untouched" if plain and not (batching is not None and batching.item) else "shallow"


def _limits(connector: Connector, destination: Destination) -> Limits:
    own = {name: getattr(destination.limits, name) for name in destination.limits.model_fields_set}
    return Limits.model_validate(dict(connector.limits)).model_copy(update=own)


def _base(connector: Connector, base_url: str | None) -> tuple[str, str]:
    if base_url is not None:
        return split_base(base_url)
    if not connector.origin:
        raise DestinationError(f"connector {connector.name} has no address of its own; write `base_url`")
    return origin_of(connector.origin), ""


def _headers(destination: Destination, more: str | Mapping[str, str]) -> tuple[HeaderTemplate, ...]:
    headers = (*parse_pairs(destination.headers), *parse_pairs(more, place="request.headers"))
    names = [header.name.lower() for header in headers]
    for name in names:
        if names.count(name) > 1:
            raise DestinationError(
                f"headers: {name} stands in `headers` and in `request.headers`; write it once"
            )
    if "authorization" in names and not destination.override_authorization:
        raise DestinationError(
            "headers: Authorization comes from the credential; name one with `credential:` "
            "(or write `override_authorization: true` to send this header instead)"
        )
    return headers


def _booleans(encoder: ContentEncoder, booleans: str) -> dict[str, Any]:
    return {"booleans": booleans} if "booleans" in encoder.settings.model_fields else {}


def _settings(model: type[Settings], written: Mapping[str, Any], place: str) -> Settings:
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = sorted(model.model_fields)
        if first["type"] == "extra_forbidden":
            close = get_close_matches(where, known, 1)
            hint = (
                f"; did you mean {close[0]}?" if close else f"; it has: {', '.join(known) or 'no settings'}"
            )
            raise DestinationError(f"{place}: there is no setting `{where}`{hint}") from None
        said = first["msg"].removeprefix("Value error, ")
        raise DestinationError(f"{place}{'.' + where if where else ''}: {said}") from None
