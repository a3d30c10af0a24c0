"""The bodies of samples as files: the very bytes that would go out, for whoever wants to look or send by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from haulier.errors import ConfigurationError
from haulier.io.files import stream_part
from haulier.runs.previews.preview import Sample, unfetched_in

__all__ = ["body_name", "save_bodies"]

_ENDINGS = {
    "application/json": ".json",
    "application/octet-stream": ".bin",
    "application/x-ndjson": ".ndjson",
    "application/x-www-form-urlencoded": ".form",
    "application/xml": ".xml",
    "multipart/form-data": ".multipart",
    "text/csv": ".csv",
    "text/plain": ".txt",
}


def body_name(sample: Sample) -> str:
    """The file name of a sample's body: `sample-3.json`, `sample-3.csv.gz`; empty where it has none."""
    if not sample.length:
        return ""
    headers = {name.lower(): value for name, value in sample.headers}
    media_type = headers.get("content-type", "").partition(";")[0]
    packed = ".gz" if headers.get("content-encoding") == "gzip" else ""
    return f"sample-{sample.number}{_ENDINGS.get(media_type, '.body')}{packed}"


def save_bodies(samples: Iterable[Sample], folder: Path) -> dict[int, Path]:
    """Write each body below the folder, which is made where it is missing; number of the sample -> its file.

    A file of that name is written anew. Raises ConfigurationError where that cannot be, TransportError where a file
    that is part of a body changed meanwhile.
    """
    saved: dict[int, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for sample in samples:
            if not (name := body_name(sample)):
                continue
            if unfetched := unfetched_in(sample.body):
                raise ConfigurationError(
                    f"--out: sample {sample.number} holds {unfetched}, which was not fetched; add --fetch"
                )
            with (folder / name).open("wb") as file:
                for part in (sample.body,) if isinstance(sample.body, bytes) else sample.body:
                    file.writelines((part,) if isinstance(part, bytes) else stream_part(part))
            saved[sample.number] = folder / name
    except OSError as error:
        raise ConfigurationError(
            f"--out {folder}: cannot be written ({error.strerror}); name another folder"
        ) from None
    return saved
