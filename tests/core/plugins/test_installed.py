"""Entry points are read as `importlib.metadata` reads them, and without it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from haulier.plugins.installed import EntryPoint, entry_points, version_of

METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n\nName: not this one\n"
POINTS = (
    "# a note\n[other]\nx = y\n\n[haulier]\nacme = acme_plugin : hooks.all [extra]\n[haulier.commands]\na=b\n"
)


def written(folder: Path, name: str, version: str, points: str = POINTS) -> None:
    metadata_file = "PKG-INFO" if folder.suffix == ".egg-info" else "METADATA"
    folder.mkdir(parents=True)
    (folder / metadata_file).write_text(METADATA.format(name, version), encoding="utf-8")
    (folder / "entry_points.txt").write_text(points, encoding="utf-8")


def by_the_standard_library(*groups: str) -> list[EntryPoint]:
    return [
        EntryPoint(group, one.name, one.value, one.dist.metadata["Name"], one.dist.version)
        for group in groups
        for one in metadata.entry_points(group=group)
        if one.dist is not None
    ]


def test_all_that_is_installed_here_is_found() -> None:
    groups = ("haulier", "haulier.commands", "console_scripts", "pytest11")
    assert sorted(entry_points(*groups)) == sorted(by_the_standard_library(*groups))
    assert {name: version_of(name) for name in ("haulier", "pydantic", "Ruamel_YAML", "no-such")} == {
        "haulier": metadata.version("haulier"),
        "pydantic": metadata.version("pydantic"),
        "Ruamel_YAML": metadata.version("ruamel.yaml"),
        "no-such": "",
    }


@pytest.mark.parametrize("folder", ["Acme_Carrier-1.2.dist-info", "acme.carrier-1.2.egg-info"])
def test_one_that_comes_first_on_the_path_shadows_another_of_its_name(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "first" / folder, "Acme.Carrier", "1.2")
    written(tmp_path / "second" / "acme_carrier-1.1.dist-info", "acme-carrier", "1.1")
    monkeypatch.setattr(sys, "path", [str(tmp_path / name) for name in ("none", "first", "second")])
    told = [EntryPoint("haulier", "acme", "acme_plugin : hooks.all [extra]", "Acme.Carrier", "1.2")]
    assert entry_points("haulier") == by_the_standard_library("haulier") == told
    assert version_of("acme-carrier") == "1.2"


def test_what_stands_in_an_archive_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "acme-1.0.dist-info", "acme", "1.0")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in (tmp_path / "acme-1.0.dist-info").iterdir():
            archive.write(file, file.relative_to(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "all.zip")])
    assert entry_points("haulier.commands") == [EntryPoint("haulier.commands", "a", "b", "acme", "1.0")]
    assert version_of("acme") == "1.0"
    assert version_of("acme-carrier") == ""


def test_an_importer_of_its_own_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Importer:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            return None

        @staticmethod
        def find_distributions(context: metadata.DistributionFinder.Context) -> list[metadata.Distribution]:
            return [metadata.PathDistribution(tmp_path / "acme-1.0.dist-info")]

    written(tmp_path / "acme-1.0.dist-info", "acme", "1.0")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Importer])
    assert EntryPoint("haulier.commands", "a", "b", "acme", "1.0") in entry_points("haulier.commands")


@pytest.mark.parametrize("value", ["json", "json : decoder.JSONDecoder [extra]", "json:loads"])
def test_what_it_names_is_imported(value: str) -> None:
    standard = metadata.EntryPoint("x", value, "haulier")
    assert EntryPoint("haulier", "x", value, "acme", "1").load() is standard.load()


def test_the_standard_librarys_way_is_not_imported() -> None:
    code = (
        "import sys\nfrom haulier.plugins.installed import entry_points\n"
        "print(len(entry_points('haulier')), 'importlib.metadata' in sys.modules)"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told == f"{len(by_the_standard_library('haulier'))} False\n"
