"""What has the same key, and what has another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.wheels import wheel
from gristmill.environments.key import LENGTH, key_of
from gristmill.spec.packages import Line, Packages


def packages(conda: list[str], pip: list[str], **more: object) -> Packages:
    return Packages(
        name=str(more.pop("name", "n")),
        folder=Path("/f"),
        conda=tuple(Line(text=text, place=f"c.yaml:{at}:1") for at, text in enumerate(conda)),
        pip=tuple(Line(text=text, place=f"c.yaml:{at}:9") for at, text in enumerate(pip)),
        **more,  # type: ignore[arg-type]  # one field or another
    )


def key(conda: list[str], pip: list[str], **more: object) -> str:
    return key_of(packages(conda, pip, **more), "venv", [])


REQUIREMENTS = st.lists(st.sampled_from(["a==1", "b>=2", "c", "d[x]~=1.0", "e; python_version<'3.9'"]))


@given(REQUIREMENTS, st.randoms())
def test_order_of_requirements_does_not_matter(lines: list[str], random: st.DrawFn) -> None:
    mixed = list(lines)
    random.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis' stand-in for random.Random

    assert key(["python=3.9", "pip"], lines) == key(["pip", "python=3.9"], mixed)


@given(REQUIREMENTS, REQUIREMENTS)
def test_other_requirements_have_another_key(one: list[str], other: list[str]) -> None:
    assert (key([], one) == key([], other)) is (set(one) == set(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Scikit_Learn >= 1.0, <2", "scikit-learn>=1.0,<2"),
        ("zope.interface==5", "Zope-Interface == 5"),
        ("a ;  python_version < '3.9'", "a; python_version < '3.9'"),
    ],
)
def test_spelling_does_not_matter(one: str, other: str) -> None:
    assert key([], [one]) == key([], [other])


def test_names_and_places_do_not_matter() -> None:
    assert key(["pip"], ["a"]) == key(["pip"], ["a"], name="another", keep_azureml_packages=True)
    assert key(["pip"], ["a"]) == key(["pip"], ["a"], offline=True)


@pytest.mark.parametrize(
    "other",
    [
        key(["python=3.10"], ["a"]),
        key(["python=3.9"], ["a", "b"]),
        key(["python=3.9"], ["a", "--pre"]),
        key(["python=3.9"], ["a", "--extra-index-url https://x"]),
        key(["python=3.9"], ["a"], strict_python=True),
        key_of(packages(["python=3.9"], ["a"]), "conda", []),
    ],
)
def test_what_decides_the_content_has_another_key(other: str) -> None:
    assert key(["python=3.9"], ["a"]) != other
    assert len(other) == LENGTH


def test_order_of_the_places_of_packages_matters() -> None:
    assert key([], ["--find-links /a", "--find-links /b"]) != key([], ["--find-links /b", "--find-links /a"])


def test_wheel_of_this_machine_counts_by_its_content(tmp_path: Path) -> None:
    path = wheel(tmp_path, "probe", "1.0", "x = 1")
    keys = {key([], [str(path)]), key([], [f"probe @ file://{path}"])}
    before = key([], [str(path)])
    wheel(tmp_path, "probe", "1.0", "x = 2")

    assert len(keys) == 2
    assert key([], [str(path)]) != before


def test_folder_of_a_package_counts_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("a")
    before = key([], [str(tmp_path)])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("b")
    compiled = key([], [str(tmp_path)])
    (tmp_path / "setup.py").write_text("abc")

    assert (compiled == before, key([], [str(tmp_path)]) == before) == (True, False)


def test_constraints_count_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a<2")
    one = key_of(packages([], ["a"]), "venv", [tmp_path / "c.txt"])
    (tmp_path / "d.txt").write_text("a<2")
    same = key_of(packages([], ["a"]), "venv", [tmp_path / "d.txt"])
    (tmp_path / "c.txt").write_text("a<3")

    assert one == same != key_of(packages([], ["a"]), "venv", [tmp_path / "c.txt"])
