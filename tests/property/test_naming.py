"""Versions that count up: every content has one of its own, whatever was there before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gristmill.service.assets.naming import version_for

CONTENTS = st.sampled_from("abcd")
VERSIONS = st.one_of(
    st.integers(0, 30).map(str), st.sampled_from(["beta", "1.10", "007", "٣", "²", "9" * 19])
)
KNOWN = st.dictionaries(VERSIONS, CONTENTS, max_size=6)


@given(CONTENTS, KNOWN, KNOWN, st.sets(VERSIONS, max_size=4))
def test_a_version_holds_the_same_or_is_new_and_the_highest(
    content: str, visible: dict[str, str], orphans: dict[str, str], archived: set[str]
) -> None:
    taken = {*visible, *archived}
    orphans = {version: one for version, one in orphans.items() if version not in taken}
    version = version_for(content, visible, orphans, taken)
    if content in visible.values():
        assert visible[version] == content
    elif content in orphans.values():
        assert orphans[version] == content
    else:
        others = {*taken, *orphans}
        assert version not in others
        assert all(
            int(version) > int(one) for one in others if one.isascii() and one.isdigit() and len(one) < 19
        )


@given(st.lists(CONTENTS, max_size=12))
def test_contents_that_come_one_after_the_other_count_up(contents: list[str]) -> None:
    rows: dict[str, str] = {}
    for content in contents:
        newest_first = dict(reversed(rows.items()))
        rows.setdefault(version_for(content, newest_first, {}, rows), content)
    assert list(rows.values()) == list(dict.fromkeys(contents))
    assert list(rows) == [str(number + 1) for number in range(len(rows))]
