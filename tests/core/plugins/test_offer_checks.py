"""What is found wrong with an offer when its plugin is loaded."""

from __future__ import annotations

from typing import Any

import pytest
from tests.made import made_endpoint

from haulier.authoring import EndpointTemplate
from haulier.plugins.checks import faults


def gather(**changes: Any) -> EndpointTemplate:
    """A template without a fault, but for the changes."""
    whole: dict[str, Any] = {
        "method": "POST",
        "path": "/gather",
        "attributes": "body",
        "content_formats": ("json",),
        "batch": "container",
        "batching": {"grouping": "array", "item": "name"},
        "item_type": "text",
    }
    return made_endpoint("gather", **{**whole, **changes})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"batching": {"grouping": "array"}},
            "item_type is text, but batching names no `item` that it speaks of",
        ),
        (
            {"takes": {"id": "/a~2b"}},
            "the pointer '/a~2b' of id is no JSON pointer: ~ is written ~0 there, and / in a name ~1",
        ),
        (
            {"content_formats": ()},
            "something goes into its body, but content_formats is empty: name the formats that it takes, such as "
            'content_formats=("json",)',
        ),
        ({"takes": {"id": "id"}}, "the pointer 'id' of id is no JSON pointer: one begins with `/`"),
    ],
)
def test_what_does_not_hold_of_an_endpoint_is_said(changes: dict[str, Any], fault: str) -> None:
    assert faults(gather()) == []
    assert faults(gather(**changes)) == [f"endpoint acme/gather: {fault}"]
