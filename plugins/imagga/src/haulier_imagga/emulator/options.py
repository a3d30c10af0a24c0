"""Option values as the service takes them: 0 and 1 for no and yes, numbers, languages."""

from __future__ import annotations

from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.refusal import Refusal

# https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga
# fmt: off
LANGUAGES = frozenset(
    (
        "ar", "bg", "bs", "en", "ca", "cs", "cy", "da", "de", "el", "es", "et",
        "fa", "fi", "fr", "he", "hi", "hr", "ht", "hu", "id", "it", "ja", "ko",
        "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sv",
        "sl", "sr_cyrl", "sr_latn", "th", "tr", "uk", "ur", "vi", "zh_chs", "zh_cht",
    )
)
# fmt: on


def flag(call: Call, name: str, *, default: bool = False) -> bool:
    """A yes or no, sent as 1 or 0."""
    value = call.option(name)
    if value is None:
        return default
    if value not in ("0", "1"):
        raise Refusal(400, f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def decimal(call: Call, name: str, *, default: float, least: float, most: float) -> float:
    """A number from `least` to `most`."""
    value = call.option(name)
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise Refusal(400, f"{name} must be a number from {least:g} to {most:g}, not {value!r}")
    return number


def whole(call: Call, name: str, *, default: int, least: int) -> int:
    """A whole number, `least` or more."""
    value = call.option(name)
    if value is None:
        return default
    if not value.removeprefix("-").isdecimal() or int(value) < least:
        raise Refusal(400, f"{name} must be a whole number of {least} or more, not {value!r}")
    return int(value)


def languages(call: Call) -> tuple[str, ...]:
    """The languages words are wanted in, sent as a comma list; English when none is named."""
    value = call.option("language")
    if value is None:
        return ("en",)
    codes = tuple(code.strip() for code in value.split(","))
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown:
        raise Refusal(400, f"language {unknown[0]!r} is not supported")
    return codes


def in_languages(word: str, codes: tuple[str, ...]) -> dict[str, str]:
    """A word by language. Nothing is translated: outside English the word carries the language's code."""
    return {code: word if code == "en" else f"{word} ({code})" for code in codes}
