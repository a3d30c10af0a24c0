"""A page for each grouping algorithm: what it is, its settings, and a preview of it."""

from __future__ import annotations

from haulier.model.parts import GroupingAlgorithm
from haulier.plugins.registry import Registry
from reference.catalog import brought_by
from reference.examples import Example, example_blocks
from reference.markdown import page, sentence, table
from reference.settings import settings_table

__all__ = ["grouping_pages", "groupings_page"]

_URL = "request: {url: 'http://127.0.0.1:8123/v1/products'}\n"
_PRODUCTS = (
    {"sku": "B-1", "price": 12.50, "country": "bg"},
    {"sku": "B-2", "price": 3, "country": "de"},
    {"sku": "B-3", "price": 7.25, "country": "bg"},
)
EXAMPLES: dict[str, Example] = {
    "array": Example(f"{_URL}batching: {{size: 2, grouping: array}}\n", _PRODUCTS),
    "code": Example(
        f"""{_URL}batching:
  size: 100
  grouping:
    name: code
    code: |
      def build(records, context):
          found = {{}}
          for index, record in enumerate(records):
              found.setdefault(record["country"], []).append(index)
          return [
              Payload({{"country": country, "items": [records[at] for at in places]}}, records=places)
              for country, places in found.items()
          ]
""",
        _PRODUCTS,
    ),
    "lines": Example(f"{_URL}batching: {{size: 2, grouping: lines, item: [sku, price]}}\n", _PRODUCTS),
    "property": Example(
        f"""{_URL}batching:
  size: 100
  group_by: [country]
  grouping: {{name: property, property_name: products, other_props: {{source: catalog}}}}
exclude: [country]
""",
        _PRODUCTS,
    ),
    "template": Example(
        f"""{_URL}batching:
  size: 100
  grouping:
    name: template
    media_type: text/xml
    template: |
      <products count="{{{{ records|length }}}}">
      {{% for record in records %}}
        <product sku="{{{{ record.sku }}}}">{{{{ record.price }}}}</product>
      {{% endfor %}}
      </products>
""",
        _PRODUCTS,
    ),
}


def groupings_page(registry: Registry) -> str:
    """groupings.md."""
    rows = [
        (
            f"[`{name}`](groupings/{name}.md)" if name in EXAMPLES else f"`{name}`",
            sentence(one.description),
        )
        for name, one in sorted(registry.groupings.items())
    ]
    return page(
        "Grouping algorithms",
        "What shape records take when they share a request. A destination chooses one in "
        "[`batching.grouping`](destination.md#batchinggrouping), by its name alone or with settings. What closes a "
        "batch is no part of it: [bounds](../concepts.md#bounds). On the command line: `haulier groupings`.",
        table(("grouping", "what it is"), rows),
    )


def grouping_pages(registry: Registry) -> dict[str, str]:
    """groupings/NAME.md for each algorithm that `haulier-batching` brings."""
    return {f"groupings/{name}.md": _page(registry, registry.groupings[name]) for name in EXAMPLES}


def _page(registry: Registry, one: GroupingAlgorithm) -> str:
    arrive = "as they were read" if one.needs == "opaque" else "decoded"
    formats = ", ".join(f"[`{name}`](../formats/{name}.md)" for name in one.formats)
    rows = [
        ("records arrive", "as JSON, in a process of their own" if one.waits else arrive),
        ("content format", formats or "any that carries batches, and the shape it gives them"),
        ("bodies", "made again where needed" if one.remakes else "kept in the ledger until they are settled"),
    ]
    told = [
        f"{one.title}. {sentence(one.description)}",
        brought_by(registry, "grouping_algorithms", one.name),
    ]
    told += ["More on [code](../../code.md)."] if one.name == "code" else []
    told += [table(("", ""), rows), "## Settings"]
    told += ["They stand beside `name` in `batching.grouping`."] if one.settings.model_fields else []
    told += [settings_table(one.settings)]
    told += ["## Example", *example_blocks(f"by-{one.name}", EXAMPLES[one.name])]
    return page(f"`{one.name}`", *told)
