"""A lookup that fails says what there is, what may be meant, and where it could come from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.made import made_endpoint

from haulier.errors import ConfigurationError, PluginError
from haulier.model.connector import Connector, EndpointTemplate
from haulier.plugins.advice import hand_made_warnings, templates_like
from haulier.plugins.offers import BrokenPlugin, Loaded, Plugin
from haulier.plugins.registry import Registry


def endpoint(name: str, path: str) -> EndpointTemplate:
    """An endpoint of acme that takes one record a call."""
    return made_endpoint(name, method="POST", path=path, content_formats=("json",), attributes="body")


ACME = Connector(
    name="acme", title="Acme", description="Orders.", warnings=lambda method, _url, _format: (f"{method}?",)
)
LOADED = Loaded(
    plugins=(
        Plugin(
            name="acme",
            distribution="haulier-acme",
            version="1.0",
            connectors=(ACME,),
            endpoint_templates=(
                endpoint("add-order", "/orders"),
                endpoint("add-line", "/orders/{order}/lines"),
            ),
        ),
    )
)
INSTALL = "install the plugin that brings it"
BROKEN = BrokenPlugin(name="bad", distribution="haulier-bad", version="2.0", error="no licence")


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda r: r.connector("amce"), "unknown connector 'amce'; did you mean 'acme'? known: acme"),
        (lambda r: r.endpoint("amce", "x"), "unknown connector 'amce'; did you mean 'acme'? known: acme"),
        (
            lambda r: r.endpoint("acme", "add-ordr"),
            "unknown endpoint of acme 'add-ordr'; did you mean 'add-order'? known: add-line, add-order",
        ),
        (lambda r: r.endpoint("acme", "zzz"), "unknown endpoint of acme 'zzz'; known: add-line, add-order"),
        (lambda r: r.connector("geo"), f"unknown connector 'geo'; known: acme. {INSTALL}"),
        (lambda r: r.encoder("json"), f"unknown content format 'json'; known: none. {INSTALL}"),
        (lambda r: r.credential_type("x"), f"unknown credential type 'x'; known: none. {INSTALL}"),
        (lambda r: r.output("x"), f"unknown output 'x'; known: none. {INSTALL}"),
        (
            lambda r: r.grouping("array"),
            "unknown grouping algorithm 'array'; known: none. groupings come with a plugin: "
            "pip install haulier-batching",
        ),
    ],
)
def test_a_failed_lookup_names_what_there_is(look: Callable[[Registry], object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        look(Registry.of(LOADED))
    assert str(caught.value) == message


def test_a_failed_lookup_tells_of_broken_and_left_out_plugins() -> None:
    registry = Registry.of(replace(LOADED, broken=(BROKEN,), left_out=("imagga",)))
    with pytest.raises(ConfigurationError) as caught:
        registry.connector("imagga")
    assert str(caught.value) == (
        "unknown connector 'imagga'; known: acme. HAULIER_PLUGINS leaves out: imagga. "
        "plugin bad of haulier-bad 2.0 failed to load: no licence; see: haulier plugins"
    )


def test_where_the_groupings_plugin_is_broken_nobody_is_told_to_install_it() -> None:
    registry = Registry.of(replace(LOADED, broken=(replace(BROKEN, distribution="haulier-batching"),)))
    with pytest.raises(ConfigurationError) as caught:
        registry.grouping("array")
    assert "pip install" not in str(caught.value)
    assert "failed to load" in str(caught.value)


def test_what_stands_in_the_registry_cannot_be_changed() -> None:
    registry = Registry.of(LOADED)
    with pytest.raises(TypeError):
        registry.connectors["x"] = ACME  # type: ignore[index]


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://acme.example/orders", ["add-order"]),
        ("/orders?x=/orders/7/lines", ["add-order"]),
        ("https://acme.example/orders/{record.order}/lines", ["add-line"]),
        ("https://acme.example/orders/7/lines/8", []),
    ],
)
def test_a_hand_made_request_is_known_by_method_and_path(url: str, names: list[str]) -> None:
    registry = Registry.of(LOADED)
    assert [one.name for one in templates_like(registry, "acme", "POST", url)] == names
    assert templates_like(registry, "acme", "GET", url) == ()


def test_batching_to_an_endpoint_of_one_record_is_warned_about() -> None:
    registry, url = Registry.of(LOADED), "https://acme.example/orders"
    said = [
        hand_made_warnings(registry, "acme", method="POST", url=url, content_format="json", batched=batched)
        for batched in (False, True)
    ]
    assert said == [
        ("POST?",),
        (
            "POST?",
            "POST /orders takes one record a call (endpoint add-order), "
            "but batching is on: leave `batching` out",
        ),
    ]


def test_what_the_connector_says_of_a_field_itself_is_not_said_twice() -> None:
    speaking = ACME.model_copy(update={"warnings": lambda *_: ("`colour` is spelt color",)})
    closed = endpoint("add-order", "/orders").model_copy(update={"attributes": "none"})
    plugin = replace(LOADED.plugins[0], connectors=(speaking,), endpoint_templates=(closed,))
    for fields, told in (
        (["colour"], ()),
        (["size"], ("POST /orders is not known to take `size`; it takes nothing",)),
    ):
        said = hand_made_warnings(
            Registry.of(Loaded(plugins=(plugin,))),
            "acme",
            method="POST",
            url="https://acme.example/orders",
            content_format="json",
            batched=False,
            fields=fields,
        )
        assert said == ("`colour` is spelt color", *told)


@pytest.mark.parametrize(
    ("warnings", "told"), [(lambda *_: 1 / 0, "ZeroDivisionError"), (lambda *_: sys.exit(3), "SystemExit: 3")]
)
def test_a_connector_whose_warnings_fail_is_named(warnings: Callable[..., Any], told: str) -> None:
    failing = ACME.model_copy(update={"warnings": warnings})
    plugin = replace(LOADED.plugins[0], connectors=(failing,))
    registry = Registry.of(Loaded(plugins=(plugin,)))
    with pytest.raises(PluginError, match=f"`warnings` of connector acme raised {told}"):
        hand_made_warnings(registry, "acme", method="GET", url="/", content_format="", batched=False)
