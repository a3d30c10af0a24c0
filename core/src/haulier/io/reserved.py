"""Where nothing that comes of a run may be written: what steers it, what records it, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from haulier.io.project import Project

__all__ = ["refused"]


def refused(root: Path, path: str, more: Mapping[Path, str] | None = None) -> str:
    """Why nothing is written to a path below root, links followed; empty where it may be.

    more: further files and folders that are kept from it, each with what it is.
    """
    root = root.resolve()
    place = (root / path).resolve()
    for kept, what in {**_of_project(root), **(more or {})}.items():
        if place.is_relative_to(kept.resolve()):
            return f"{path} is {what if place == kept.resolve() else f'in {what}'}; write to another place"
    return ""


def _of_project(root: Path) -> dict[Path, str]:
    project = Project(root=root, state=root / ".haulier")
    kept = {project.home: "the folder of ledgers and credentials"}
    if project.marker.exists():
        kept |= {
            project.marker: "the file that makes this folder a project",
            project.destinations: "the folder of destinations",
        }
    return kept
