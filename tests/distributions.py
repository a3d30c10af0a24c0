"""Distributions as pip would leave them in a folder, without pip: their metadata and their entry points."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_distribution"]


def write_distribution(site: Path, name: str, points: str, *, version: str = "1.0") -> None:
    """Have a distribution in the folder `site`. points: its `entry_points.txt`. Its modules are not written."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
    )
    (folder / "entry_points.txt").write_text(points, encoding="utf-8")
