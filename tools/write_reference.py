"""Writes docs/reference from the code: `.venv/bin/python tools/write_reference.py [--check]`.

The fault matrix in docs/delivery.md is written from what `tests/faults` asserts. With --check nothing is written; pages
that are not current are named, and the exit code is 1.
"""

import os
import sys
from pathlib import Path

# The pages describe what this repository brings, whatever else is installed.
os.environ["HAULIER_PLUGINS"] = "imagga,batching"

from haulier.runs.resolving.builtins import load_registry
from reference import api, catalog, commands, destination, errors, faults, formats, groupings, hooks

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"


def pages() -> dict[str, str]:
    """Name below docs/ -> text of every page that is generated, as a whole or in part."""
    delivery = (DOCS / "delivery.md").read_text(encoding="utf-8")
    return {
        **{f"reference/{name}": text for name, text in reference_pages().items()},
        "delivery.md": faults.with_matrix(delivery, REPOSITORY),
    }


def reference_pages() -> dict[str, str]:
    """File name -> text of every page in docs/reference."""
    registry = load_registry()
    return {
        "api.md": api.api_page(),
        "cli.md": commands.commands_page(),
        "connectors.md": catalog.connectors_page(registry),
        "credentials.md": catalog.credentials_page(registry),
        "destination.md": destination.destination_page(),
        "destination.schema.json": destination.destination_schema_text(),
        "encoders.md": formats.encoders_page(registry),
        "errors.md": errors.errors_page(),
        "groupings.md": groupings.groupings_page(registry),
        "hooks.md": hooks.hooks_page(),
        "readers-and-outputs.md": catalog.readers_and_outputs_page(registry),
        **formats.format_pages(registry),
        **groupings.grouping_pages(registry),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are not current."""
    old = []
    (DOCS / "reference").mkdir(exist_ok=True)
    for name, text in pages().items():
        path = DOCS / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        old.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name}")
    if old and "--check" in arguments:
        print(f"not current, run `make docs`: {', '.join(old)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
