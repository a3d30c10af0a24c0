"""What the functions of plugins return, held against what they must return.

Each check gives what is wrong, behind `... returned`, and what must be instead; an empty text where nothing is. It is
asked once a request, an answer or a batch, and never shows a value that may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from types import GeneratorType
from typing import Any, TypeAlias, get_args

from haulier.model.delivery import DELIVERED, Outcomes, Stop, Verdict, VerdictKind
from haulier.model.headers import header_fault, value_fault
from haulier.model.parts import Account, Portion, Token, TokenRequest, Work
from haulier.model.request import Added, Body, FilePart

__all__ = [
    "Check",
    "account_fault",
    "acquiring_fault",
    "added_fault",
    "body_fault",
    "grouping_fault",
    "output_fault",
    "portions_fault",
    "question_fault",
    "spread_fault",
    "token_fault",
    "verdict_fault",
    "warnings_fault",
    "work_fault",
]

Check: TypeAlias = Callable[[Any], str]

_KINDS = frozenset(get_args(VerdictKind))


def _kind_of(value: object) -> str:
    """What a value is, in words, without the value."""
    return "None" if value is None else f"a value of type {type(value).__name__}"


def body_fault(found: Any) -> str:
    """Of an encoder."""
    if not isinstance(found, Body):
        return f"{_kind_of(found)}; it must return a Body"
    parts: Any = found.parts
    if not isinstance(parts, tuple):
        return f"a Body whose parts are {_kind_of(parts)}; they must be a tuple of bytes and FilePart"
    for part in parts:
        if not isinstance(part, bytes | FilePart):
            return f"a Body with {_kind_of(part)} among its parts; they must be bytes or FilePart"
    return _media_fault("a Body", found.media_type)


def _media_fault(what: str, media_type: Any) -> str:
    if not isinstance(media_type, str):
        return f"{what} whose media_type is {_kind_of(media_type)}; it must be a text"
    if fault := value_fault(media_type):
        return f"{what} whose media_type {fault}; it must be one line of ASCII"
    return ""


def grouping_fault(found: Any) -> str:
    """Of the factory of a grouping."""
    return "" if _has(found, "build") else f"{_kind_of(found)}; it must return an object with `build(items)`"


def portions_fault(found: Any) -> str:
    """Of the `build` of a grouping, but for which items stand where, and what portions carry."""
    if found is None:
        return "None; it must return a dict or a list in which every record stands exactly once, or a tuple of Portion"
    portions = [one for one in found if isinstance(one, Portion)] if type(found) is tuple else []
    return next(filter(None, (_media_fault("a Portion", one.media_type) for one in portions)), "")


def work_fault(found: Any) -> str:
    """Of what a grouping that waits yields."""
    return "" if isinstance(found, Work) else f"{_kind_of(found)}; it must yield Work"


def verdict_fault(found: Any) -> str:
    """Of a judge."""
    if found is None or found is DELIVERED:
        return ""
    if isinstance(found, Outcomes):
        return _outcomes_fault(found.verdicts)
    if isinstance(found, Stop):
        return (
            ""
            if _is_text(found.reason) and found.reason
            else "a Stop without a reason; it must say why, in a text"
        )
    if isinstance(found, Verdict):
        return _one_verdict_fault(found.kind, found)
    return f"{_kind_of(found)}; it must return a Verdict, Outcomes, a Stop or None"


def _outcomes_fault(verdicts: Any) -> str:
    if not isinstance(verdicts, Sequence):
        return f"Outcomes with {_kind_of(verdicts)}; they must hold a list of Verdict"
    for one in verdicts:
        if not isinstance(one, Verdict):
            return f"Outcomes with {_kind_of(one)} among them; all must be Verdict"
        if fault := _one_verdict_fault(one.kind, one):
            return f"Outcomes with {fault}"
    return ""


def _one_verdict_fault(kind: Any, found: Verdict) -> str:
    if not _is_text(kind) or kind not in _KINDS:
        told = repr(kind)[:40] if _is_text(kind) else _kind_of(kind)
        return f"a Verdict of the kind {told}; it must be one of {', '.join(sorted(_KINDS))}"
    for name, value in (("reason", found.reason), ("ticket", found.ticket)):
        if not _is_text(value):
            return f"a Verdict whose {name} is {_kind_of(value)}; it must be a text"
    if found.wait_s is not None and not _is_finite(found.wait_s):
        return "a Verdict whose wait_s is no finite number; it must be seconds, or None"
    return ""


def added_fault(found: Any) -> str:
    """Of the `apply` of a credential type."""
    if not isinstance(found, Added):
        return f"{_kind_of(found)}; it must return an Added"
    if not _are_pairs(found.headers):
        return "an Added whose headers are no tuple of pairs of texts; write headers=((name, value),)"
    if not _are_pairs(found.query):
        return "an Added whose query is no tuple of pairs of texts; write query=((name, value),)"
    for name, value in found.headers:
        if fault := header_fault(name, value):
            return f"an Added {fault}"
    for pair in found.query:
        if any(not text.isascii() or not text.isprintable() or set(text) & set(" #&") for text in pair):
            return "an Added with a query pair that is not escaped; it must be in the form of the wire"
    return ""


def acquiring_fault(found: Any) -> str:
    """Of the `acquire` of a credential type."""
    if isinstance(found, GeneratorType):
        return ""
    return f"{_kind_of(found)}; it must be a generator, which yields each TokenRequest and returns a Token"


def question_fault(found: Any) -> str:
    """Of what an `acquire` yields."""
    if not isinstance(found, TokenRequest):
        return f"{_kind_of(found)}; it must yield a TokenRequest"
    if not (_is_text(found.url) and _is_text(found.method)) or type(found.body) is not bytes:
        return "a TokenRequest whose url or method is no text, or whose body is no bytes"
    if not _are_pairs(found.headers):
        return "a TokenRequest whose headers are no tuple of pairs of texts; write headers=((name, value),)"
    faults = (header_fault(*pair) for pair in found.headers)
    return next((f"a TokenRequest {fault}" for fault in faults if fault), "")


def token_fault(found: Any) -> str:
    """Of what an `acquire` returns at its end."""
    if not isinstance(found, Token):
        return f"{_kind_of(found)}; it must return a Token"
    if not _is_text(found.value) or not found.value:
        return "a Token without a value; it must be a text"
    if found.expires_at is not None and not _is_finite(found.expires_at):
        return "a Token whose expires_at is no finite number; it must be Unix seconds, or None"
    return ""


def account_fault(found: Any) -> str:
    """Of the `learn` of a credential type."""
    return "" if isinstance(found, Account) else f"{_kind_of(found)}; it must return an Account"


def spread_fault(found: Any) -> str:
    """Of the `spread` of a template whose jobs are followed."""
    if found is None or _are(found, Mapping):
        return ""
    return f"{_kind_of(found)}; it must return a mapping for each record, or None"


def warnings_fault(found: Any) -> str:
    """Of the `warnings` of an encoder."""
    return "" if _are(found, str) else f"{_kind_of(found)}; it must return a list of texts"


def output_fault(found: Any) -> str:
    """Of the factory of an output."""
    if not (_has(found, "write") and _has(found, "close")):
        return f"{_kind_of(found)}; it must return an object with `write(lines)` and `close()`"
    if type(getattr(found, "at_once", 1)) is not int:
        return "an output whose `at_once` is no whole number"
    if not isinstance(getattr(found, "patience_s", 1), int | float):
        return "an output whose `patience_s` is no number"
    return ""


def _has(value: object, method: str) -> bool:
    return callable(getattr(value, method, None))


def _are(values: Any, kind: type) -> bool:
    """Whether it is a sequence of such values; a text is none."""
    return (
        isinstance(values, Sequence)
        and not isinstance(values, str | bytes)
        and all(isinstance(one, kind) for one in values)
    )


def _are_pairs(values: Any) -> bool:
    return isinstance(values, tuple | list) and all(
        isinstance(pair, tuple | list) and len(pair) == 2 and _are(pair, str) for pair in values
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
