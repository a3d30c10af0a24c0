"""A project: found upwards, made once, and never left by a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haulier.errors import ConfigurationError, DestinationError
from haulier.io.project import Project, check_name, private_folder, shown, state_folder, write_private

posix = pytest.mark.skipif(os.name != "posix", reason="mode bits are POSIX's")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_init_makes_a_project_once_and_then_nothing(tmp_path: Path) -> None:
    project, made = Project.init(tmp_path / "new")
    root = tmp_path / "new"
    assert made == (root, root / "haulier.yaml", root / "destinations", root / ".haulier")
    assert project == Project(root=root, state=root / ".haulier")
    assert Project.init(root) == (project, ())


def test_init_leaves_what_is_there_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "haulier.yaml").write_text("# mine\nversion: 1\n")
    _, made = Project.init(tmp_path)
    assert (tmp_path / "haulier.yaml").read_text() == "# mine\nversion: 1\n"
    assert made == (tmp_path / "destinations", tmp_path / ".haulier")


def test_init_refuses_where_a_file_stands_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "destinations").write_text("")
    with pytest.raises(ConfigurationError, match="destinations: cannot make this folder: File exists"):
        Project.init(tmp_path)


@posix
def test_state_is_for_its_owner_alone_and_out_of_version_control(tmp_path: Path) -> None:
    project, _ = Project.init(tmp_path)
    (project.destinations / "tag.yaml").write_text("endpoint: x\n")
    folder = project.state_folder(project.locate("tag"))
    assert folder == tmp_path / ".haulier" / "tag"
    for private in (project.home, folder):
        assert mode(private) == 0o700
        assert (private / ".gitignore").read_text() == "*\n"
        assert mode(private / ".gitignore") == 0o600


@posix
def test_a_private_folder_that_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    private_folder(tmp_path / "state")
    assert mode(tmp_path / "state") == 0o700


def test_a_private_folder_is_no_link_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="link is a link; make it a folder"):
        private_folder(tmp_path / "link")
    with pytest.raises(ConfigurationError, match="file is a file where a folder is needed"):
        private_folder(tmp_path / "file")


@posix
def test_a_given_state_folder_keeps_its_mode_and_content(tmp_path: Path) -> None:
    """`--state DIR` may be any folder: only the destination's own folder below it is made private."""
    (tmp_path / "mine").mkdir(mode=0o755)
    (tmp_path / "mine").chmod(0o755)
    Project.init(tmp_path)
    project = Project.find(tmp_path, state=str(tmp_path / "mine"))
    (project.destinations / "tag.yaml").write_text("endpoint: x\n")
    assert project.state_folder(project.locate("tag")) == tmp_path / "mine" / "tag"
    assert mode(tmp_path / "mine") == 0o755
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["tag"]
    assert project.credentials == tmp_path / ".haulier" / "credentials.json"


def test_two_files_of_one_name_never_share_state(tmp_path: Path) -> None:
    project, _ = Project.init(tmp_path)
    for folder in ("destinations", "other", "third"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "tag.yaml").write_text("endpoint: x\n")
    paths = [tmp_path / folder / "tag.yaml" for folder in ("destinations", "other", "third")]
    folders = [project.state_folder(project.locate(path)).name for path in paths]
    assert folders[0] == "tag"
    assert len(set(folders)) == 3
    assert all(name.startswith("tag@") for name in folders[1:])
    assert project.locate("tag") == project.locate(str(paths[0]))


def test_a_project_is_found_from_any_folder_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = Project.init(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert Project.find() == project


def test_without_a_project_the_message_names_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Project.find(tmp_path)
    assert str(caught.value) == (
        f"no haulier.yaml in {tmp_path} or any folder above it; make a project with: haulier init"
    )


def test_settings_in_the_project_file_are_refused_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "haulier.yaml").write_text("# fine\nversion: 1 # too\nstate: elsewhere\n")
    with pytest.raises(ConfigurationError, match=r"haulier\.yaml:3: not understood"):
        Project.find(tmp_path)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "Tag", "tag images", "a" * 61, "-a", "a\n"])
def test_a_name_that_is_none_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    project, _ = Project.init(tmp_path)
    with pytest.raises(ConfigurationError, match=r"destination name .* such as tag-images"):
        project.locate(name)
    with pytest.raises(ConfigurationError):
        state_folder(tmp_path, name)


def test_a_link_out_of_the_project_is_no_destination(tmp_path: Path) -> None:
    project, _ = Project.init(tmp_path / "project")
    (tmp_path / "secret.yaml").write_text("endpoint: x\n")
    (project.destinations / "tag.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(DestinationError, match="is a link out of the project"):
        project.locate("tag")


def test_what_has_the_name_of_a_destination_and_is_no_file_is_called_so(tmp_path: Path) -> None:
    project, _ = Project.init(tmp_path)
    (project.destinations / "folder.yaml").mkdir()
    (project.destinations / "link.yaml").symlink_to(tmp_path / "nothing")
    for name in ("folder", "link"):
        with pytest.raises(
            DestinationError, match=rf"{name}\.yaml is a folder, or a link to nothing; put a file"
        ):
            project.locate(name)


@pytest.mark.skipif(os.name != "posix", reason="a folder in use cannot be removed")
def test_a_current_folder_that_was_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigurationError, match=r"^the current folder is not there any more"):
        Project.find()


def test_an_unknown_destination_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    project, _ = Project.init(tmp_path)
    with pytest.raises(DestinationError, match="known: none yet; make one with: haulier destination new"):
        project.locate("tag")
    for name in ("tag-images", "upload"):
        (project.destinations / f"{name}.yaml").write_text("endpoint: x\n")
    with pytest.raises(DestinationError, match=r"no destination `tag-image` .*; did you mean `tag-images`"):
        project.locate("tag-image")
    with pytest.raises(DestinationError, match="known: tag-images, upload"):
        project.locate("z")
    with pytest.raises(DestinationError, match=r"gone\.yaml: no such file; .*: tag-images, upload"):
        project.locate("gone.yaml")


def test_a_private_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_private(tmp_path / "f", b"one")
    write_private(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    if os.name == "posix":
        assert mode(tmp_path / "f") == 0o600


def test_paths_are_shown_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == str(Path("a", "b.yaml"))
    assert shown(tmp_path.parent) == str(tmp_path.parent)
    assert check_name("destination", "tag-images2") == "tag-images2"
