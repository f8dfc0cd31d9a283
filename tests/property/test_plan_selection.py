"""What holds for all patterns and all lists of inputs."""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from gristmill.plan.input_list import InputList
from gristmill.plan.listing import Listing
from gristmill.plan.selection import Selection
from gristmill.spec.patterns import PatternError, expression, matcher

SEGMENT = st.text("ab*?.", min_size=1, max_size=4).filter(lambda text: text not in (".", ".."))
PATTERN = st.builds(
    lambda front, segments, back: front + "/".join(segments) + back,
    st.sampled_from(["", "/"]),
    st.lists(SEGMENT | st.just("**"), min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)
NAME = st.text("ab.", min_size=1, max_size=3).filter(lambda text: text not in (".", ".."))
PATHS = st.lists(NAME, min_size=1, max_size=4).map("/".join)


@settings(max_examples=400)
@given(PATTERN, PATHS)
@example("a/**/b", "a/b")
@example("**/a/", "a/b")
def test_patterns_mean_what_git_takes_them_for(pattern: str, path: str) -> None:
    assume(not pattern.endswith("**/"))  # folders only, for git; pathspec takes files as well
    assert bool(matcher([pattern])(path)) == GitIgnoreSpec.from_lines([pattern]).match_file(path)


@given(st.text(max_size=12))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    with suppress(PatternError):
        assert expression(text)


@settings(max_examples=60)
@given(st.lists(PATHS, min_size=1, max_size=12), st.lists(PATTERN, max_size=2), st.lists(PATTERN, max_size=2))
def test_choosing_while_walking_equals_choosing_afterwards(
    paths: list[str], include: list[str], exclude: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as home:
        root, scratch = _made(Path(home), paths)
        everything = _listed(Listing(root, scratch=scratch, include_hidden=True))
        selection = Selection(include, exclude)
        chosen = _listed(Listing(root, scratch=scratch, include_hidden=True, selection=selection))
    wanted = [
        path
        for path in map(os.fsdecode, everything)
        if (not include or matcher(include)(path)) and not (exclude and matcher(exclude)(path))
    ]
    assert list(map(os.fsdecode, chosen)) == wanted


@settings(max_examples=60)
@given(st.lists(PATHS, min_size=1, max_size=12), st.randoms(), st.sampled_from(["\n", "\r\n", "\0"]))
def test_a_list_of_all_files_is_the_listing(paths: list[str], chance: random.Random, end: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        root, scratch = _made(Path(home), paths)
        everything = _listed(Listing(root, scratch=scratch, include_hidden=True))
        assume(everything)
        entries = [*map(os.fsdecode, everything), os.fsdecode(everything[0])]
        chance.shuffle(entries)
        file = Path(home, "list")
        file.write_bytes("".join(entry + end for entry in entries).encode())
        walked = InputList(root, file, scratch=scratch)
        assert _listed(walked) == everything
        assert len(walked.notices) == 1


def _made(home: Path, paths: list[str]) -> tuple[Path, Path]:
    """Make the files, as far as no name is a file and a folder at once."""
    root, scratch = home / "root", home / "scratch"
    root.mkdir()
    scratch.mkdir()
    for path in paths:
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        except OSError:
            continue
    return root, scratch


def _listed(walk: Listing | InputList) -> list[bytes]:
    return [prefix + name for prefix, names in walk.walk() for name in names]
