"""What is sent: every preview on the pages is what the command prints, and every format has a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.blocks import REPOSITORY, blocks_of
from tests.docs.walkthrough import follow

from haulier.pipeline.encoding.formats import encoders

REFERENCE = REPOSITORY / "docs" / "reference"
PAGES = [REPOSITORY / "docs" / "formats.md", *sorted((REFERENCE / "formats").glob("*.md"))]


def test_every_format_of_the_core_has_a_page_with_its_settings() -> None:
    assert sorted(page.stem for page in PAGES[1:]) == [encoder.name for encoder in encoders()]
    for encoder in encoders():
        text = (REFERENCE / "formats" / f"{encoder.name}.md").read_text(encoding="utf-8")
        assert [name for name in encoder.settings.model_fields if f"| `{name}` |" not in text] == []


def test_a_setting_whose_key_yaml_takes_for_no_text_says_that_it_stands_in_quotes() -> None:
    found = [encoder.settings.model_fields.get("null") for encoder in encoders()]
    told = [field.description or "" for field in found if field is not None]
    assert [text for text in told if 'in YAML this key stands in quotes, `"null": ' not in text] == []
    assert len(told) == 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_previews_on_pages_are_what_the_command_prints(page: Path, tmp_path: Path) -> None:
    assert any(block.mark.startswith("run") for block in blocks_of(page))
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    follow(page, tmp_path)
