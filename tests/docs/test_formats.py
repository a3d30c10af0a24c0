"""What is sent: every preview on the pages is what the command prints, and every format has a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.blocks import REPOSITORY, blocks_of
from tests.docs.walkthrough import follow

from haulier.pipeline.encoding import encoders

REFERENCE = REPOSITORY / "docs" / "reference"
PAGES = [REPOSITORY / "docs" / "formats.md", *sorted((REFERENCE / "formats").glob("*.md"))]


def test_every_format_of_the_core_has_a_page_with_its_settings() -> None:
    assert sorted(page.stem for page in PAGES[1:]) == [encoder.name for encoder in encoders()]
    for encoder in encoders():
        text = (REFERENCE / "formats" / f"{encoder.name}.md").read_text(encoding="utf-8")
        assert [name for name in encoder.settings.model_fields if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_previews_on_pages_are_what_the_command_prints(page: Path, tmp_path: Path) -> None:
    assert any(block.mark.startswith("run") for block in blocks_of(page))
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    follow(page, tmp_path)
