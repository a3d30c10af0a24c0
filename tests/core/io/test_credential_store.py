"""Stored credentials: for their owner alone, never shown, followed to where they are only when used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from haulier.errors import ConfigurationError, CredentialError
from haulier.io.credentials import (
    Credential,
    CredentialStore,
    SecretRef,
    StoredRow,
    credential_types,
    resolve_values,
)
from haulier.io.project import Project
from haulier.model.parts import CredentialType, Token, TokenRequest
from haulier.runs.credentials.authority import Authority, Wallet

posix = pytest.mark.skipif(os.name != "posix", reason="mode bits are POSIX's")
TYPES: dict[str, CredentialType] = {each.name: each for each in credential_types()}
ORIGIN = "https://api.example.com"
PAIR = {"username": "acc_77", "password": "s3cr3t-value"}


@pytest.fixture
def store(tmp_path: Path) -> CredentialStore:
    return CredentialStore(tmp_path / ".haulier" / "credentials.json")


def refusal(
    store: CredentialStore, type_name: str, values: dict[str, str], origins: tuple[str, ...] = (ORIGIN,)
) -> str:
    with pytest.raises(CredentialError) as caught:
        store.add("prod", TYPES[type_name], values, origins)
    return str(caught.value)


def test_what_is_stored_is_listed_without_values_and_comes_back_resolved(
    store: CredentialStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("from-file\r\n")
    monkeypatch.setenv("ACCOUNT", "from-env")
    store.add("prod", TYPES["basic"], {"username": "env:ACCOUNT", "password": "file:secret.txt"}, [ORIGIN])
    store.add("dev", TYPES["bearer"], {"token": "t0ken"}, ["HTTP://127.0.0.1:8123/", "http://127.0.0.1:8123"])
    again = CredentialStore(store.path)
    assert again.list() == (
        StoredRow(name="dev", type="bearer", origins=("http://127.0.0.1:8123",), values={"token": "stored"}),
        StoredRow(
            name="prod",
            type="basic",
            origins=(ORIGIN,),
            values={"username": "env:ACCOUNT", "password": f"file:{tmp_path / 'secret.txt'}"},
        ),
    )
    resolved = again.resolve("prod", TYPES["basic"])
    assert resolved.secrets() == ("from-env", "from-file")
    assert (resolved.name, resolved.type, resolved.origins) == ("prod", "basic", (ORIGIN,))


def test_no_repr_shows_a_value(store: CredentialStore) -> None:
    added = store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    resolved = store.resolve("prod", TYPES["basic"])
    inside = msgspec.structs.asdict(added)
    shown = (
        f"{store!r} {added!r} {added.values!r} {resolved!r} {resolved.settings!r} {store.list()!r} {inside!r}"
    )
    assert "acc_77" not in shown
    assert "s3cr3t" not in shown


def test_no_repr_shows_a_token_or_what_it_is_asked_for_with() -> None:
    token = Token(value="s3cr3t", expires_at=5.0)
    asked = TokenRequest(url="https://a/?s3cr3t", headers=(("Authorization", "s3cr3t"),), body=b"s3cr3t")
    assert repr((token, asked, Wallet(token=token).token)) == (
        "(Token(expires_at=5.0), TokenRequest(method='POST'), Token(expires_at=5.0))"
    )
    assert "s3cr3t" not in repr(Authority(name="prod", wallet=Wallet(token=token)))


@posix
def test_the_file_is_for_its_owner_alone_whatever_the_umask(store: CredentialStore) -> None:
    before = os.umask(0)
    try:
        store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()} == {
        ".gitignore": 0o600,
        "credentials.json": 0o600,
        "credentials.lock": 0o600,
    }
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_open_to_others_is_refused_with_the_command(store: CredentialStore, mode: int) -> None:
    store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    store.path.chmod(mode)
    for ask in (store.list, lambda: store.get("prod"), lambda: store.remove("prod")):
        with pytest.raises(CredentialError) as caught:
            ask()
        assert str(caught.value) == (
            f"{store.path} is open to others (mode {mode:04o}); run: chmod 600 {store.path}"
        )


@posix
def test_a_folder_that_is_there_already_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine").chmod(0o755)
    CredentialStore(tmp_path / "mine" / "c.json").add("prod", TYPES["basic"], PAIR, [ORIGIN])
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "mine" / ".gitignore").exists()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2, "credentials": {}}', '{"version": 1, "credentials": 3}']
)
def test_a_damaged_file_is_named_and_not_written_over(store: CredentialStore, content: str) -> None:
    store.path.parent.mkdir()
    store.path.touch(0o600)
    store.path.write_text(content)
    with pytest.raises(CredentialError, match="is damaged or newer than this version"):
        store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    assert store.path.read_text() == content


def test_a_damaged_entry_shows_no_value(store: CredentialStore) -> None:
    store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    written = json.loads(store.path.read_text())
    written["credentials"]["prod"]["values"]["password"] = {"other": "s3cr3t-value"}
    store.path.write_text(json.dumps(written))
    with pytest.raises(CredentialError) as caught:
        store.get("prod")
    assert "s3cr3t" not in str(caught.value)


def test_a_taken_name_is_replaced_only_when_asked(store: CredentialStore) -> None:
    store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    with pytest.raises(
        CredentialError, match="`prod` is stored; choose another name, or replace it with --replace"
    ):
        store.add("prod", TYPES["bearer"], {"token": "x"}, [ORIGIN])
    assert store.get("prod").type == "basic"
    store.add("prod", TYPES["bearer"], {"token": "x"}, [ORIGIN], replace=True)
    assert store.get("prod") == Credential(
        name="prod", type="bearer", values={"token": SecretRef("literal", "x")}, origins=(ORIGIN,)
    )


def test_outside_a_project_no_credential_is_looked_for(store: CredentialStore) -> None:
    with pytest.raises(CredentialError) as caught:
        store.get("imagga")
    assert str(caught.value) == (
        f"no credential `imagga`: no haulier.yaml in {store.path.parent.parent} or any folder above it; make a project "
        "with: haulier init"
    )


def test_an_unknown_credential_is_answered_with_the_stored_ones(store: CredentialStore) -> None:
    Project.init(store.path.parent.parent)
    with pytest.raises(
        CredentialError, match="no credential `prod`; stored: none; store it with: haulier credential add"
    ):
        store.get("prod")
    store.add("imagga-prod", TYPES["basic"], PAIR, [ORIGIN])
    with pytest.raises(CredentialError) as caught:
        store.resolve("imagga-prd", TYPES["basic"])
    assert str(caught.value) == (
        "no credential `imagga-prd`; did you mean `imagga-prod`? stored: imagga-prod; store it with: "
        "haulier credential add basic --name imagga-prd"
    )


def test_a_removed_credential_is_gone_from_the_file(store: CredentialStore) -> None:
    store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    store.remove("prod")
    assert "s3cr3t" not in store.path.read_text()
    Project.init(store.path.parent.parent)
    with pytest.raises(CredentialError, match=r"^no credential `prod`; stored: none$"):
        store.remove("prod")


def test_a_credential_of_another_type_is_refused(store: CredentialStore) -> None:
    store.add("prod", TYPES["basic"], PAIR, [ORIGIN])
    with pytest.raises(
        CredentialError, match=r"`prod` is of type basic, not bearer; .* add bearer --name NAME"
    ):
        store.resolve("prod", TYPES["bearer"])


@pytest.mark.parametrize(
    ("type_name", "values", "message"),
    [
        ("basic", {"username": "a"}, ": type basic needs password"),
        ("basic", {**PAIR, "pasword": "b"}, ": type basic has no `pasword`; did you mean `password`?"),
        ("bearer", {"zzz": "b"}, ": type bearer has no `zzz`; its values: token"),
        ("none", {"zzz": "b"}, ": type none has no `zzz`; its values: none"),
        ("bearer", {"token": ""}, ", token: the value (stored) is empty"),
        (
            "bearer",
            {"token": "x\n"},
            ", token: the value (stored) has a line break or NUL in it; it must be one line",
        ),
        (
            "basic",
            {"username": "a\rb", "password": "env:X"},
            ", username: the value (stored) has a line break or NUL in it; it must be one line",
        ),
        (
            "basic",
            {"username": "a:b", "password": "c"},
            ", username: a user name of basic authentication cannot contain a colon",
        ),
        (
            "bearer",
            {"token": "Bearer x"},
            ", token: a token is visible ASCII characters without spaces; leave out the word Bearer",
        ),
        (
            "api-key",
            {"value": "é", "name": "X-Key"},
            ", values: a key in a header is printable ASCII, without spaces around it",
        ),
        (
            "api-key",
            {"value": "k", "name": "Content-Length"},
            ", values: 'Content-Length' is no header that a key can go into",
        ),
        (
            "api-key",
            {"value": "k", "name": "k", "place": "cookie"},
            ", place: must be 'header' or 'query'",
        ),
    ],
)
def test_wrong_values_are_refused_when_they_are_stored(
    store: CredentialStore, type_name: str, values: dict[str, str], message: str
) -> None:
    assert refusal(store, type_name, values) == f"credential `prod`{message}"
    assert not store.path.exists()


def test_a_credential_is_bound_to_an_origin_or_not_stored(store: CredentialStore) -> None:
    assert refusal(store, "basic", PAIR, ()) == (
        "credential `prod`: name the server it may go to, such as --origin https://api.example.com"
    )
    with pytest.raises(ConfigurationError, match=r"credential name '\.\./x'"):
        store.add("../x", TYPES["basic"], PAIR, [ORIGIN])


def test_a_reference_is_followed_when_used_and_names_what_is_missing(
    store: CredentialStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOKEN", raising=False)

    def said(reference: str) -> str:
        store.add("prod", TYPES["bearer"], {"token": reference}, [ORIGIN], replace=True)
        with pytest.raises(CredentialError) as caught:
            store.resolve("prod", TYPES["bearer"])
        return str(caught.value).removeprefix("credential `prod`, token: ")

    (tmp_path / "empty").write_text("\n")
    (tmp_path / "long").write_text("x" * 70_000)
    (tmp_path / "two").write_text("a\nb\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert said("env:TOKEN") == "the environment variable TOKEN is not set; set it"
    assert said("file:gone") == "the file gone cannot be read: No such file or directory"
    assert said("file:empty") == f"the value (file:{tmp_path / 'empty'}) is empty"
    assert said("file:long") == "long is larger than 65,536 bytes; is it the right file?"
    assert said("file:binary") == "binary is not UTF-8 text"
    assert said("file:two").endswith("has a line break or NUL in it; it must be one line")
    monkeypatch.setenv("TOKEN", "")
    assert said("env:TOKEN") == "the value (env:TOKEN) is empty"
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        assert said("file:pipe") == "pipe is no regular file"


def test_a_value_that_looks_like_a_reference_can_be_stored_as_it_is(store: CredentialStore) -> None:
    store.add("prod", TYPES["bearer"], {"token": SecretRef("literal", "env:NOT_A_NAME")}, [ORIGIN])
    assert store.resolve("prod", TYPES["bearer"]).secrets() == ("env:NOT_A_NAME",)


def test_values_at_hand_resolve_without_a_store() -> None:
    refs = {"token": SecretRef.parse("t0ken")}
    assert resolve_values("given", TYPES["bearer"], refs, (ORIGIN,)).secrets() == ("t0ken",)


def test_a_refused_value_is_in_no_part_of_the_error(store: CredentialStore) -> None:
    with pytest.raises(CredentialError) as caught:
        store.add("prod", TYPES["bearer"], {"token": "s3cr3t value"}, [ORIGIN])
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@posix
def test_of_changes_at_the_same_time_none_is_lost(store: CredentialStore) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from haulier.io.credentials import CredentialStore, credential_types\n"
        "types = {each.name: each for each in credential_types()}; who = sys.argv[2]\n"
        "for n in range(10):\n"
        "    store = CredentialStore(Path(sys.argv[1]))\n"
        "    store.add(f'c-{who}-{n}', types['bearer'], {'token': 'x'}, ['https://a.example'])\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, store.path, who]) for who in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert [row.name for row in store.list()] == sorted(f"c-{who}-{n}" for who in "abc" for n in range(10))
