"""What plugins bring to the requests of a run, as a resume holds it against what they brought when the run began."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from haulier.model.connector import EndpointTemplate
from haulier.model.destination import Batching, Destination
from haulier.plugins.fingerprint import code_of
from haulier.plugins.offers import Installed, Plugin
from haulier.plugins.registry import Registry
from haulier.runs.resolving.resolved import Resolved

__all__ = ["Maker", "brought_by_template", "makers_of", "replaced"]

_CORE = "haulier"


class Maker(Installed, frozen=True, kw_only=True):
    """A plugin that has a say in the requests of a run. code: see `code_of`; empty where its version says enough."""

    code: str = ""


def brought_by_template(resolved: Resolved) -> dict[str, Any]:
    """What an endpoint template brings to each request besides the destination's own settings, as JSON values.

    Its origin is not among it, nor how answers are read, nor what is for people. Empty for a request made by hand.
    """
    template, written = resolved.template, resolved.destination
    if template is None:
        return {}
    return {
        "method": template.method,
        "path": template.path,
        "query": dict(template.query),
        "parameters": {one.name: one.place for one in template.parameters if one.name in written.params},
        "attributes": template.attributes,
        "booleans": template.booleans,
        "content_format": "" if written.content_format else resolved.pieces.format_name,
        "batch": template.batch,
        "batching": _batching(template, written),
        "idempotency_key": template.idempotency_key,
    }


def _batching(template: EndpointTemplate, written: Destination) -> dict[str, Any]:
    """The batching of a template as far as a destination does not say something else."""
    if template.batching is None:
        return {}
    own = written.batching.model_fields_set if isinstance(written.batching, Batching) else set()
    default = Batching.model_validate(dict(template.batching))
    return default.model_dump(mode="json", exclude_defaults=True, exclude=set(own))


def makers_of(stages: Sequence[Resolved], registry: Registry) -> list[Maker]:
    """The plugins that have a say in the requests of these stages, each once."""
    offers = (
        offer
        for one in stages
        for offer in (one.template, one.connector, one.algorithm, one.encoder)
        if offer is not None
    )
    plugins = (registry.plugin_of(offer) for offer in offers)
    return list(dict.fromkeys(_maker(plugin) for plugin in plugins if plugin is not None))


def _maker(plugin: Plugin) -> Maker:
    return Maker(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        code="" if plugin.distribution == _CORE else code_of(plugin.module),
    )


def replaced(before: Iterable[Maker], now: Iterable[Maker]) -> list[str]:
    """Those that are others now, as they were: `plugin acme of haulier-acme 1.2 (1.3 now)`."""
    present = {(one.name, one.distribution): one for one in now}
    told = []
    for old in before:
        new = present.get((old.name, old.distribution), old)
        if new != old:
            what = f"{new.version} now" if new.version != old.version else "its code is another now"
            told.append(f"{old.place} ({what})")
    return told
