"""A page for each content format: what it is, its settings, and a preview of it."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel

from haulier.model.parts import ContentEncoder
from haulier.plugins.registry import Registry
from reference.catalog import brought_by
from reference.examples import Example, example_blocks
from reference.markdown import page, sentence, table
from reference.settings import settings_table

__all__ = ["encoders_page", "format_pages"]

_URL = "request: {url: 'http://127.0.0.1:8123/v1/products"
_BOOKS = (
    {"sku": "B-1", "title": 'Ink & "quills"', "price": 12.50, "tags": ["desk", "blue"], "in_stock": True},
    {"sku": "B-2", "title": "=SUM(A1)", "price": 3, "tags": [], "in_stock": False},
)
EXAMPLES: dict[str, Example] = {
    "bytes": Example(
        f"""
{_URL}/{{record.sku}}/label', method: PUT, content_format: bytes}}
format_settings: {{attribute: label, encoding: base64, media_type: text/plain}}
""",
        [{"sku": "B-1", "label": "SW5rICYgcXVpbGxz"}],
    ),
    "csv": Example(
        f"""
{_URL}', content_format: csv}}
batching: {{size: 100}}
format_settings: {{columns: [sku, title, price, in_stock], extra: drop, guard_formulas: true}}
""",
        _BOOKS,
    ),
    "form": Example(
        f"""
{_URL}', content_format: form}}
format_settings: {{nested: bracket, booleans: digits}}
""",
        _BOOKS[:1],
    ),
    "json": Example(
        f"""
{_URL}', content_format: json}}
batching: {{size: 100, grouping: {{name: property, property_name: products}}}}
""",
        _BOOKS,
        words=" --full",
    ),
    "multipart": Example(
        f"""
{_URL}', content_format: multipart, files: {{label: '{{record.file}}'}}}}
files_root: labels
exclude: [file]
format_settings: {{json_part: product}}
""",
        [{"sku": "B-1", "price": 12.50, "file": "ink.txt"}],
        files={"labels/ink.txt": "Ink & quills\n"},
        words=" --full",
    ),
    "ndjson": Example(
        f"""
{_URL}/_bulk', content_format: ndjson}}
batching: {{size: 100}}
""",
        _BOOKS,
    ),
    "none": Example(
        "request: {method: DELETE, url: 'http://127.0.0.1:8123/v1/products/{record.sku}'}\n", _BOOKS[:1]
    ),
    "text": Example(
        f"""
{_URL}', content_format: text}}
batching: {{size: 100}}
format_settings:
  template: 'stock,sku={{record.sku}} price={{record.price}}'
  end: "\\n"
  line_breaks: refuse
""",
        _BOOKS,
    ),
    "xml": Example(
        f"""
{_URL}', content_format: xml}}
batching: {{size: 100}}
format_settings: {{root: catalog, record: product, element: tag}}
""",
        _BOOKS,
    ),
}


def encoders_page(registry: Registry) -> str:
    """encoders.md."""
    rows = [
        (
            f"[`{name}`](formats/{name}.md)" if name in EXAMPLES else f"`{name}`",
            f"`{one.media_type}`" if one.media_type else "no body",
            _yes(value=one.carries_batches),
            _yes(value=one.files),
            sentence(one.description),
        )
        for name, one in sorted(registry.encoders.items())
    ]
    return page(
        "Content formats",
        "What a body is made of. An endpoint template names the formats that fit, the first one is taken unless the "
        "destination says `content_format`. Settings stand in `format_settings`. A format that cannot carry "
        "batches, or not the shape a grouping gives them, is refused by `haulier destination check`. On the command "
        "line: `haulier encoders`. What becomes of values is the same in all of them: [what is sent](../formats.md).",
        table(("format", "media type", "batches", "files", "what it is"), rows),
    )


def format_pages(registry: Registry) -> dict[str, str]:
    """formats/NAME.md for each format that core brings."""
    return {f"formats/{name}.md": _page(registry, registry.encoders[name]) for name in EXAMPLES}


def _page(registry: Registry, one: ContentEncoder) -> str:
    arrive = {
        "opaque": "as they were read",
        "members": "attribute by attribute, numbers as they are written",
        "values": "decoded",
    }
    rows = [
        ("media type", f"`{one.media_type}`" if one.media_type else "none: no body is sent"),
        ("charset", f"`{one.charset}`" if one.charset else "none of its own"),
        ("carries batches", _yes(value=one.carries_batches)),
        ("carries files", _yes(value=one.files)),
        ("records arrive", arrive[one.needs]),
    ]
    told = [f"{one.title}. {sentence(one.description)}", brought_by(registry, "content_encoders", one.name)]
    told += [table(("", ""), rows), "## Settings"]
    told += ["They stand in `format_settings`."] if one.settings.model_fields else []
    inner = _inner(one.settings)
    told += [settings_table(one.settings, links={model: f"[mapping](#in-{name})" for name, model in inner})]
    for name, model in inner:
        told += [f"### In `{name}`", settings_table(model)]
    told += ["## Example", *example_blocks(f"as-{one.name}", EXAMPLES[one.name])]
    return page(f"`{one.name}`", *told)


def _inner(model: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Models that settings are made of."""
    return [
        (name, inner)
        for name, field in model.model_fields.items()
        for inner in get_args(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel)
    ]


def _yes(*, value: bool) -> str:
    return "yes" if value else "no"
