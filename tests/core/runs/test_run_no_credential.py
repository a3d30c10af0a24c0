"""A credential goes to the services it was meant for: a stage says that it has none, or another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import within
from tests.core.runs.wire import Asked, Wire, answer

import haulier
from haulier.errors import ConfigurationError, CredentialError
from haulier.io.credentials import CredentialStore
from haulier.io.credentials.types import credential_types

BEARER = next(one for one in credential_types() if one.name == "bearer")
TOKEN = "tok-4711"


def shown(asked: list[Asked]) -> list[tuple[str, str | None]]:
    return [(one.target, one.header("authorization")) for one in asked]


def chain(first: Wire, second: Wire, **of_second: Any) -> dict[str, Any]:
    """Calls of two services: the second stage has what is given here besides."""
    return {
        "name": "d",
        "credential": "shop",
        "stages": [
            {"name": "order", "request": {"method": "POST", "url": f"{first.url}/order"}},
            {"name": "note", "request": {"method": "POST", "url": f"{second.url}/note"}, **of_second},
        ],
    }


def store(*origins: str) -> CredentialStore:
    Path("haulier.yaml").write_text("")
    kept = CredentialStore(Path(".haulier/credentials.json").absolute())
    kept.add("shop", BEARER, {"token": TOKEN}, origins)
    return kept


@pytest.mark.parametrize("given", [None, {"type": "bearer", "token": TOKEN}])
@pytest.mark.parametrize("written", ["none", None])
def test_a_stage_that_says_so_has_none(written: str | None, given: dict[str, str] | None) -> None:
    with Wire() as first, Wire() as second:
        store(first.url)
        destination = chain(first, second, credential=written)
        assert haulier.check(destination, credential=given).problems == ()
        within(30, lambda: haulier.send(destination, [{"id": 1}], credential=given, state="state"))
        assert shown(first.asked) == [("/order", f"Bearer {TOKEN}")]
        assert shown(second.asked) == [("/note", None)]


def test_a_stage_at_another_origin_does_not_get_what_stands_beside_the_stages() -> None:
    with Wire() as first, Wire() as second:
        store(first.url)
        (problem,) = haulier.check(chain(first, second)).problems
        assert problem == (
            f"stage `note`: credential `shop` is bound to {first.url} and is not sent to {second.url}; where "
            f"{first.url} is meant, lead there (--base-url, `base_url`, `url`), else store one that "
            f"may go there: haulier credential add bearer --name NAME --origin {second.url}, and write its name in "
            "the stage, or `credential: none` where it needs none"
        )
        with pytest.raises(CredentialError, match="is not sent to"):
            haulier.send(chain(first, second), [{"id": 1}], state="state")
        assert (first.asked, second.asked) == ([], [])


def test_values_from_a_program_go_to_several_services_only_where_it_names_them() -> None:
    values = {"type": "bearer", "token": TOKEN}
    with Wire() as first, Wire() as second:
        destination = {**chain(first, second), "credential": None}
        both = sorted([first.url, second.url])
        said = (
            "stage `order`: a credential of type bearer needs `origins`, the addresses it may be sent to: one of "
            f"{both[0]}, {both[1]}, or several"
        )
        assert haulier.check(destination, credential=values).problems == (said,)
        with pytest.raises(CredentialError) as raised:
            haulier.send(destination, [{"id": 1}], credential=values, state="state")
        assert str(raised.value) == said
        assert (first.asked, second.asked) == ([], [])
        named = {**values, "origins": both}
        within(30, lambda: haulier.send(destination, [{"id": 1}], credential=named, state="state"))
        assert shown(first.asked + second.asked) == [
            ("/order", f"Bearer {TOKEN}"),
            ("/note", f"Bearer {TOKEN}"),
        ]


def test_none_is_said_also_of_a_service_that_asks_for_one() -> None:
    """A gateway may bring it; where nothing is written it may just have been forgotten."""
    with Wire(lambda _: answer(body=b'{"result": {}, "status": {"type": "success"}}')) as wire:
        destination = {
            "name": "d",
            "connector": "imagga",
            "endpoint": "tag-image",
            "params": {"image_url": "{record.u}"},
            "base_url": wire.url,
        }
        (problem,) = haulier.check(destination).problems
        assert problem == (
            "destination `d`: Imagga needs a credential; store one with `haulier credential add imagga --name NAME` "
            "and write `credential: NAME`, or `credential: none` where it is to go without"
        )
        within(30, lambda: haulier.send({**destination, "credential": "none"}, [{"u": "x"}], state="state"))
        within(30, lambda: haulier.send(destination, [{"u": "y"}], credential="none", state="state"))
        assert [one.header("authorization") for one in wire.asked] == [None, None]


@pytest.mark.parametrize(
    ("written", "shown"), [(False, "false"), ("", '""'), ("no", '"no"'), ("null", '"null"')]
)
def test_what_may_mean_none_is_told_how_that_is_written(written: Any, shown: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        haulier.check({"name": "d", "request": {"url": "http://127.0.0.1:9/"}, "credential": written})
    assert str(raised.value) == (
        f"destination `d`: `credential` is {shown} and must be the name of a stored credential, or `none` for a call "
        "without"
    )


def test_none_is_stored_by_that_name() -> None:
    with pytest.raises(CredentialError) as raised:
        store("https://shop.example").add("none", BEARER, {"token": TOKEN}, ["https://shop.example"])
    assert str(raised.value) == (
        "`credential: none` says that a call has none, so none is stored by that name; take another"
    )
