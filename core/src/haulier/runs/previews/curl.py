"""A sample as a curl command: the same bytes, with the credential's values as shell variables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from haulier.runs.previews.marking import Marks
from haulier.runs.previews.preview import Sample

__all__ = ["curl_command"]

# curl says these itself, and says the same.
_CURLS_OWN = frozenset({"host", "content-length"})


def curl_command(sample: Sample, marks: Marks, body: Path | None) -> str:
    """The command, on several lines, with a comment for each variable to be set before.

    body: the file that `save_bodies` wrote. No value of a credential stands in it.
    """
    replaced = {name.lower() for name in marks.headers}
    words = [f"curl --http1.1 --path-as-is --globoff --request {sample.method}", _url(sample, marks)]
    names = {name.lower() for name, _ in sample.headers}
    for name, value in sample.headers:
        if name.lower() not in _CURLS_OWN | replaced:
            # https://curl.se/docs/manpage.html#-H: a header without content ends in a semicolon.
            words.append(f"--header {shlex.quote(f'{name}: {value}' if value else f'{name};')}")
    words += [f'--header "{name}: ${_variable(name)}"' for name in marks.headers]
    if "content-length" in names:
        # Else curl asks the server first before it sends a long body, and calls every body a form.
        words.append("--header 'Expect:'")
        words += [] if "content-type" in names else ["--header 'Content-Type:'"]
        words.append(f"--data-binary {shlex.quote(f'@{body}') if body is not None else shlex.quote('')}")
    comments = [f"# {_variable(name)}: the value of the header {name}" for name in marks.headers]
    comments += [f"# {_variable(name)}: the value of the parameter {name}, escaped" for name in marks.query]
    if any(text.startswith("header ") for text in sample.varies):
        comments.append("# a run sends another Idempotency-Key")
    return "\n".join([*comments, " \\\n  ".join(words)])


def _url(sample: Sample, marks: Marks) -> str:
    url = shlex.quote(sample.url)
    for number, name in enumerate(marks.query):
        sign = "&" if number or "?" in sample.url else "?"
        url += f'"{sign}{name}=${_variable(name)}"'
    return url


def _variable(name: str) -> str:
    return "HAULIER_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
