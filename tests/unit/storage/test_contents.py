"""The content store, one rule after the other."""

from __future__ import annotations

import inspect
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.errors import HomeError, RequestError
from gristmill.storage import contents
from gristmill.storage.content_key import chunks_of
from gristmill.storage.contents import Contents
from gristmill.storage.incoming import Incoming, remove_tree
from gristmill.storage.tree import everything_below


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Contents]:
    yield Contents(tmp_path / "home" / "contents")
    remove_tree(tmp_path / "home")


def model(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def files_of(store: Contents) -> int:
    return sum(found.is_file for found in everything_below(str(store.folder)))


def test_a_file_keeps_its_name_and_its_time(store: Contents, tmp_path: Path) -> None:
    path = model(tmp_path, {"model.pkl": "weights"}) / "model.pkl"
    os.utime(path, (1_000_000, 1_000_000))
    key = store.put(path)
    assert store.path(key).name == "model.pkl"
    assert store.path(key).read_text() == "weights"
    assert store.path(key).stat().st_mtime == 1_000_000
    assert store.size(key) == 7


def test_the_same_under_another_name_is_another_content(store: Contents, tmp_path: Path) -> None:
    model(tmp_path, {"a.pkl": "weights", "b.pkl": "weights"})
    assert store.put(tmp_path / "a.pkl") != store.put(tmp_path / "b.pkl")


def test_the_same_again_copies_nothing(
    store: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.put(model(tmp_path / "m", {"w": "1"}))
    os.utime(store.path(key).parent, (5, 5))
    monkeypatch.setattr(contents, "_copy_file", None)
    assert store.put(tmp_path / "m") == key
    assert files_of(store) == 1
    assert store.put_at(key) > 5


def test_a_content_counts_as_put_when_all_of_it_is_there(
    store: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "sync_file_system", lambda folder: os.utime(folder, (5, 5)))
    assert store.put_at(store.put(model(tmp_path / "m", {"w": "1"}))) > 5


def test_links_count_as_what_they_lead_to(store: Contents, tmp_path: Path) -> None:
    model(tmp_path / "elsewhere", {"shared/w": "1"})
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "w").symlink_to(tmp_path / "elsewhere" / "shared" / "w")
    (tmp_path / "m" / "shared").symlink_to(tmp_path / "elsewhere" / "shared")
    (tmp_path / "latest").symlink_to(tmp_path / "m")
    path = store.path(store.put(tmp_path / "latest"))
    assert path.name == "latest"
    assert sorted(os.listdir(path)) == ["shared", "w"]
    assert not any(found.is_symlink() for found in path.rglob("*"))
    assert (path / "shared" / "w").read_text() == "1"


def test_two_folders_that_lead_to_each_other_end(store: Contents, tmp_path: Path) -> None:
    model(tmp_path / "m", {"a/x": "1", "b/y": "2"})
    (tmp_path / "m" / "a" / "to-b").symlink_to("../b")
    (tmp_path / "m" / "b" / "to-a").symlink_to("../a")
    path = store.path(store.put(tmp_path / "m"))
    found = sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())
    assert found == ["a/to-b/y", "a/x", "b/to-a/x", "b/y"]


def test_folders_may_lie_deeper_than_python_can_call(store: Contents, tmp_path: Path) -> None:
    deep = tmp_path / "m"
    for _ in range(300):
        deep.mkdir()
        deep = deep / "d"
    deep.write_text("1")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        key = store.put(tmp_path / "m")
        assert (store.path(key) / "/".join("d" * 300)).read_text() == "1"
        assert store.is_whole(key)
        assert store.remove(key)
        assert files_of(store) == 0
    finally:
        sys.setrecursionlimit(before)


def test_folders_deeper_than_the_system_can_name_are_refused(store: Contents, tmp_path: Path) -> None:
    top = tmp_path / "m"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(RequestError, match="name too long"):
        store.put(top)
    assert not store.folder.exists()
    os.system(f"rm -r '{top}'")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.symlink_to("nowhere"), "it is a link to nothing"),
        (os.mkfifo, "it is neither a file nor a folder"),
        (lambda path: path.symlink_to(path.name), "it is a link to nothing"),
    ],
)
def test_what_is_no_file_is_refused_by_name(
    store: Contents, tmp_path: Path, make: object, words: str
) -> None:
    model(tmp_path / "m", {"w": "1"})
    make(tmp_path / "m" / "odd")  # type: ignore[operator]
    with pytest.raises(RequestError, match=rf"m/odd cannot be kept: {words}"):
        store.put(tmp_path / "m")
    assert not store.folder.exists()


def test_a_socket_is_refused_too(store: Contents, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(str(tmp_path / "s"))
        with pytest.raises(RequestError, match="neither a file nor a folder"):
            store.put(tmp_path / "s")


def test_what_is_not_there_is_refused(store: Contents, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nowhere cannot be kept: No such file or directory"):
        store.put(tmp_path / "nowhere")


def test_a_folder_that_holds_the_home_is_refused(store: Contents, tmp_path: Path) -> None:
    model(tmp_path, {"w": "1", "home/jobs/j/job.json": "{}"})
    with pytest.raises(RequestError, match="home, where Gristmill keeps its own things"):
        store.put(tmp_path)
    assert not store.folder.exists()


def test_the_root_has_no_name(store: Contents) -> None:
    with pytest.raises(RequestError, match="/ has no name"):
        store.put(Path("/"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_named(store: Contents, tmp_path: Path) -> None:
    (model(tmp_path / "m", {"w": "1"}) / "w").chmod(0)
    with pytest.raises(RequestError, match="m/w cannot be read: Permission denied"):
        store.put(tmp_path / "m")


def test_a_model_that_changes_while_it_is_copied_is_refused(
    store: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model(tmp_path / "m", {"w": "1"})

    def changing(path: str) -> Iterator[bytes]:
        yield from chunks_of(path)
        yield b"more"

    monkeypatch.setattr(contents, "chunks_of", changing)
    with pytest.raises(RequestError, match="m changed while it was copied"):
        store.put(tmp_path / "m")
    assert list(store.keys()) == []
    assert files_of(store) == 0


def test_only_what_is_chosen_is_kept(store: Contents, tmp_path: Path) -> None:
    code = model(tmp_path / "code", {"score.py": "1", "sub/a.py": "2", "sub/data.bin": "3"})
    chosen = [found for found in everything_below(str(code)) if not found.relative.endswith(".bin")]
    path = store.path(store.put(code, selection=chosen))
    assert sorted(one.name for one in path.rglob("*")) == ["a.py", "score.py", "sub"]


def test_a_changed_content_is_found(store: Contents, tmp_path: Path) -> None:
    key = store.put(model(tmp_path / "m", {"w": "1"}))
    file = store.path(key) / "w"
    file.chmod(0o644)
    file.write_text("2")
    assert not store.is_whole(key)


@pytest.mark.parametrize("harm", ["a file more", "a file less", "a longer file", "another entry"])
def test_who_puts_again_what_was_harmed_mends_it(store: Contents, tmp_path: Path, harm: str) -> None:
    key = store.put(model(tmp_path / "m", {"w": "1", "x/y": "2"}))
    path = store.path(key)
    for folder in (path, path / "x"):
        folder.chmod(0o755)
    if harm == "a file more":
        (path / "x" / "more").write_text("1")
    elif harm == "a file less":
        (path / "x" / "y").unlink()
    elif harm == "a longer file":
        (path / "w").chmod(0o644)
        (path / "w").write_text("longer")
    else:
        (path.parent / "more").write_text("1")
    assert store.put(tmp_path / "m") == key
    assert store.is_whole(key)
    assert files_of(store) == 2


def test_what_was_changed_is_set_aside(store: Contents, tmp_path: Path) -> None:
    key = store.put(model(tmp_path / "m", {"w": "1"}))
    place = store.set_aside(key)
    assert (place / "m" / "w").read_text() == "1"
    assert list(store.keys()) == []
    with pytest.raises(HomeError, match="cannot be removed: No such file"):
        store.set_aside(key)
    assert store.put(tmp_path / "m") == key


def test_a_content_that_is_gone_is_named(store: Contents) -> None:
    with pytest.raises(HomeError, match="is gone"):
        store.path("ab" * 32)
    assert not store.is_whole("ab" * 32)
    assert store.remove("ab" * 32) is False
    assert not store.folder.exists()


def test_what_was_put_lately_is_not_removed(store: Contents, tmp_path: Path) -> None:
    key = store.put(model(tmp_path / "m", {"w": "1"}))
    assert store.remove(key, unless_put_within_s=60.0) is False
    assert store.is_whole(key)
    os.utime(store.path(key).parent, (5, 5))
    assert store.remove(key, unless_put_within_s=60.0) is True
    assert files_of(store) == 0


def test_what_a_killed_process_left_goes_and_what_is_in_work_stays(store: Contents, tmp_path: Path) -> None:
    incoming = store.folder / "incoming"
    (incoming / "litter" / "deep").mkdir(parents=True)
    (incoming / "litter" / "deep").chmod(0o500)
    with Incoming(incoming) as working:
        (working.path / "half").write_text("1")
        assert store.remove_leftovers() == 1
        assert (working.path / "half").read_text() == "1"
    assert os.listdir(incoming) == []


def test_the_store_is_its_owners_alone(store: Contents, tmp_path: Path) -> None:
    key = store.put(model(tmp_path, {"w": "1"}) / "w")
    assert store.folder.stat().st_mode & 0o077 == 0
    assert re.fullmatch("[0-9a-f]{64}", key)
