"""What the conformance list finds, each shown by a plugin that lacks just that."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, SecretStr
from tests.made import made_endpoint

from haulier.authoring import (
    Added,
    Connector,
    CredentialType,
    EndpointTemplate,
    Following,
    GroupingAlgorithm,
    Parameter,
    Program,
    Settings,
    Verdict,
    Work,
    hookimpl,
)
from haulier.testing import conformance
from haulier.testing.conformance import check_endpoint, check_grouping, check_plugin

ORDER = Parameter(
    name="order", place="path", description="Its number.", required=True, example="{record.order}"
)


def following(spread: Any) -> Following:
    """How a job is followed."""
    return Following(endpoint="ask", parameter="t", final="/done", spread=spread)


def cancel(**changes: Any) -> EndpointTemplate:
    """A template without a fault, but for the changes."""
    whole: dict[str, Any] = {
        "method": "DELETE",
        "path": "/orders/{order}",
        "parameters": (ORDER,),
        "irreversible": "It is gone.",
    }
    return made_endpoint("cancel", **{**whole, **changes})


def test_a_template_without_a_fault_has_none() -> None:
    assert check_endpoint(cancel()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"irreversible": ""}, "it deletes: say in `irreversible` what cannot be undone"),
        (
            {"source": "somewhere"},
            "source 'somewhere' is neither an address nor "
            "`seen in public client code, address unknown, read DATE`",
        ),
        ({"verified": False}, "it is not verified, and no note says what is not known"),
        ({"title": " "}, "title is empty"),
        (
            {"query": {"api_key": "x"}},
            "parameter api_key: a secret belongs to a credential type, where it is bound and never shown",
        ),
        (
            {"answers": "file", "takes": {"id": "/id"}},
            "it answers with a file, so there is no JSON that `takes` could point into",
        ),
        (
            {"ticket": "/t", "takes": {"t": "/t"}, "follow": following(lambda answer, items: [{}])},
            "its `spread` gave [{}] for four records, neither None nor a mapping for each",
        ),
        (
            {"parameters": (ORDER.model_copy(update={"required": False}),)},
            "parameter order: stands in the path, so it is required",
        ),
        (
            {"parameters": (ORDER.model_copy(update={"description": ""}),)},
            "parameter order: has no description",
        ),
        (
            {
                "parameters": (
                    ORDER,
                    Parameter(
                        name="l",
                        place="query",
                        description="x",
                        choices=("en", "es"),
                        several=True,
                        example="en,it",
                    ),
                )
            },
            "parameter l: 'it' is shown, but is none of its choices",
        ),
        (
            {"parameters": (ORDER.model_copy(update={"pattern": "[0-9]+", "example": "seven"}),)},
            "parameter order: its example 'seven' does not fit its pattern",
        ),
        (
            {"parameters": (ORDER.model_copy(update={"pattern": "[0-9"}),)},
            "parameter order: its pattern is no regular expression: unterminated character set at position 0",
        ),
        ({"ticket": "/id"}, "its ticket is not among `takes`, so no output would show it"),
        (
            {"batch": "container"},
            "it takes many records a call (batch: container), but attributes do not go into a body",
        ),
    ],
)
def test_each_fault_of_a_template_is_found(changes: dict[str, Any], fault: str) -> None:
    assert check_endpoint(cancel(**changes)) == [f"endpoint acme/cancel: {fault}"]


@pytest.mark.parametrize(
    ("judge", "faults"),
    [
        (
            lambda _request, response: response.body.decode()[0],
            [
                "its judge raised IndexError: string index out of range for an answer 200 with b'', and 19 times more",
                "its judge returned a value of type str; it must return a Verdict, Outcomes, a Stop or None for an "
                "answer 200 with b'{}', and 179 times more",
                "its judge raised UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid "
                "start byte for an answer 200 with b'\\xff\\xfe\\x00', and 19 times more",
            ],
        ),
        (
            lambda _request, _response: Verdict("great"),  # type: ignore[arg-type]
            [
                "its judge returned a Verdict of the kind 'great'; it must be one of accepted, delivered, rejected, "
                "retry, unknown for an answer 200 with b'', and 219 times more"
            ],
        ),
        (
            lambda _request, response: Verdict("rejected", "x" * 2_001) if response.status == 404 else None,
            ["its judge gave a reason of 2,001 characters for an answer 404 with b'', and 10 times more"],
        ),
    ],
)
def test_each_kind_of_fault_of_a_judge_is_told_once(judge: Any, faults: list[str]) -> None:
    assert check_endpoint(cancel(judge=judge)) == [f"endpoint acme/cancel: {fault}" for fault in faults]


class _Loses:
    def __init__(self, _settings: Any) -> None:
        """Nothing to set."""

    def build(self, items: Any) -> Any:
        """All but the last."""
        return list(items)[:-1] or list(items)


def test_a_grouping_that_loses_an_item_is_found() -> None:
    loses = GroupingAlgorithm(name="loses", title="Loses", description="Loses one.", factory=_Loses)
    assert check_grouping(loses, {}) == [
        f"grouping loses: its `build` left out 1 of {count} records and placed 0 more than once (first: item "
        f"{count - 1}); it must place every record exactly once"
        for count in (2, 100)
    ]


def test_a_grouping_that_makes_each_record_anew_has_no_fault() -> None:
    class Anew:
        def build(self, items: Any) -> Any:
            return [{**item, "more": 1} for item in items]

    made = grouping_that(lambda _settings: Anew(), needs="values")
    assert check_grouping(made, {}) == []


class _Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def build(self, items: Any) -> Any:
        raise self.error


class _RaisesLate(_Raises):
    """Waits; raises in place of its work, or once that is done."""

    def __init__(self, error: BaseException, *, worked: bool) -> None:
        super().__init__(error)
        self.worked = worked

    def build(self, items: Any) -> Any:
        if self.worked:
            yield Work(Program(source="pass"), items)
        raise self.error


def grouping_that(factory: Any, **more: Any) -> GroupingAlgorithm:
    return GroupingAlgorithm(name="odd", title="Odd", description="Raises.", factory=factory, **more)


@pytest.mark.parametrize(
    ("error", "name", "text"), [(KeyError("boom"), "KeyError", "'boom'"), (SystemExit(3), "SystemExit", "3")]
)
def test_a_grouping_that_raises_is_found_and_ends_nothing(error: BaseException, name: str, text: str) -> None:
    def fails(settings: Any) -> Any:
        raise error

    class Brings:
        @hookimpl
        def haulier_grouping_algorithms(self) -> list[GroupingAlgorithm]:
            return [grouping_that(lambda settings: _Raises(error))]

    assert check_plugin(Brings()) == [
        f"grouping odd: its `build` raised {name} for {count} items: {text}" for count in (1, 2, 100)
    ]
    assert check_grouping(grouping_that(fails), {}) == [f"grouping odd: its factory raised {name}: {text}"]
    for worked, when in ((False, "before it yielded any work"), (True, "after its work was done")):
        late = grouping_that(lambda settings, worked=worked: _RaisesLate(error, worked=worked), waits=True)
        assert check_grouping(late, {}) == [f"grouping odd: its `build` raised {name} {when}: {text}"] * 3


class _Open(Settings):
    token: str


class Plugin:
    """A plugin whose credential would be shown, and whose connector has nothing to say."""

    @hookimpl
    def haulier_connectors(self) -> list[Connector]:
        """Without a description."""
        return [Connector(name="acme", title="Acme", description=" ")]

    @hookimpl
    def haulier_credential_types(self) -> list[CredentialType]:
        """With a token that is no secret."""
        apply = lambda _request, _settings, _now: Added()  # noqa: E731
        return [CredentialType(name="open", title="Open", description="Open.", settings=_Open, apply=apply)]


def test_a_whole_plugin_is_looked_at() -> None:
    assert check_plugin(Plugin()) == [
        "connector acme: description is empty",
        "credential type open: no value of it is a SecretStr, so everything of it would be shown",
        "credential type open: token has no description",
    ]


def test_what_the_loader_refuses_is_told() -> None:
    class Misspelt:
        @hookimpl
        def haulier_conectors(self) -> list[Connector]:
            return []

    assert check_plugin(Misspelt()) == [
        "there is no hook haulier_conectors; did you mean 'haulier_connectors'? known: haulier_connectors, "
        "haulier_content_encoders, haulier_credential_types, haulier_endpoint_templates, "
        "haulier_grouping_algorithms, haulier_outputs, haulier_readers"
    ]


def test_a_plugin_without_hooks_is_found() -> None:
    assert check_plugin(object())[0].endswith("brings nothing: no hook of it is found")


def test_an_acquire_that_is_no_generator_is_told_of() -> None:
    kind = CredentialType(
        name="odd",
        title="Odd",
        description="Odd.",
        settings=_Odd,
        apply=lambda request, token, now: Added(),
        acquire=lambda settings, now: None,  # type: ignore[arg-type,return-value]
    )
    found = list(conformance._credential_type(kind))
    assert found == ["acquire is no generator: it is to yield TokenRequests and to return a Token"]


class _Odd(Settings):
    secret: SecretStr = Field(description="a secret")
