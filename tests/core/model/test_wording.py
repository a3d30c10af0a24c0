"""What others wrote becomes a part of a sentence of ours."""

from __future__ import annotations

import pytest

from haulier.model.wording import clause


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Its number.", "Its number"),
        ("no stop", "no stop"),
        ("and more...", "and more..."),
        ("..", ".."),
        ("", ""),
    ],
)
def test_only_a_full_stop_is_left_out(written: str, told: str) -> None:
    assert clause(written) == told
