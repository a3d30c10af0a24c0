"""The last net under secrets: takes them out of text, in every form in which they are likely to get there."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from itertools import islice, permutations
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["Redactor", "looks_secret", "masked"]

_SHOWN = "[secret]"
# Shorter ones are replaced only where they stand alone: "no" as a password must not eat every "not".
_WHOLE_WORD_BELOW = 6
# Base64 fragments shorter than this turn up in other text by chance.
_SHORTEST_FRAGMENT = 8
# Pairs of secrets that a Basic header could be made of; credentials have two or three secret values.
_MOST_PAIRS = 100
_SECRET_WORDS = re.compile(
    r"secret|passw|passphrase|token|credential|authorization|cookie|signature|api[-_ ]?key|access[-_ ]?key"
    r"|private[-_ ]?key|subscription[-_ ]?key|(^|[-_ ])(auth|key|pwd|sig)$",
    re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    """Whether what has this name is likely to be a secret, so that messages leave its value out."""
    return _SECRET_WORDS.search(name) is not None


def masked(value: Any) -> Any:
    """A JSON-like value in which `[secret]` stands for headers and for whatever looks secret by its name."""
    if isinstance(value, Mapping):
        return {
            key: _SHOWN if str(key) == "headers" or looks_secret(str(key)) else masked(inner)
            for key, inner in value.items()
        }
    return [masked(inner) for inner in value] if isinstance(value, list) else value


class Redactor:
    """Replaces secrets in text with `[secret]`.

    Knows each secret as it is, escaped as in JSON and `repr`, percent-encoded, and inside base64 of
    a pair of them or of a longer text. Its `repr` shows none of them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known: set[str] = set()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Know these, too, from now on."""
        self._known |= {secret for secret in secrets if secret}
        known = sorted(self._known)
        forms: set[str] = set()
        for secret in known:
            forms |= _forms(secret)
        for first, second in islice(permutations(known, 2), _MOST_PAIRS):
            forms |= _base64_forms(f"{first}:{second}".encode("utf-8", "surrogatepass"))
        # The longest first, so that no form is left behind in the middle of a longer one.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(_expression, ordered))) if ordered else None

    def __repr__(self) -> str:
        return "Redactor(...)"

    def __call__(self, text: str) -> str:
        """Return `text` without any of the secrets."""
        return text if self._pattern is None else self._pattern.sub(_SHOWN, text)


def _forms(secret: str) -> set[str]:
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }
    forms |= {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return forms | _base64_forms(secret.encode("utf-8", "surrogatepass"))


def _base64_forms(secret: bytes) -> set[str]:
    """Base64 of the secret, and what stands for it inside base64 of a longer text, at all three offsets."""
    forms = {b64encode(secret).decode()}
    for before in range(3):
        text = b64encode(b"\0" * before + secret).decode()
        # Characters that the bytes of the secret decide alone: 6 bits each, none shared with a neighbour.
        fragment = text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        if len(fragment) >= _SHORTEST_FRAGMENT:
            forms.add(fragment)
    return forms | {form.translate(str.maketrans("+/", "-_")) for form in forms}


def _expression(form: str) -> str:
    # Hex digits of percent encoding and of JSON escapes are written in either case.
    escaped = re.sub(r"%[0-9A-F]{2}|u[0-9a-f]{4}", r"(?i:\g<0>)", re.escape(form))
    return escaped if len(form) >= _WHOLE_WORD_BELOW else rf"(?<!\w){escaped}(?!\w)"
