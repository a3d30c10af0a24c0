"""Every command of the tutorial does what the page shows."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import REPOSITORY
from tests.docs.walkthrough import follow


def test_the_tutorial_can_be_followed_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    follow(REPOSITORY / "docs" / "tutorial.md", tmp_path)
