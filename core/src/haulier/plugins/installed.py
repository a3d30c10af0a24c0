"""The entry points of installed distributions, read from the folders they are installed in.

`importlib.metadata` gives the same, but its import brings mail, sockets and archives along, a tenth of a preview's
start. It is asked where distributions may stand elsewhere than in such folders. The formats:
https://packaging.python.org/en/latest/specifications/entry-points/ and
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from importlib.machinery import PathFinder
from typing import NamedTuple

__all__ = ["GROUP", "EntryPoint", "entry_points", "version_of"]

# The group in which distributions name their plugins.
GROUP = "haulier"
_ENDINGS = (".dist-info", ".egg-info")


class EntryPoint(NamedTuple):
    """What a distribution names. value: `module` or `module:attribute`; distribution and version: whose it is."""

    group: str
    name: str
    value: str
    distribution: str
    version: str

    def load(self) -> object:
        """Import what it names; raises whatever that raises."""
        module, _, attribute = self.value.partition("[")[0].partition(":")
        steps = filter(None, attribute.strip().split("."))
        return reduce(getattr, steps, import_module(module.strip()))


def entry_points(*groups: str) -> list[EntryPoint]:
    """Those of the groups, of the distribution that comes first on the import path where two have one name."""
    if _elsewhere():
        return _asked_for(groups)
    found = []
    for folder in _folders():
        text = _text(folder, "entry_points.txt")
        wanted = [line for line in _named(text) if line[0] in groups]
        if wanted:
            distribution, version = _whose(folder)
            found += [EntryPoint(*line, distribution, version) for line in wanted]
    return found


def version_of(distribution: str) -> str:
    """The version of an installed distribution; empty where it is not installed."""
    if _elsewhere():
        from importlib import metadata  # noqa: PLC0415 - see above

        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return ""
    key = _key(distribution)
    return next((_whose(folder)[1] for folder in _folders() if _key_of(os.path.basename(folder)) == key), "")


def _elsewhere() -> bool:
    """Whether there may be distributions in archives or eggs, or such that an importer of its own finds."""
    return any(place.endswith(".egg") or os.path.isfile(place) for place in sys.path) or any(
        hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not PathFinder
    )


def _asked_for(groups: tuple[str, ...]) -> list[EntryPoint]:
    from importlib import metadata  # noqa: PLC0415 - see above

    return [
        EntryPoint(
            group,
            point.name,
            point.value,
            (point.dist and point.dist.metadata["Name"]) or "(unknown)",
            (point.dist and point.dist.metadata["Version"]) or "",
        )
        for group in groups
        for point in metadata.entry_points(group=group)
    ]


def _folders() -> Iterator[str]:
    """The folder of each distribution; one of a name that came before is shadowed."""
    seen: set[str] = set()
    for place in sys.path:
        try:
            names = sorted(entry.name for entry in os.scandir(place or ".") if entry.name.endswith(_ENDINGS))
        except OSError:
            continue  # a folder that is not there
        for name in names:
            if (key := _key_of(name)) not in seen:
                seen.add(key)
                yield os.path.join(place, name)


def _key_of(folder: str) -> str:
    return _key(folder.rpartition(".")[0].partition("-")[0])


def _key(distribution: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub("[-_.]+", "-", distribution).lower()


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _named(text: str) -> Iterator[tuple[str, str, str]]:
    """(group, name, value) of each line."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield group, name.strip(), value.strip()


def _whose(folder: str) -> tuple[str, str]:
    """Name and version of a distribution: of the headers of its metadata, which an empty line ends."""
    text = _text(folder, "METADATA") or _text(folder, "PKG-INFO")
    headers = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    told = {name.lower(): value.strip() for name, _, value in reversed(headers)}
    return told.get("name") or "(unknown)", told.get("version") or ""
