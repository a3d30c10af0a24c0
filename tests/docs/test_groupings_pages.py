"""Every grouping has a page, and the preview on it is what the command prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.blocks import REPOSITORY, blocks_of
from tests.docs.walkthrough import follow

from haulier_batching import haulier_grouping_algorithms

FOLDER = REPOSITORY / "docs" / "reference" / "groupings"
PAGES = sorted(FOLDER.glob("*.md"))


def test_every_grouping_has_a_page_with_its_settings() -> None:
    algorithms = {algorithm.name: algorithm for algorithm in haulier_grouping_algorithms()}
    assert [page.stem for page in PAGES] == sorted(algorithms)
    for name, algorithm in algorithms.items():
        text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        assert [
            setting for setting in algorithm.settings.model_fields if f"| `{setting}` |" not in text
        ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_preview_of_a_grouping_is_what_the_command_prints(page: Path, tmp_path: Path) -> None:
    assert any(block.mark.startswith("run") for block in blocks_of(page))
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    follow(page, tmp_path)
