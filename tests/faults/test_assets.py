"""Models that are registered by processes that are killed, that meet, and on a disk that is full."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.processes import go_on, is_stopped, wait_until
from gristmill.faults import ASSET_POINTS, CONTENT_POINTS
from gristmill.service.assets.records import kept_versions
from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.spec.overrides import Override
from gristmill.storage.incoming import remove_tree

CREATE = """
import os, sys
from gristmill.errors import GristmillError
from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.spec.overrides import Override
home, *paths = sys.argv[1:]
with Workspace(Settings.from_environment({"GRISTMILL_HOME": home})) as workspace:
    workspace.catalog
    sys.stdin.readline()
    for path in paths:
        options = {"name": "m", "path": path}
        try:
            view = workspace.models.create(
                None, [Override(path=k, value=v, origin=f"--{k} {v}") for k, v in options.items()]
            )
        except GristmillError as error:
            sys.exit(f"{type(error).__name__}: {error}")
        print(view.version, flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    remove_tree(tmp_path / "home")


def creating(home: Path, *models: Path, point: str = "") -> subprocess.Popen[str]:
    """Start a process that registers models as soon as it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", CREATE, home, *models],
        env={**os.environ, "GRISTMILL_FAULT_POINT": point},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def model(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights").write_text(text)
    return folder


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def workspace_of(home: Path) -> Workspace:
    return Workspace(Settings.from_environment({"GRISTMILL_HOME": str(home)}))


@pytest.mark.parametrize("point", [*CONTENT_POINTS, *ASSET_POINTS])
def test_a_kill_leaves_a_whole_version_or_none_and_the_same_again_makes_one(
    home: Path, tmp_path: Path, point: str
) -> None:
    path = model(tmp_path / "net", "1")
    victim = creating(home, path, point=point)
    tell(victim)
    wait_until(lambda: is_stopped(victim.pid), f"{point} is reached")
    victim.kill()
    victim.communicate()
    assert victim.returncode == -signal.SIGKILL
    with workspace_of(home) as workspace:
        before = [view.version for view in workspace.models.list("m")]
        assert before == (["1"] if point == "asset.after_row" else [])
        view = workspace.models.create(
            None,
            [
                Override(path="name", value="m", origin="--name m"),
                Override(path="path", value=str(path), origin="--path"),
            ],
        )
        assert view.version == "1"
        assert (view.path / "weights").read_text() == "1"  # type: ignore[operator]
        assert [one.version for one in workspace.models.list("m")] == ["1"]
        assert kept_versions(workspace.settings.home, "default", "model", "m") == ["1"]


def test_processes_that_register_at_once_get_a_version_for_each_content(home: Path, tmp_path: Path) -> None:
    models = [model(tmp_path / name / "net", text) for name, text in zip("abcd", "1233", strict=True)]
    processes = [creating(home, *models[number:], *models[:number]) for number in range(4)]
    for process in processes:
        tell(process)
    ended = [process.communicate() for process in processes]
    assert [err for _, err in ended] == [""] * 4
    versions = [out.split() for out, _ in ended]
    by_content = {
        text: {found[(place - number) % 4] for number, found in enumerate(versions)}
        for place, text in enumerate("1233")
    }
    assert sorted(map(len, by_content.values())) == [1, 1, 1]
    assert sorted(version for found in by_content.values() for version in found) == ["1", "2", "3"]
    with workspace_of(home) as workspace:
        assert len(workspace.models.list("m")) == 3
        assert kept_versions(workspace.settings.home, "default", "model", "m") == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (
            "content.after_rename",
            "HomeError: model m cannot be recorded in .*: No space left on device; make",
        ),
        ("asset.before_row", "CatalogError: .*catalog.db cannot be used: .* full; make room there"),
    ],
)
def test_a_disk_that_fills_up_before_the_row_leaves_no_version(
    small_disk: Path, tmp_path: Path, point: str, words: str
) -> None:
    home = small_disk / "home"
    path = model(tmp_path / "net", "1" * 10_000)
    with workspace_of(home) as workspace:
        assert workspace.models.list() == []  # the catalog is there
    process = creating(home, path, point=point)
    tell(process)
    wait_until(lambda: is_stopped(process.pid), f"{point} is reached")
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"1" * (1 << 20))
    go_on(process.pid)
    out, err = process.communicate()
    assert out == ""
    assert re.match(words, err)
    filler.unlink()
    with workspace_of(home) as workspace:
        assert workspace.models.list(archived=None) == []
        assert kept_versions(workspace.settings.home, "default", "model", "m") == []
    assert creating(home, path).communicate("\n") == ("1\n", "")


def test_a_full_disk_leaves_no_version_and_no_content_and_room_helps(
    small_disk: Path, tmp_path: Path
) -> None:
    home = small_disk / "home"
    path = model(tmp_path / "net", "1" * 2_000_000)
    with workspace_of(home) as workspace:
        assert workspace.models.list() == []  # the catalog is there
    out, err = creating(home, path).communicate("\n")
    assert out == ""
    assert "HomeError: " in err
    assert "No space left on device; nothing of it was kept; make room" in err
    with workspace_of(home) as workspace:
        assert workspace.models.list(archived=None) == []
        assert kept_versions(workspace.settings.home, "default", "model", "m") == []
    assert [path for path in (home / "contents").rglob("*") if path.is_file()] == []
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    out, err = creating(home, path).communicate("\n")
    assert (out, err) == ("1\n", "")
