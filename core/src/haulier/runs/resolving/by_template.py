"""The pieces of a destination that names an endpoint template."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from haulier.errors import DestinationError
from haulier.model.connector import Connector, EndpointTemplate, Parameter, ParameterPlace
from haulier.model.destination import Batching, Destination
from haulier.model.expression import Expression, parse
from haulier.model.headers import HeaderTemplate
from haulier.model.url import QueryItem, split_base, template_path
from haulier.pipeline.address import AddressTemplate
from haulier.pipeline.bounds import Bounded
from haulier.pipeline.spec import BodyValue
from haulier.runs.resolving.parameters import check_parameters, outside, text_expression, value_expression
from haulier.runs.resolving.pieces import FileParameter, Pieces
from haulier.runs.resolving.written import written_headers

__all__ = ["pieces_by_template"]


def pieces_by_template(
    destination: Destination, connector: Connector, template: EndpointTemplate, base_url: str | None
) -> Pieces:
    """Hold a destination's params, format and batching against its template; DestinationError where they differ."""
    given = _Given(destination, template)
    batching, warnings = _batching(destination, template)
    formats = template.content_formats
    chosen = destination.content_format or (formats[0] if formats else "none")
    if destination.content_format and destination.content_format not in formats:
        right = f"write content_format: {formats[0]}" if formats else "it takes no body"
        warnings.append(f"endpoint {template.name} does not take the content format {chosen}; {right}")
    _check_answers(destination, template)
    if template.irreversible:
        warnings.append(template.irreversible)
    return Pieces(
        template=template,
        address=_address(destination, connector, template, given, base_url),
        attributes=template.attributes,
        format_name=chosen,
        body=tuple(
            BodyValue(one.name, value_expression(value, f"params.{one.name}"), given.must(one))
            for one, value in given.at("body")
        ),
        files=tuple(
            FileParameter(one.name, given.text(one, value), given.must(one))
            for one, value in given.at("file")
        ),
        batching=batching,
        bounds=given.bounds(),
        whole=template.batch == "whole",
        minimum=template.minimum_records,
        item_type=template.item_type,
        idempotency_key=template.idempotency_key,
        warnings=tuple(warnings),
    )


def _check_answers(destination: Destination, template: EndpointTemplate) -> None:
    """Answers that are files need a folder to go to."""
    if template.answers == "file" and destination.save_body is None:
        raise DestinationError(
            f"endpoint {template.name} answers with files: write `save_body`, the folder they go to, such as "
            "`save_body: out/pictures`"
        )
    if template.answers == "json" and destination.save_body is not None:
        raise DestinationError(
            f"save_body: endpoint {template.name} answers with JSON, which is for an output: write "
            "`outputs: [{to: jsonl, path: out/answers.jsonl, answer: true}]`"
        )


class _Given:
    """The parameters a destination gives a template, by place."""

    def __init__(self, destination: Destination, template: EndpointTemplate) -> None:
        self._template = template
        self._values = check_parameters(template, destination.params)

    def at(self, place: ParameterPlace) -> list[tuple[Parameter, Any]]:
        return [
            (one, self._values[one.name])
            for one in self._template.parameters
            if one.place == place and one.name in self._values
        ]

    def bounds(self) -> tuple[Bounded, ...]:
        """Of parameters that records fill, those that say which values they take."""
        filled = [
            (one, parse(self._values[one.name], place=f"params.{one.name}"))
            for one in self._template.parameters
            if one.bounded and one.place != "file" and isinstance(self._values.get(one.name), str)
        ]
        return tuple(
            Bounded(one.name, expression, partial(outside, one), one.certain)
            for one, expression in filled
            if not expression.is_constant
        )

    def text(self, parameter: Parameter, value: Any) -> Any:
        return text_expression(value, f"params.{parameter.name}", self._template.booleans)

    def must(self, parameter: Parameter) -> bool:
        """What was given must have a value where it is required, alone or as one of a group."""
        return parameter.required or any(parameter.name in group for group in self._template.one_of)


def _address(
    destination: Destination,
    connector: Connector,
    template: EndpointTemplate,
    given: _Given,
    base_url: str | None,
) -> AddressTemplate:
    base = base_url or connector.origin
    if not base:
        raise DestinationError(f"connector {connector.name} has no address of its own; write `base_url`")
    origin, base_path = split_base(base, place="base_url" if base_url else f"connector {connector.name}")
    _check_base(base_path, template)
    in_path = {one.name: given.text(one, value) for one, value in given.at("path")}
    return AddressTemplate(
        method=template.method,
        origin=origin,
        base_path=base_path,
        path=template_path(template.path, in_path, place=f"endpoint {template.name}"),
        query=tuple(
            QueryItem(name, Expression((text,), f"endpoint {template.name}"), required=True)
            for name, text in template.query.items()
        )
        + tuple(
            QueryItem(one.name, given.text(one, value), required=given.must(one), words=one.type != "boolean")
            for one, value in given.at("query")
        ),
        headers=(
            *written_headers(destination),
            *(
                HeaderTemplate(one.name, given.text(one, value), given.must(one))
                for one, value in given.at("header")
            ),
        ),
        booleans=template.booleans,
    )


def _check_base(base_path: str, template: EndpointTemplate) -> None:
    """A version that stands in the base and in the path again: the service knows no such address."""
    version = template.path.split("/")[1]
    if re.fullmatch(r"v\d+", version) and base_path.rstrip("/").rpartition("/")[2] == version:
        raise DestinationError(
            f"base_url: ends with /{version}, and the paths of connector {template.connector} begin with it, too "
            f"(/{version}/{version}/...); leave /{version} out"
        )


def _batching(destination: Destination, template: EndpointTemplate) -> tuple[Batching | None, list[str]]:
    """The batching that results, the template's where the destination says nothing else; and what to tell of it."""
    written = destination.batching
    default = Batching.model_validate(dict(template.batching)) if template.batching is not None else None
    if template.batch == "unit":
        if written:
            raise DestinationError(
                f"batching: endpoint {template.name} takes one record a call, so its records cannot travel in batches; "
                "leave `batching` out"
            )
        return None, []
    if default is None:
        return Batching() if written is True else written or None, []
    given = written.model_fields_set if isinstance(written, Batching) else set()
    merged = default.model_copy(update={name: getattr(written, name) for name in given})
    if template.batch != "whole":
        return merged, []
    told = [
        f"endpoint {template.name} is one call for the whole input: batching.{name} is not used"
        for name in ("size", "max_bytes", "max_wait", "group_by")
        if name in given
    ]
    return merged.model_copy(update={"group_by": []}), told
