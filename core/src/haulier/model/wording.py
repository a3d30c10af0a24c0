"""Wording: what others wrote, made to fit into a message of ours."""

from __future__ import annotations

__all__ = ["clause", "one_line"]


def clause(sentence: str) -> str:
    """A sentence as a part of a longer one: without its full stop. An ellipsis stays."""
    return sentence if sentence.endswith("..") else sentence.removesuffix(".")


def one_line(text: str) -> str:
    """A text, such as that of somebody's exception, without its line breaks."""
    return " ".join(text.split())
