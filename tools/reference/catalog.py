"""What is offered: groupings, connectors with endpoints, credential types, readers and outputs."""

from __future__ import annotations

from haulier.model.answers import Condition
from haulier.model.connector import Connector, EndpointTemplate, Parameter
from haulier.plugins.offers import Plugin
from haulier.plugins.registry import Registry
from reference.destination import section_address
from reference.markdown import bullets, page, sentence, table
from reference.settings import Links, settings_table

__all__ = [
    "brought_by",
    "connectors_page",
    "credentials_page",
    "readers_and_outputs_page",
]


def connectors_page(registry: Registry) -> str:
    """connectors.md."""
    told = []
    for name in sorted(registry.connectors):
        connector = registry.connectors[name]
        told += [f"## `{name}`", f"{connector.title}. {sentence(connector.description)}"]
        told += [brought_by(registry, "connectors", name), _connector_facts(connector)]
        for endpoint in registry.endpoints_of(name):
            told += _endpoint(endpoint)
    return page(
        "Connectors",
        "The services that can be reached, and their calls. On the command line: `haulier connectors` and "
        "`haulier endpoints CONNECTOR NAME`. *Verified* means that two independent sources, or the service's own page, "
        "say so; what is not verified says what is not known.",
        *told,
    )


def credentials_page(registry: Registry) -> str:
    """credentials.md."""
    told = []
    for name, one in sorted(registry.credential_types.items()):
        told += [f"## `{name}`", f"{one.title}. {sentence(one.description)}"]
        origins = (
            ", ".join(f"`{origin}`" for origin in one.origins) or "what its creator names with `--origin`"
        )
        told += [brought_by(registry, "credential_types", name), f"Bound to: {origins}."]
        if one.check:
            told += [f"Checked by the call `{one.check}`: `haulier credential check NAME`."]
        told += [settings_table(one.settings, head="value")]
    return page(
        "Credential types",
        "How a service is authenticated. A value may be written as `env:NAME` or `file:PATH`: then it is read from "
        "there when it is used. See [security](../security.md#credentials).",
        *told,
    )


def readers_and_outputs_page(registry: Registry) -> str:
    """readers-and-outputs.md."""
    rows = []
    for name, one in sorted(registry.readers.items()):
        known = ", ".join(f"`{ending}`" for ending in one.endings) or ", ".join(
            f"`{s}://`" for s in one.schemes
        )
        rows.append((f"`{name}`", known, sentence(one.description)))
    told = ["## Readers", table(("format", "endings", "input"), rows)]
    told += [
        "A `.gz` behind an ending is looked through. `-` is standard input; there `--format` says what comes, "
        "otherwise the first bytes decide."
    ]
    told += ["## Outputs"]
    links: Links = {Condition: f"[mapping]({section_address(Condition, page='destination.md')})"}
    for name, output in sorted(registry.outputs.items()):
        told += [
            f"### `{name}`",
            f"{output.title}. {sentence(output.description)}",
            settings_table(output.settings, links=links),
        ]
    return page(
        "Readers and outputs",
        "What records are read from, and where answers go. A destination lists its outputs under "
        "[`outputs`](destination.md#outputs).",
        *told,
    )


def _connector_facts(connector: Connector) -> str:
    limits = ", ".join(f"`{name}: {value}`" for name, value in connector.limits.items())
    kind = connector.credential_type
    rows = [
        ("origin", f"`{connector.origin}`" if connector.origin else "each destination names its own"),
        ("credential", f"[`{kind}`](credentials.md#{kind})" if kind else "of any type, or none"),
        ("limits", limits or "none of its own"),
    ]
    if connector.website:
        rows.append(("website", f"<{connector.website}>"))
    return table(("", ""), rows)


def _endpoint(one: EndpointTemplate) -> list[str]:
    kinds = {"unit": "one record a call", "container": "batches", "whole": "one call for the whole input"}
    batch = kinds[one.batch] + (
        f", at least {one.minimum_records} records" if one.minimum_records > 1 else ""
    )
    facts = [
        ("call", f"`{one.method} {one.path}`"),
        ("records", batch),
        ("content formats", ", ".join(f"`{name}`" for name in one.content_formats) or "no body"),
        (
            "taken out of the answer",
            ", ".join(f"`{name}` ({path})" for name, path in one.takes.items()) or "nothing",
        ),
        ("verified", _yes(value=one.verified)),
        (
            "source",
            (f"<{one.source}>" if one.source.startswith("http") else one.source) + f", read {one.read_on}",
        ),
    ]
    if not one.idempotent:
        facts.append(("repeating it", "changes what is there, or what is answered"))
    told = [
        f"### `{one.connector}/{one.name}`",
        f"{one.title}. {sentence(one.description)}",
        table(("", ""), facts),
    ]
    if one.irreversible:
        told.append(f"**Cannot be undone.** {one.irreversible}")
    if one.parameters:
        told.append(table(("parameter", "place", "type", "meaning"), map(_parameter, one.parameters)))
    told += [f"Exactly one of {', '.join(f'`{name}`' for name in group)} is given." for group in one.one_of]
    if one.notes:
        told.append(bullets(one.notes))
    return told


def _parameter(one: Parameter) -> tuple[str, str, str, str]:
    kind = one.type if not one.choices else ", ".join(f"`{choice}`" for choice in one.choices)
    if one.minimum is not None:
        kind += f", at least {one.minimum:g}"
    if one.maximum is not None:
        kind += f", at most {one.maximum:g}"
    meaning = sentence(one.description)
    if one.certain:
        meaning += " A record with another value is rejected."
    if one.service_default:
        meaning += f" The service takes `{one.service_default}` where nothing is sent."
    if one.example:
        meaning += f" Example: `{one.example}`."
    return f"`{one.name}`{' (required)' if one.required else ''}", one.place, kind, meaning


def brought_by(registry: Registry, field: str, name: str) -> str:
    """Which distribution brings it."""
    return next(
        _brought(plugin) for plugin in registry.plugins if any(o.name == name for o in getattr(plugin, field))
    )


def _brought(plugin: Plugin) -> str:
    return f"Comes with `{plugin.distribution}`."


def _yes(*, value: bool) -> str:
    return "yes" if value else "no"
