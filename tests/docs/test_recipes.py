"""Every recipe does what its page shows, from an empty folder against the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.blocks import REPOSITORY
from tests.docs.walkthrough import follow

RECIPES = sorted((REPOSITORY / "docs" / "recipes").glob("[a-z]*.md"))


@pytest.mark.parametrize("page", RECIPES, ids=lambda page: page.stem)
def test_a_recipe_can_be_followed_as_it_stands(page: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    follow(page, tmp_path)


def test_every_recipe_is_listed() -> None:
    listed = (REPOSITORY / "docs" / "recipes" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in RECIPES if f"({page.name})" not in listed] == []
