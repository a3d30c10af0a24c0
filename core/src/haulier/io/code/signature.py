"""Whether `build` can be called as it will be, read from the text alone."""

from __future__ import annotations

import ast

from haulier.errors import DestinationError

__all__ = ["check_signature"]

_WANTED = "write `def build(records, context):`"


def check_signature(source: str, name: str) -> None:
    """DestinationError, with line and column, where the last `def build` of a program does not take two arguments.

    What cannot be told from the text alone (no such `def`, one with decorators, text that is no Python) passes: running
    it says more.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    found = [
        one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == "build"
    ]
    if not found or found[-1].decorator_list:
        return
    build = found[-1]
    place = f"{name}:{build.lineno}:{build.col_offset + 1}"
    if isinstance(build, ast.AsyncFunctionDef):
        raise DestinationError(f"{place}: `build` is async, so it would return no payload; {_WANTED}")
    if not _takes_two(build.args):
        raise DestinationError(
            f"{place}: `build({ast.unparse(build.args)})` cannot be called with two arguments, the records and the "
            f"context of a batch; {_WANTED}"
        )


def _takes_two(args: ast.arguments) -> bool:
    by_place = len(args.posonlyargs) + len(args.args)
    needed = by_place - len(args.defaults)
    most = 2 if args.vararg is not None else by_place
    return needed <= 2 <= most and all(default is not None for default in args.kw_defaults)
