"""Two streams of names are compared piece by piece; "for all" is in tests/property/test_comparison.py."""

from __future__ import annotations

from collections.abc import Iterator

from gristmill.plan.comparison import CHUNK_NAMES, differences

OLD = [[b"a", b"b"], [b"c"]]


def test_a_moment_to_pause_in_a_stream_is_one_in_the_comparison() -> None:
    read = 0

    def now() -> Iterator[list[bytes]]:
        nonlocal read
        for _ in range(100):  # a folder of which the names are still being sorted
            read += 1
            yield []
        yield [b"a", b"c", b"d"]

    steps = differences(iter(OLD), now())
    before = 0
    found: list[tuple[list[bytes], list[bytes]]] = []
    for step in steps:
        assert read - before <= 1
        before = read
        found.append(step)
    assert [step for step in found if any(step)] == [([b"b"], []), ([], [b"d"])]


def test_short_lists_are_compared_many_at_once() -> None:
    names = [b"%08d" % number for number in range(4 * CHUNK_NAMES)]
    steps = list(differences(iter([[name] for name in names]), iter([[name] for name in names])))
    assert len(steps) <= 16
    assert not any(gone or new for gone, new in steps)
