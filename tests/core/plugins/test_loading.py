"""Plugins are loaded one by one: what fails is kept with its reason, and stops nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from tests.distributions import write_distribution

from haulier.errors import PluginError
from haulier.model.connector import Connector
from haulier.plugins import http
from haulier.plugins.hookspecs import hookimpl
from haulier.plugins.loading import load
from haulier.plugins.offers import BrokenPlugin, Loaded
from haulier.plugins.registry import Registry

Install = Callable[..., None]

ACME = """
    from haulier.authoring import Connector, hookimpl

    @hookimpl
    def haulier_connectors():
        return [Connector(name="acme", title="Acme", description="Orders.")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a little distribution: a module, its metadata and its entry point in the group `haulier`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def write(distribution: str, source: str, *, name: str | None = None, version: str = "1.0") -> None:
        module = distribution.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        points = f"[haulier]\n{name or distribution} = {module}\n"
        write_distribution(tmp_path, distribution, points, version=version)

    yield write
    for module in modules:
        sys.modules.pop(module, None)


def shown(loaded: Loaded) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """Every installed plugin that stands, in words."""
    return [(one.name, one.distribution, one.version, list(one.offers())) for one in loaded.plugins]


def test_a_strangers_distribution_is_found_by_its_entry_point(install: Install) -> None:
    install("haulier-acme", ACME, name="acme", version="1.2")
    loaded = load([], allowed="acme")
    assert shown(loaded) == [("acme", "haulier-acme", "1.2", [("connector", "acme")])]
    assert loaded.broken == ()
    assert Registry.of(loaded).connector("acme").title == "Acme"


def test_the_metadata_of_a_plugin_is_read_once_a_load(install: Install, tmp_path: Path) -> None:
    install("haulier-acme", ACME, name="acme", version="1.2")
    code = (
        "import sys\nfrom haulier.plugins.loading import load\nopened = []\n"
        "sys.addaudithook(lambda event, told: event == 'open' and opened.append(str(told[0])))\n"
        "print(load([], allowed='acme').plugins[0].version, sum('haulier_acme-1.2' in one and "
        "one.endswith('METADATA') for one in opened))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert ended.stdout.split() == ["1.2", "1"]


def test_hook_modules_may_be_objects_and_hooks_generators(install: Install) -> None:
    install(
        "zz-gen",
        """
        from haulier.authoring import Connector, hookimpl

        @hookimpl
        def haulier_connectors():
            yield Connector(name="one", title="1", description="1")
            yield Connector(name="two", title="2", description="2")

        @hookimpl
        def haulier_readers():
            return None
        """,
    )
    offers = [("connector", "one"), ("connector", "two")]
    assert shown(load([], allowed="zz-gen")) == [("zz-gen", "zz-gen", "1.0", offers)]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            "import no_such_module_at_all",
            "importing zz_bad raised ModuleNotFoundError: No module named 'no_such_module_at_all'",
        ),
        ("raise SystemExit(3)", "importing zz_bad raised SystemExit: 3"),
        (
            """
            from haulier.authoring import hookimpl

            @hookimpl
            def haulier_conectors():
                return []
            """,
            "there is no hook haulier_conectors; did you mean 'haulier_connectors'? known: "
            "haulier_connectors, haulier_content_encoders, haulier_credential_types, "
            "haulier_endpoint_templates, haulier_grouping_algorithms, haulier_outputs, haulier_readers",
        ),
        (
            "def haulier_connectors():\n    return []",
            "haulier_connectors is named like a hook, but has no @hookimpl above it",
        ),
        (
            """
            from haulier.authoring import hookimpl

            @hookimpl
            def haulier_connectors():
                raise RuntimeError("no licence")
            """,
            "haulier_connectors raised RuntimeError: no licence",
        ),
        (
            """
            from haulier.authoring import hookimpl

            @hookimpl
            def haulier_connectors():
                yield {"name": "acme"}
            """,
            "haulier_connectors returned a dict as number 0 of its list of Connector",
        ),
        (
            """
            from haulier.authoring import Connector, hookimpl

            @hookimpl
            def haulier_connectors():
                return Connector(name="acme", title="Acme", description="Orders.")
            """,
            "haulier_connectors returned a Connector; it returns a list of Connector",
        ),
        (
            """
            from haulier.authoring import Connector, hookimpl

            ACME = Connector(name="Acme!", title="Acme", description="Orders.")
            """,
            "importing zz_bad raised ValidationError of Connector: name: must be a name of small letters and digits, a "
            "letter first, with single hyphens between words, such as `tag-image`",
        ),
        (
            """
            from haulier.authoring import Connector, hookimpl

            @hookimpl
            def haulier_connectors():
                return [Connector(name="acme", title="A", description="A", limits={"max_in_flight": 0})]
            """,
            "connector acme: limits.max_in_flight must be at least 1",
        ),
        (
            """
            from haulier.authoring import GroupingAlgorithm as G, hookimpl

            @hookimpl
            def haulier_grouping_algorithms():
                return [G(name="Pairs", title="", description="x", factory=7, needs="nothing")]
            """,
            "grouping Pairs: the name 'Pairs' is not lower case words joined by hyphens; "
            "grouping Pairs: title is '', not a text; grouping Pairs: factory cannot be called; "
            "grouping Pairs: needs is 'nothing', neither 'opaque' nor 'values'",
        ),
        (
            """
            from haulier.authoring import hookimpl

            @hookimpl
            def haulier_connectors(registry):
                return []
            """,
            None,  # pluggy's own words; what counts is that it is kept as broken
        ),
    ],
    ids=[
        "import fails",
        "exits at import",
        "misspelt hook",
        "marker forgotten",
        "hook raises",
        "hook yields something else",
        "hook returns one, not a list",
        "definition does not validate at import",
        "default limits do not hold",
        "grouping does not hold",
        "hook asks for arguments",
    ],
)
def test_what_fails_is_kept_with_its_reason_and_stops_nobody(
    install: Install, source: str, error: str | None
) -> None:
    install("zz-bad", source, version="0.3")
    install("zz-good", ACME)
    loaded = load([http], allowed="zz-bad,zz-good")
    assert [plugin.name for plugin in loaded.plugins] == ["http", "zz-good"]
    (broken,) = loaded.broken
    assert broken == BrokenPlugin(
        name="zz-bad", distribution="zz-bad", version="0.3", error=broken.error if error is None else error
    )
    assert broken.error


def test_nothing_of_a_broken_plugin_is_offered(install: Install) -> None:
    install(
        "zz-half",
        ACME
        + """
    @hookimpl
    def haulier_outputs():
        return [object()]
""",
    )
    loaded = load([], allowed="zz-half")
    assert loaded.plugins == ()
    assert [one.error for one in loaded.broken] == [
        "haulier_outputs returned an object as number 0 of its list of OutputType"
    ]


def test_a_name_that_is_taken_breaks_the_later_plugin_and_names_both(install: Install) -> None:
    install("zz-second", ACME)
    install("zz-first", ACME, version="2.0")
    loaded = load([], allowed="zz-second,zz-first")
    assert [plugin.name for plugin in loaded.plugins] == ["zz-first"]
    assert [one.error for one in loaded.broken] == [
        "the connector 'acme' of plugin zz-second of zz-second 1.0 is taken: plugin zz-first of zz-first 2.0 "
        "brings one of that name"
    ]


def test_built_in_plugins_win_over_an_installed_one(install: Install) -> None:
    install("aa-http", ACME.replace('"acme"', '"http"'))
    loaded = load([http], allowed="aa-http")
    assert [plugin.name for plugin in loaded.plugins] == ["http"]
    assert [one.name for one in loaded.broken] == ["aa-http"]


def test_an_endpoint_may_be_added_to_anothers_connector(install: Install) -> None:
    install("aa-extra", ENDPOINT)
    install("zz-acme", ACME)
    loaded = load([], allowed="aa-extra,zz-acme")
    assert loaded.broken == ()
    assert [one.name for one in Registry.of(loaded).endpoints_of("acme")] == ["ping"]


def test_an_endpoint_of_an_unknown_connector_breaks_its_plugin(install: Install) -> None:
    install("aa-extra", ENDPOINT.replace('connector="acme"', 'connector="amce"'))
    install("zz-acme", ACME)
    loaded = load([], allowed="aa-extra,zz-acme")
    assert [one.error for one in loaded.broken] == [
        "endpoint amce/ping names the connector 'amce', which no plugin brings; "
        "did you mean 'acme'? known: acme"
    ]


def test_a_plugin_that_falls_takes_along_what_refers_to_it(install: Install) -> None:
    install("aa-extra", ENDPOINT)
    install("zz-acme", ACME.replace('description="Orders."', 'description="Orders.", credential_type="acme"'))
    loaded = load([http], allowed="aa-extra,zz-acme")
    assert [plugin.name for plugin in loaded.plugins] == ["http"]
    assert [one.name for one in loaded.broken] == ["aa-extra", "zz-acme"]


ENDPOINT = """
    from datetime import date

    from haulier.authoring import EndpointTemplate, hookimpl

    @hookimpl
    def haulier_endpoint_templates():
        return [
            EndpointTemplate(
                connector="acme", name="ping", title="Ping", description="Ping.",
                method="GET", path="/ping",
                verified=True, source="https://acme.example/docs", read_on=date(2026, 11, 22),
            )
        ]
"""


def test_a_stranger_adds_an_endpoint_to_imagga(install: Install) -> None:
    imagga = pytest.importorskip("haulier_imagga")
    from haulier.runs.resolving.builtins import Builtins

    install("zz-colors", ENDPOINT.replace("acme", "imagga").replace("ping", "colors"))
    loaded = load([Builtins(), imagga], allowed="zz-colors")
    assert loaded.broken == ()
    assert Registry.of(loaded).endpoint("imagga", "colors").path == "/colors"


def test_a_format_that_nobody_brings_breaks_the_plugin(install: Install) -> None:
    install("zz-acme", ACME)
    install("zz-extra", ENDPOINT.replace('"GET"', '"POST", content_formats=("yaml",)'))
    loaded = load([], allowed="zz-acme,zz-extra")
    assert [one.error for one in loaded.broken] == [
        "endpoint acme/ping names the encoder 'yaml', which no plugin brings; known: none"
    ]


def test_an_empty_list_of_allowed_plugins_allows_none(install: Install) -> None:
    install("zz-acme", ACME)
    loaded = load([http], allowed="")
    assert [plugin.name for plugin in loaded.plugins] == ["http"]
    assert "zz-acme" in loaded.left_out


def test_an_allowed_name_that_is_not_installed_is_told(install: Install) -> None:
    install("zz-acme", ACME)
    loaded = load([], allowed=" zz-acme , zz-akme")
    assert [plugin.name for plugin in loaded.plugins] == ["zz-acme"]
    (broken,) = loaded.broken
    assert (broken.name, broken.distribution) == ("zz-akme", "(not installed)")
    assert "did you mean 'zz-acme'?" in broken.error


def test_a_module_that_is_left_out_is_not_even_imported(install: Install) -> None:
    install("zz-acme", "raise RuntimeError('imported')")
    assert load([], allowed="").broken == ()


def test_a_wrapper_around_a_hook_has_no_say_in_what_others_bring(install: Install) -> None:
    install(
        "zz-wrap",
        """
        from haulier.authoring import hookimpl

        @hookimpl(wrapper=True)
        def haulier_connectors():
            yield
            return []
        """,
    )
    install("zz-acme", ACME)
    assert shown(load([], allowed="zz-acme,zz-wrap"))[0][3] == [("connector", "acme")]


class Twice:
    """A plugin that a program hands in, with the same connector twice."""

    @hookimpl
    def haulier_connectors(self) -> list[Connector]:
        """The same one, two times."""
        return [Connector(name="acme", title="Acme", description="Orders.")] * 2


def test_a_built_in_plugin_that_does_not_hold_is_an_error_at_once() -> None:
    with pytest.raises(PluginError, match="brings the connector 'acme' twice"):
        load([Twice()], allowed="")
