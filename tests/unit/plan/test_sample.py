"""A sample is spread evenly over the input, in its order, and holds few names at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gristmill.plan.sample import NOT_SAMPLED, Sample


class Names:
    """A source of numbered files, some at a time."""

    def __init__(self, count: int, at_once: int) -> None:
        self.root = Path("/in")
        self.skipped: dict[str, int] = {}
        self.notices: list[str] = []
        self._count = count
        self._at_once = at_once

    def walk(self) -> Iterator[tuple[bytes, list[bytes]]]:
        for begin in range(0, self._count, self._at_once):
            end = min(self._count, begin + self._at_once)
            yield b"%04d/" % (begin // 100), [b"%07d" % number for number in range(begin, end)]


def numbers(sample: Sample) -> list[int]:
    return [int(name) for _, names in sample.walk() for name in names]


@given(st.integers(0, 5000), st.integers(1, 300), st.integers(1, 100))
def test_a_sample_has_the_wanted_number_in_order(count: int, at_once: int, limit: int) -> None:
    chosen = numbers(Sample(Names(count, at_once), limit))
    assert len(chosen) == min(count, limit)
    assert chosen == sorted(set(chosen))


@given(st.integers(200, 20_000), st.integers(1, 3000), st.integers(2, 50))
def test_no_gap_in_a_sample_is_much_larger_than_even(count: int, at_once: int, limit: int) -> None:
    chosen = numbers(Sample(Names(count, at_once), limit))
    gaps = [b - a for a, b in zip([-1, *chosen], [*chosen, count], strict=True)]
    assert max(gaps) <= 3 * (count / limit) + 1


def test_what_is_left_out_is_counted_and_told() -> None:
    source = Names(5000, 300)
    numbers(Sample(source, 50))
    assert source.skipped == {NOT_SAMPLED: 4950}
    assert source.notices == ["50 of 5,000 files, spread over the input, are scored (--limit)"]


def test_of_a_small_input_all_is_taken_and_nothing_is_said() -> None:
    source = Names(30, 7)
    assert numbers(Sample(source, 50)) == list(range(30))
    assert (source.skipped, source.notices) == ({}, [])
