"""What a pattern for paths means."""

from __future__ import annotations

import pytest

from gristmill.spec.patterns import PatternError, expression, matcher


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("*.jpg", ["a.jpg", "x/a.jpg", "d.jpg/a", ".jpg"], ["a.jpg.txt", "a.JPG", "ajpg", "a.jpg\n"]),
        ("/*.jpg", ["a.jpg", "d.jpg/a"], ["x/a.jpg"]),
        ("a/*.jpg", ["a/b.jpg"], ["a/b/c.jpg", "x/a/b.jpg"]),
        ("raw/", ["raw/", "raw/a", "x/raw/a"], ["raw", "x/raw", "raws/a"]),
        ("/raw/", ["raw/a"], ["raw", "x/raw/a"]),
        ("raw", ["raw", "raw/", "raw/a", "x/raw"], ["raws", "draw"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/b/c"], ["b", "ab", "a/xb"]),
        ("**/b", ["b", "x/b", "x/y/b/c"], ["xb"]),
        ("a/**", ["a/", "a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a/*", ["a/b", "a/b/c"], ["a", "a/"]),
        ("a/**/", ["a/b/", "a/b/c"], ["a/b", "a/"]),
        ("**", ["a", "a/b"], []),
        ("a**c", ["ac", "abc", "x/abbc"], ["a/c"]),
        ("?.txt", ["a.txt", "é.txt", "\udcff.txt"], [".txt", "ab.txt", "/.txt"]),
        ("[ab]x", ["ax", "bx"], ["cx", "x"]),
        ("[!a-c]x", ["dx", "-x"], ["ax", "bx"]),
        ("[^a]x", ["bx"], ["ax"]),
        ("[]a]x", ["]x", "ax"], ["bx"]),
        ("[a-]x", ["-x", "ax"], ["bx"]),
        (r"[a\]]x", ["]x", "ax"], [r"\x"]),
        (r"\*", ["*", "x/*"], ["a"]),
        (r"\!a", ["!a"], ["a"]),
        ("#a", ["#a"], ["a"]),
        ("a b ", ["a b "], ["a b"]),
        ("a.b+(c)", ["a.b+(c)"], ["aXb+(c)"]),
        ("a\nb", ["a\nb"], ["a"]),
    ],
)  # fmt: skip
def test_pattern_matches_these_and_not_those(pattern: str, matched: list[str], others: list[str]) -> None:
    match = matcher([pattern])

    assert [path for path in matched + others if match(path)] == matched


def test_one_of_several_patterns_is_enough() -> None:
    match = matcher(["*.a", "*.b"])

    assert [bool(match(path)) for path in ("x.a", "x.b", "x.c")] == [True, True, False]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("", "is empty"),
        ("/", "is empty"),
        ("a\0", "holds a NUL character"),
        ("!a", "begins with '!'"),
        ("a//b", "holds '//'"),
        ("./a", "holds '.' or '..'"),
        ("a/../b", "holds '.' or '..'"),
        ("a\\", "nothing behind it"),
        ("a\\/b", "nothing behind it"),
        ("[ab", "without its ']'"),
        ("[]", "without its ']'"),
        ("[a/b]", "without its ']'"),
        ("[z-a]", "is no pattern: bad character range"),
        ("[[:alpha:]]", "holds a class such as"),
    ],
)
def test_pattern_without_a_meaning_is_refused(pattern: str, what: str) -> None:
    with pytest.raises(PatternError) as caught:
        expression(pattern)

    assert what in str(caught.value)
