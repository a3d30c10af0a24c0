"""Every Python block of the page on embedding runs as it stands and prints what is shown."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import REPOSITORY
from tests.docs.session import Session


def test_the_examples_of_embedding_run_as_they_stand(tmp_path: Path) -> None:
    session = Session(tmp_path)
    try:
        session.carry_out(REPOSITORY / "docs" / "embedding.md")
    finally:
        session.close()
