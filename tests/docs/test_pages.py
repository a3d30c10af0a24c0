"""The pages hold together: links lead somewhere, generated pages are current, and nothing goes unmentioned."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.blocks import REPOSITORY, prose_of

from haulier import errors
from haulier.model.answers import Condition, OutcomeMapping
from haulier.model.destination import Destination
from haulier.plugins.hookspecs import __all__ as hook_names

DOCS = REPOSITORY / "docs"
WRITTEN = sorted(DOCS.glob("*.md"))
_PATTERNS = ("docs/**/*.md", "*.md", "core/README.md", "plugins/*/README.md", "examples/*/*.md")
PAGES = sorted(page for pattern in _PATTERNS for page in REPOSITORY.glob(pattern))
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(?m)^#{1,6} (.+)$")
_NAMES = [name for name in hook_names if name.startswith("haulier_")]
# Where a heading's link text is not what the words say: https://github.github.com/gfm/ strips these marks.
_STRIPPED = re.compile(r"[^\w\- ]")


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    texts = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in _HEADING.findall(prose_of(page)))
    return {_STRIPPED.sub("", text.strip().lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize(
    "page", [*PAGES, REPOSITORY / "bench" / "README.md"], ids=lambda page: str(page.relative_to(REPOSITORY))
)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_of_the_docs_is_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), {REPOSITORY / "README.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(prose_of(page)) if "://" not in link)
        ahead |= {(page.parent / link).resolve() for link in links if link.endswith(".md")} - reached
    assert sorted(set(DOCS.glob("**/*.md")) - reached) == []


def test_every_module_that_a_page_of_the_house_names_is_there() -> None:
    """Such as `runs/driving/book.py`; a name alone is a module beside the one named before it."""
    named = [
        name
        for page in ("docs/architecture.md", "CONTRIBUTING.md")
        for name in re.findall(r"`([a-z_/]+/[a-z_]+\.py)`", (REPOSITORY / page).read_text(encoding="utf-8"))
    ]
    roots = (REPOSITORY, REPOSITORY / "core" / "src" / "haulier")
    assert len(named) > 10
    assert [name for name in named if not any((root / name).is_file() for root in roots)] == []


def test_every_folder_of_the_tree_stands_on_the_page_of_the_house() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    core, tests = REPOSITORY / "core" / "src" / "haulier", REPOSITORY / "tests"
    rooms = {module.parent.relative_to(core) for module in core.glob("*/**/__init__.py")}
    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(".")}
    folders -= {"build", "dist"}
    wanted = {
        f"`{room}/`" if len(room.parts) == 1 or room.parts[0] != "runs" else f"`{room.name}/`"
        for room in rooms
    }
    wanted |= {f"`{name}/`" for name in folders}
    wanted |= {
        f"`tests/{path.name}`" for path in tests.iterdir() if path.is_dir() and path.name[0] not in "._"
    }
    assert len(rooms) > 25
    assert sorted(one for one in wanted if one not in page) == []


def test_the_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "tools/write_reference.py", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_stands_on_its_page_and_in_the_guide() -> None:
    reference = (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")
    guide = (DOCS / "writing-a-plugin.md").read_text(encoding="utf-8")
    assert [name for name in _NAMES if f"def {name}() -> " not in reference] == []
    assert [name for name in _NAMES if f"`{name}`" not in guide] == []


def test_every_command_is_used_or_explained_on_a_written_page() -> None:
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    groups = {
        "haulier",
        "haulier credential",
        "haulier destination",
        "haulier dead-letters",
        "haulier imagga",
    }
    commands = set(re.findall(r"(?m)^## `(.+)`$", reference)) - groups
    written = "\n".join(page.read_text(encoding="utf-8") for page in [*WRITTEN, REPOSITORY / "README.md"])
    assert len(commands) >= 25
    assert [command for command in sorted(commands) if command not in written] == []


def test_every_setting_of_a_destination_stands_on_its_page_with_a_description() -> None:
    text = (DOCS / "reference" / "destination.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \|.*\| ([^|]*) \|$", text))
    settings = [name for name in Destination.model_fields if name != "name"]
    assert [name for name in settings if not rows.get(name, "").strip()] == []


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("**/*.md")), ids=lambda page: page.stem)
def test_every_type_of_a_setting_is_a_plain_word_or_leads_to_what_describes_it(page: Path) -> None:
    rows = re.findall(r"(?m)^\| `\w+` \| (.*?) \| [^|]* \| [^|]* \|$", page.read_text(encoding="utf-8"))
    named = [name for kind in rows for name in re.findall(r"\b[A-Z]\w*[a-z]\w*", _LINK.sub("", kind))]
    assert named == []


def test_what_answers_mean_is_set_by_fields_that_stand_on_the_page_of_a_destination() -> None:
    text = (DOCS / "reference" / "destination.md").read_text(encoding="utf-8")
    for section, model in (("success_when", Condition), ("outcomes", OutcomeMapping)):
        told = re.findall(
            r"(?m)^\| `(\w+)` \|", text.partition(f"\n## `{section}`\n")[2].partition("\n## ")[0]
        )
        assert told == [field.alias or name for name, field in model.model_fields.items()]


def test_every_error_class_stands_on_its_page() -> None:
    text = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    assert [name for name in errors.__all__ if name not in text] == []


def test_every_word_of_the_glossary_is_used_elsewhere() -> None:
    rows = re.findall(r"(?m)^\| (\*\*.+?) \| ", (DOCS / "glossary.md").read_text(encoding="utf-8"))
    words = [word for row in rows for word in re.findall(r"\*\*(.+?)\*\*", row)]
    pages = [page for page in PAGES if page.name != "glossary.md"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages).lower()
    assert len(words) >= 50
    assert [word for word in words if word.lower() not in text] == []


def test_no_page_uses_another_word_for_what_the_glossary_names() -> None:
    elsewhere = {"sink", "dead letter queue", "dlq", "webserver", "config file", "tuple of records"}
    found = [
        (page.name, word)
        for page in PAGES
        if page.name != "glossary.md"
        for word in elsewhere
        if re.search(rf"\b{word}s?\b", page.read_text(encoding="utf-8").lower())
    ]
    assert found == []
