"""GET /v2/categorizers and GET|POST /v2/categories/{categorizer_id}: labels weighed by a picture's hash."""

from __future__ import annotations

from dataclasses import dataclass

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.options import flag, in_languages, languages
from haulier_imagga.emulator.service import Service
from haulier_imagga.emulator.similar import save_in_index


@dataclass(frozen=True, slots=True)
class Categorizer:
    """One categorizer; its `labels` are from the sources only where they say so."""

    id: str
    title: str
    labels: tuple[str, ...]


CATEGORIZERS = (
    Categorizer(
        "personal_photos",
        "Personal Photos",
        # Ours: no source read lists them.
        (
            "beaches",
            "cars",
            "events",
            "food",
            "interiors",
            "landscapes",
            "paintings",
            "people",
            "pets",
            "streets",
        ),
    ),
    # Ours: no source read lists them.
    Categorizer(
        "general_v3", "General v3", ("animal", "artefact", "building", "food", "nature", "person", "vehicle")
    ),
    # `safe` and `nsfw` were seen in public client code, address unknown, read 2026-11-22.
    Categorizer("nsfw_beta", "NSFW", ("nsfw", "safe")),
    # https://docs.imagga.com/ names it; the labels are ours.
    Categorizer("adult_content", "Adult Content", ("adult", "safe", "suggestive")),
)


def _categorizers(service: Service, call: Call) -> Result:
    return {
        "categorizers": [
            {"id": categorizer.id, "title": categorizer.title, "labels": list(categorizer.labels)}
            for categorizer in CATEGORIZERS
        ]
    }


def _categories(service: Service, call: Call) -> Result:
    wanted = call.path_values["categorizer_id"]
    categorizer = next((known for known in CATEGORIZERS if known.id == wanted), None)
    if categorizer is None:
        raise Refusal(404, f"there is no categorizer {wanted!r}; GET /v2/categorizers lists them")
    codes = languages(call)
    flag(call, "return_tags")
    picture = image_of(service, call)
    save_in_index(service, call, "categories", wanted, picture)
    # To a high power, so that one label stands out, as it does with the service.
    weights = {label: picture.fraction(categorizer.id, label) ** 8 + 1e-6 for label in categorizer.labels}
    whole = sum(weights.values())
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return {
        "categories": [
            {"confidence": 100.0 * weight / whole, "name": in_languages(label, codes)}
            for label, weight in ranked
        ]
    }


ENDPOINTS = (
    Endpoint(
        path="/v2/categorizers",
        methods=("GET",),
        answer=_categorizers,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.AIRBYTE),
        unknown="the labels (here: our own, but safe and nsfw)",
    ),
    Endpoint(
        path="/v2/categories/{categorizer_id}",
        methods=("GET", "POST"),
        answer=_categories,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.PIPEDREAM, sources.AIRBYTE),
        unknown=(
            "what an unknown categorizer is told (here: 404), save_index without save_id (here: 400), and further "
            "classes of nsfw_beta. return_tags adds nothing"
        ),
        metered=True,
    ),
)
