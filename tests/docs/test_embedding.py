"""Every Python block of the page on embedding runs as it stands and prints what is shown."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import REPOSITORY
from tests.docs.walkthrough import follow


def test_the_examples_of_embedding_run_as_they_stand(tmp_path: Path) -> None:
    follow(REPOSITORY / "docs" / "embedding.md", tmp_path)
