"""GET|POST /v2/tags: words drawn from a picture's hash and format, or a URL's text. Not vision."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.options import decimal, flag, in_languages, languages, whole
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service

# https://docs.imagga.com/: a threshold below this has no effect, so no tag lies below it.
LEAST_CONFIDENCE = 7.0
DRAWN = 12
PARENTS = {
    "apple": "fruit",
    "beach": "coast",
    "bicycle": "vehicle",
    "boat": "vehicle",
    "bread": "food",
    "bridge": "structure",
    "car": "vehicle",
    "cat": "animal",
    "church": "building",
    "cliff": "mountain",
    "coffee": "drink",
    "dog": "animal",
    "forest": "tree",
    "fruit": "food",
    "harbor": "coast",
    "horse": "animal",
    "house": "building",
    "mountain": "landscape",
    "rose": "flower",
    "sunset": "sky",
    "tower": "building",
    "train": "vehicle",
}
WORDS = (
    *PARENTS,
    *(
        "architecture",
        "art",
        "book",
        "city",
        "clouds",
        "family",
        "furniture",
        "garden",
        "grass",
        "lake",
        "night",
    ),
    *(
        "office",
        "people",
        "portrait",
        "river",
        "road",
        "snow",
        "sport",
        "street",
        "summer",
        "travel",
        "water",
        "winter",
    ),
)


def _tags(service: Service, call: Call) -> Result:
    codes = languages(call)
    limit = whole(call, "limit", default=-1, least=-1)
    threshold = decimal(call, "threshold", default=0.0, least=0.0, most=100.0)
    verbose = flag(call, "verbose")
    tagger = call.path_values.get("tagger_id") or call.option("tagger_id")
    if tagger == "feedback":
        raise Refusal(405, f"{call.method} is not supported here")
    picture = image_of(service, call)
    if tagger:
        picture = replace(picture, seed=f"{picture.seed}|{tagger}")
    found = confidences(picture, decrease_parents=flag(call, "decrease_parents"))
    chosen = [(word, confidence) for word, confidence in found if confidence >= threshold]
    return {
        "tags": [
            {
                "confidence": confidence,
                "tag": in_languages(word, codes),
                **(_details(word) if verbose else {}),
            }
            for word, confidence in (chosen if limit == -1 else chosen[:limit])
        ]
    }


def confidences(picture: Picture, *, decrease_parents: bool = False) -> list[tuple[str, float]]:
    """Words with confidences from LEAST_CONFIDENCE to 100, highest first; the same for the same picture.

    `decrease_parents` leaves out the words that only say more generally what another one says.
    """
    drawn = sorted(WORDS, key=lambda word: picture.fraction("drawn", word))[:DRAWN]
    found = dict(_facts(picture))
    for word in drawn:
        # Squared, so that few words are likely and many are not.
        share = picture.fraction("confidence", word) ** 2
        found.setdefault(word, LEAST_CONFIDENCE + (100.0 - LEAST_CONFIDENCE) * share)
    parents: set[str] = set()
    for word, confidence in sorted(found.items()):
        for parent in _parents(word):
            parents.add(parent)
            found[parent] = max(
                found.get(parent, LEAST_CONFIDENCE), LEAST_CONFIDENCE + (confidence - 7.0) * 0.9
            )
    if decrease_parents:
        found = {word: confidence for word, confidence in found.items() if word not in parents}
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _facts(picture: Picture) -> list[tuple[str, float]]:
    """What can be said without looking: format and shape of a file, or the words in a URL's last part."""
    if picture.url is not None:
        name = PurePosixPath(unquote(urlsplit(picture.url).path)).stem
        words = dict.fromkeys(re.findall(r"[^\W\d_]{3,}", name.lower()))
        return [(word, 100.0 - 5.0 * place) for place, word in enumerate([*words][:5])]
    facts = [(picture.kind, 100.0)]
    if picture.width is not None and picture.height is not None:
        wider = picture.width - picture.height
        facts.append(("horizontal" if wider > 0 else "vertical" if wider < 0 else "square", 99.0))
        facts.append(("large" if picture.width * picture.height >= 1_000_000 else "small", 98.0))
    return facts


def _parents(word: str) -> list[str]:
    chain: list[str] = []
    while word in PARENTS:
        word = PARENTS[word]
        chain.append(word)
    return chain


def _details(word: str) -> dict[str, str]:
    """What `verbose` adds; the id has the shape of WordNet's and is none of them."""
    return {"origin": "recognition", "synset_id": f"n{int.from_bytes(word.encode()) % 10**8:08d}"}


ENDPOINTS = (
    Endpoint(
        path="/v2/tags",
        methods=("GET", "POST"),
        answer=_tags,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.DIRECTUS, sources.PIPEDREAM, sources.CLIENT_CODE),
        unknown=(
            "what a wrong option is told (here: 400), and the values of origin and synset_id (here: made up)"
        ),
        metered=True,
    ),
    Endpoint(
        path="/v2/tags/{tagger_id}",
        methods=("GET", "POST"),
        answer=_tags,
        mark="B",
        sources=(sources.GO_CLIENT, sources.PIPEDREAM),
        unknown=(
            "whether a tagger's id stands in the path, as clients have it, or in the query, as Imagga's documentation "
            "has it (here: either is taken); what an unknown tagger is told (here: every one is taken, and has words "
            "of its own)"
        ),
        metered=True,
    ),
)
