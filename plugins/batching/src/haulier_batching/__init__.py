"""The grouping algorithms of Haulier: what shape records take when they share a request.

One file per algorithm. They are registered as a stranger's would be, and place their items without reading
them.
"""

from __future__ import annotations

from haulier.authoring import GroupingAlgorithm, hookimpl
from haulier_batching.array import ARRAY
from haulier_batching.code import CODE
from haulier_batching.lines import LINES
from haulier_batching.property import PROPERTY
from haulier_batching.template import TEMPLATE

__all__ = ["ARRAY", "CODE", "LINES", "PROPERTY", "TEMPLATE", "haulier_grouping_algorithms"]


@hookimpl
def haulier_grouping_algorithms() -> list[GroupingAlgorithm]:
    """`array`, which is taken where a destination names none, and the others."""
    return [ARRAY, CODE, LINES, PROPERTY, TEMPLATE]
