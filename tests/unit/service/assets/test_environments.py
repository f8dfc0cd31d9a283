"""Registered environments: versions by what they are built from, however that is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import ResourceStateError, SpecError
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import parse_set
from unit.service.assets.options import typed, write

CONDA = "name: x\nchannels: [conda-forge]\ndependencies: [python=3.11, pip, {pip: [pandas==2.0]}]\n"
NORMAL = {"channels": ["conda-forge"], "dependencies": ["python=3.11", "pip", {"pip": ["pandas==2.0"]}]}


def test_a_conda_file_and_an_image(workspace: Workspace, folder: Path) -> None:
    write(folder, {"conda.yml": CONDA})
    options = typed(name="e", conda_file="conda.yml", image="ubuntu:22.04")
    shown = workspace.environments.create(None, options).to_json()
    assert shown["conda_file"] == NORMAL
    assert (shown["image"], shown["os_type"], shown["version"]) == ("ubuntu:22.04", "linux", "1")
    assert "build" not in shown


def test_how_a_conda_file_is_written_does_not_count(workspace: Workspace, folder: Path) -> None:
    write(
        folder,
        {
            "a.yml": CONDA,
            "b.yml": f"# made by hand\n{CONDA.replace('name: x', 'name: y')}\n",
            "inline.yml": "name: e\nconda_file:\n  dependencies:\n  - python=3.11\n  - pip\n  - pip:\n"
            "    - pandas==2.0 # the last\n  channels: [conda-forge]\n",
            "sub/c.yml": "channels: [conda-forge]\ndependencies: [python=3.11, pip, {pip: [-r list.txt]}]\n",
            "sub/list.txt": "pandas==2.0\n",
        },
    )
    for path in ("a.yml", "b.yml", "sub/c.yml"):
        assert workspace.environments.create(None, typed(name="e", conda_file=path)).version == "1"
    assert workspace.environments.create(Path("inline.yml")).version == "1"
    write(folder, {"a.yml": CONDA.replace("2.0", "2.1")})
    assert workspace.environments.create(None, typed(name="e", conda_file="a.yml")).version == "2"


def test_an_inline_conda_file_names_files_beside_its_yaml(workspace: Workspace, folder: Path) -> None:
    write(
        folder,
        {
            "sub/e.yml": "name: e\nconda_file: {dependencies: [pip, {pip: [-r list.txt]}]}\n",
            "sub/list.txt": "numpy\n",
        },
    )
    shown = workspace.environments.create(Path("sub/e.yml")).to_json()
    assert shown["conda_file"] == {"dependencies": ["pip", {"pip": ["numpy"]}]}


def test_a_build_context_is_kept(workspace: Workspace, folder: Path) -> None:
    write(folder, {"context/docker/Dockerfile": "FROM x", "context/a": "1"})
    options = typed(name="e", build={"path": "context", "dockerfile_path": "docker/Dockerfile"})
    view = workspace.environments.create(None, options)
    shown = view.to_json()
    assert shown["build"] == {"path": str(view.path), "dockerfile_path": "docker/Dockerfile"}
    write(folder, {"context/a": "2"})
    assert (view.path / "a").read_text() == "1"  # type: ignore[operator]
    assert workspace.environments.create(None, options).version == "2"


def test_an_environment_of_nothing_is_refused(workspace: Workspace) -> None:
    with pytest.raises(SpecError, match="environment e: says nothing of what is in it"):
        workspace.environments.create(None, typed(name="e"))


def test_a_conda_file_is_no_environment_file(workspace: Workspace, folder: Path) -> None:
    write(folder, {"conda.yml": CONDA})
    with pytest.raises(SpecError, match="this is a conda file, and an environment file is wanted here; give"):
        workspace.environments.create(Path("conda.yml"))


def test_mistakes_in_a_conda_file_are_told_at_once(workspace: Workspace, folder: Path) -> None:
    write(folder, {"conda.yml": "dependencies: [python=3.11, {pip: [-r nowhere.txt, '???']}, [a]]\n"})
    with pytest.raises(SpecError) as caught:
        workspace.environments.create(None, typed(name="e", conda_file="conda.yml"))
    assert len(caught.value.problems) == 3
    assert workspace.environments.list() == []


def test_what_it_is_built_from_cannot_be_updated(workspace: Workspace) -> None:
    workspace.environments.create(None, typed(name="e", image="a"))
    with pytest.raises(ResourceStateError, match="image of version 1 of environment e cannot be changed"):
        workspace.environments.update("e", [parse_set("image=b")])
    assert workspace.environments.update("e", [parse_set("tags.a=b")]).tags == {"a": "b"}
