"""The content store: whatever a folder holds, its content is that, once, and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.storage.contents import Contents

#: Any name that a file may have on Linux, most of which are no UTF-8.
NAMES = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda name: b"/" not in name and b"\0" not in name)
    .filter(lambda name: name not in (b".", b".."))
)
FILES = st.tuples(st.binary(max_size=20), st.booleans())
#: A file as (bytes, may run), a link as the number of steps up that it leads, a folder as its entries.
TREES = st.recursive(
    st.dictionaries(NAMES, st.one_of(FILES, st.integers(0, 3)), max_size=4),
    lambda below: st.dictionaries(NAMES, st.one_of(FILES, below), max_size=4),
    max_leaves=8,
)
Tree = dict[bytes, object]


@contextmanager
def scratch() -> Iterator[Path]:
    folder = tempfile.mkdtemp()
    try:
        yield Path(folder)
    finally:
        for here, _, _ in os.walk(folder):
            os.chmod(here, 0o700)
        shutil.rmtree(folder)


def make(folder: bytes, tree: Tree, depth: int = 0) -> None:
    os.mkdir(folder)
    for name, entry in tree.items():
        path = os.path.join(folder, name)
        if isinstance(entry, dict):
            make(path, entry, depth + 1)
        elif isinstance(entry, int):
            os.symlink(b"/".join([b".", *[b".."] * min(entry, depth)]), path)
        else:
            data, may_run = entry
            with open(path, "wb") as file:
                file.write(data)
            os.chmod(path, 0o700 if may_run else 0o600)


def without_links(tree: Tree) -> Tree:
    return {
        name: without_links(entry) if isinstance(entry, dict) else entry
        for name, entry in tree.items()
        if not isinstance(entry, int)
    }


def read(folder: bytes) -> Tree:
    found: Tree = {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        assert not os.path.islink(path)
        if os.path.isdir(path):
            assert os.stat(path).st_mode & 0o222 == 0
            found[name] = read(path)
        else:
            mode = os.stat(path).st_mode
            assert mode & 0o222 == 0
            with open(path, "rb") as file:
                found[name] = (file.read(), bool(mode & 0o111))
    return found


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_a_content_is_what_lay_there_without_links_that_lead_back(tree: Tree) -> None:
    with scratch() as folder:
        make(os.fsencode(folder / "model"), tree)
        store = Contents(folder / "contents")
        key = store.put(folder / "model")
        assert store.path(key).name == "model"
        assert read(os.fsencode(store.path(key))) == without_links(tree)
        assert store.is_whole(key)
        assert list(store.keys()) == [key]
        assert os.listdir(folder / "contents" / "incoming") == []


@given(TREES, TREES)
@settings(max_examples=60, deadline=None)
def test_keys_are_equal_exactly_where_trees_are(one: Tree, other: Tree) -> None:
    with scratch() as folder:
        keys = []
        store = Contents(folder / "contents")
        for place, tree in (("a", one), ("b", other), ("c", one)):
            (folder / place).mkdir()
            make(os.fsencode(folder / place / "model"), tree)
            keys.append(store.put(folder / place / "model"))
        assert keys[0] == keys[2]
        assert (keys[0] == keys[1]) == (without_links(one) == without_links(other))


@given(TREES)
@settings(max_examples=30, deadline=None)
def test_a_content_that_was_copied_from_the_store_has_the_same_key(tree: Tree) -> None:
    with scratch() as folder:
        make(os.fsencode(folder / "model"), tree)
        store, second = Contents(folder / "contents"), Contents(folder / "second")
        key = store.put(folder / "model")
        assert second.put(store.path(key)) == key
        assert store.remove(key)
        assert list(store.keys()) == []
        assert store.put(second.path(key)) == key
