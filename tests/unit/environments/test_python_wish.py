"""Which Python a conda file asks for, in conda's own way to write versions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.environments.python_wish import PythonWish, name_of, python_wish
from gristmill.errors import SpecError
from gristmill.spec.packages import Line


def wish(*texts: str) -> PythonWish:
    return python_wish([Line(text=text, place=f"c.yaml:{at}:3") for at, text in enumerate(texts, start=1)])


VERSIONS = [(2, 7, 18), (3, 7, 4), (3, 8, 5), (3, 8, 18), (3, 9, 1), (3, 10, 0), (3, 11, 7), (3, 13, 2)]
# What is written, and which of these versions it admits.
ADMITTED = {
    "python": VERSIONS,
    "python=*": VERSIONS,
    "python=3.8": [(3, 8, 5), (3, 8, 18)],
    "python=3.8.*": [(3, 8, 5), (3, 8, 18)],
    "python==3.8": [(3, 8, 5), (3, 8, 18)],
    "python=3.8.5": [(3, 8, 5)],
    "python==3.8.5": [(3, 8, 5)],
    "python 3.8.5": [(3, 8, 5)],
    "python = 3.8.5": [(3, 8, 5)],
    "python=3.8.5=h7579374_1": [(3, 8, 5)],
    "python 3.8.5 h7579374_1": [(3, 8, 5)],
    "conda-forge::python=3.8.5": [(3, 8, 5)],
    "python[version='>=3.9,<3.11']": [(3, 9, 1), (3, 10, 0)],
    "python>=3.9,<3.11": [(3, 9, 1), (3, 10, 0)],
    "python >=3.9, <3.11": [(3, 9, 1), (3, 10, 0)],
    "python=3.8|>=3.13": [(3, 8, 5), (3, 8, 18), (3, 13, 2)],
    "python>3.10": [(3, 11, 7), (3, 13, 2)],
    "python<=3.8.5": [(2, 7, 18), (3, 7, 4), (3, 8, 5)],
    "python!=3.8.5,=3.8": [(3, 8, 18)],
    "python!=3.8.*,<3.10,>=3.8": [(3, 9, 1)],
    "python~=3.10.0": [(3, 10, 0)],
    "python~=3.10": [(3, 10, 0), (3, 11, 7), (3, 13, 2)],
    "python=3": [version for version in VERSIONS if version[0] == 3],
    "Python=3.9": [(3, 9, 1)],
}


@pytest.mark.parametrize(("text", "admitted"), ADMITTED.items(), ids=list(ADMITTED))
def test_versions_are_admitted_as_by_conda(text: str, admitted: list[tuple[int, int, int]]) -> None:
    found = wish("numpy", text, "pip")

    assert [version for version in VERSIONS if found.admits(version)] == admitted
    assert (found.said, found.place) == (text, "c.yaml:2:3")


def test_file_without_python_takes_any() -> None:
    assert wish("numpy").admits((3, 12, 1))
    assert wish("numpy").place == ""


@pytest.mark.parametrize("text", ["python=three", "python>=3.8,<", "python=>3.8", "python=3.8 or 3.9"])
def test_version_that_is_none_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(SpecError, match=r"^c\.yaml:1:3: the Python version .* cannot be understood"):
        wish(text)


@settings(max_examples=20)  # each looks at ten thousand versions
@given(st.integers(0, 20), st.integers(0, 30))
def test_exact_version_admits_itself_and_measures_the_way_to_others(minor: int, patch: int) -> None:
    found = wish(f"python=3.{minor}.{patch}")

    assert found.minors == (minor,)
    assert [other for other in range(40) if found.admits((3, minor, other))] == [patch]
    assert all(found.distance((3, minor, other)) == abs(patch - other) for other in range(40))


@settings(max_examples=20)
@given(st.integers(0, 20), st.integers(0, 20))
def test_range_admits_what_lies_between(low: int, high: int) -> None:
    assert wish(f"python>=3.{low},<3.{high}").minors == tuple(range(low, high))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("python", "3.14"),
        ("python>=3.9,<3.12", "3.11"),
        ("python=3.8.5", "3.8.5"),
        ("python=3.10.*", "3.10"),
        ("python>=3.20", "3.20"),
    ],
)
def test_what_is_fetched_is_the_newest_released_that_will_do(text: str, version: str) -> None:
    assert wish(text).to_fetch == version


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("numpy", "numpy"),
        ("NumPy>=1.2", "numpy"),
        ("numpy 1.2.*", "numpy"),
        ("conda-forge::scikit-learn>=1.0,<2", "scikit-learn"),
        ("conda-forge/linux-64::libgcc-ng=9", "libgcc-ng"),
        ("pytorch[version='1.*']", "pytorch"),
    ],
)
def test_name_of_a_line(text: str, name: str) -> None:
    assert name_of(text) == name
