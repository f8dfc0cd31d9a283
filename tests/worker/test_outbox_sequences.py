"""For all sequences of tries: what is taken is what the successful ones wrote, each byte once."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.stage import FAILS, Stage, Taken, joined

DO = """
kept = {}
def do(ops):
    for what, name, text in ops:
        path = OUT + "/" + name
        os.makedirs(path if what == "mkdir" else os.path.dirname(path), exist_ok=True)
        if what == "keep":
            if name not in kept:
                kept[name] = open(path, "w")
            kept[name].write(text)
        elif what != "mkdir":
            with open(path, {"append": "a", "whole": "w"}[what]) as file:
                file.write(text)
"""


class Operation(NamedTuple):
    what: str
    name: str
    text: str


TEXT = st.text(st.sampled_from("abc\n"), max_size=6)
OPERATION = st.one_of(
    st.builds(
        Operation, st.sampled_from(["append", "append", "whole"]), st.sampled_from(["a", "b", "x/c"]), TEXT
    ),
    st.builds(Operation, st.just("keep"), st.sampled_from(["k", "x/l"]), TEXT),
    st.builds(Operation, st.just("mkdir"), st.sampled_from(["x", "y", "y/z"]), st.just("")),
)
#: A file that is written anew in a try is written first: what is added to it is then part of it.
OPERATIONS = st.lists(OPERATION, max_size=5).map(lambda ops: sorted(ops, key=lambda one: one.what != "whole"))
TRIES = st.lists(st.tuples(OPERATIONS, st.booleans()), min_size=1, max_size=7)
WITHOUT_KEPT = TRIES.map(
    lambda tries: [([one for one in ops if one.what != "keep"], fails) for ops, fails in tries]
)


def whole_of(ops: list[Operation]) -> dict[str, str]:
    """Return the files that these operations write whole, with their content."""
    found: dict[str, str] = {}
    for what, name, text in ops:
        if what == "whole":
            found[name] = text
        elif what == "append" and name in found:
            found[name] += text
    return found


def filled(pieces: dict[str, str]) -> dict[str, str]:
    """Leave out the empty pieces, which say that a new file is there."""
    return {name: text for name, text in pieces.items() if text}


def pieces_of(ops: list[Operation]) -> dict[str, str]:
    """Return what these operations add to files, by name."""
    whole, found = whole_of(ops), {}
    for what, name, text in ops:
        if what in ("append", "keep") and name not in whole and found.get(name, "") + text:
            found[name] = found.get(name, "") + text
    return found


def opened_in(ops: list[Operation]) -> set[str]:
    return {name for what, name, _ in ops if what != "mkdir"}


def folders_of(ops: list[Operation]) -> set[str]:
    found = {name for what, name, _ in ops if what == "mkdir"}
    found |= {name.rpartition("/")[0] for _, name, _ in ops}
    return {name + "/" for name in found | {name.rpartition("/")[0] for name in found} if name}


def played(stage: Stage, init: list[Operation], tries: list[tuple[list[Operation], bool]]) -> list[Taken]:
    codes = [f"do({list(map(tuple, ops))!r})\n{FAILS if fails else ''}" for ops, fails in tries]
    return stage.play(*codes, init=f"{DO}do({list(map(tuple, init))!r})", last="pass")


@settings(max_examples=120)
@given(TRIES)
def test_what_is_taken_is_what_successful_tries_wrote(
    own_stage: Stage, tries: list[tuple[list[Operation], bool]]
) -> None:
    taken = played(own_stage, [], tries)
    is_kept, folders, appeared = False, set(), set()
    for one, (ops, fails) in zip(taken, tries, strict=False):
        is_kept = is_kept or any(what == "keep" for what, _, _ in ops)
        assert one.failed is fails
        assert bool(one.leaving) is (fails and is_kept)
        assert one.whole == ({} if fails else whole_of(ops))
        assert filled(one.pieces) == ({} if fails else pieces_of(ops))
        appeared |= {*one.pieces, *one.whole}
        assert fails or opened_in(ops) <= appeared
        assert not one.held
        folders |= folders_of(ops)
        if one.touched or fails:
            assert {name for name in one.there if name.endswith("/")} == folders
    wanted = next((n for n, one in enumerate(taken, 1) if one.leaving), len(tries) + 1)
    assert len(taken) == wanted


@settings(max_examples=60)
@given(OPERATIONS, WITHOUT_KEPT)
def test_what_init_wrote_is_taken_once_with_the_first_that_succeeds(
    own_stage: Stage, init: list[Operation], tries: list[tuple[list[Operation], bool]]
) -> None:
    init = [one._replace(name=f"of-init/{one.name}") for one in init if one.what != "keep"]
    taken = played(own_stage, init, [*tries, ([], False)])[:-1]
    successes = [one for one in taken if not one.failed]
    written = [ops for ops, fails in tries if not fails]
    first = successes[0]
    assert first.whole == {**whole_of(init), **whole_of([*written, []][0])}
    assert filled(first.pieces) == {**pieces_of(init), **pieces_of([*written, []][0])}
    for name in pieces_of(init):
        assert joined(taken, name) == pieces_of(init)[name]
    for one, ops in zip(successes[1:], written[1:], strict=False):
        assert (one.whole, filled(one.pieces)) == (whole_of(ops), pieces_of(ops))
