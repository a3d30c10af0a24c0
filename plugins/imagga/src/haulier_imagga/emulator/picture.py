"""A picture as far as the emulator looks at it: its hash, its format and its size, never what it shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from haulier_imagga.emulator.refusal import Refusal

# https://bitbucket.org/imaggateam/workspace/snippets/LL6dd lists png, jpg, jpeg and gif.
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
# Endings of what is surely no picture. The text was recorded with a 400 that seems to come of such a URL [C]:
# seen in public client code, address unknown, read 2026-11-22.
NO_PICTURE_ENDINGS = (".html", ".htm", ".txt", ".pdf", ".json", ".xml", ".csv", ".zip", ".mp4")
NO_PICTURE_TEXT = "Unexpected error while running the classification job."


@dataclass(frozen=True, slots=True)
class Picture:
    """`seed` decides everything the emulator says of it; `width` and `height` are None where not known."""

    seed: str
    kind: str
    width: int | None = None
    height: int | None = None
    url: str | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Picture:
        """A picture file; a Refusal when its first bytes are those of no format the service takes."""
        kind = next((kind for start, kind in SIGNATURES if data.startswith(start)), None)
        if kind is None:
            raise Refusal(400, "the image is not a PNG, JPEG or GIF file")
        width, height = _size(kind, data)
        return cls(hashlib.sha256(data).hexdigest(), kind, width, height)

    @classmethod
    def from_url(cls, url: str) -> Picture:
        """What stands at a URL, judged by the URL's text: nothing is fetched."""
        try:
            split = urlsplit(url)
        except ValueError:
            split = urlsplit("")
        if split.scheme not in ("http", "https") or not split.hostname:
            raise Refusal(400, f"image_url {url!r} is not an http or https address")
        if split.path.lower().endswith(NO_PICTURE_ENDINGS):
            raise Refusal(400, NO_PICTURE_TEXT)
        return cls(hashlib.sha256(url.encode()).hexdigest(), "url", url=url)

    def fraction(self, *words: object) -> float:
        """A number from 0 to below 1 that depends on the picture and `words` only."""
        digest = hashlib.sha256("|".join([self.seed, *map(str, words)]).encode()).digest()
        return int.from_bytes(digest[:6]) / 2**48


def _size(kind: str, data: bytes) -> tuple[int, int] | tuple[None, None]:
    if kind == "png" and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if kind == "gif" and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if kind == "jpeg":
        return _jpeg_size(data)
    return None, None


def _jpeg_size(data: bytes) -> tuple[int, int] | tuple[None, None]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        # The start-of-frame markers; C4, C8 and CC in between mean something else.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + length
    return None, None
