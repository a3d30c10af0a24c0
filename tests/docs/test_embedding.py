"""Every Python block of the page on embedding runs as it stands and prints what is shown."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import REPOSITORY
from tests.docs.walkthrough import Walkthrough


def test_the_examples_of_embedding_run_as_they_stand(tmp_path: Path) -> None:
    walkthrough = Walkthrough(tmp_path)
    try:
        walkthrough.carry_out(REPOSITORY / "docs" / "embedding.md")
    finally:
        walkthrough.close()
