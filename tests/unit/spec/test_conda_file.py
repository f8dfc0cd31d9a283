"""What a conda file lists, line by line, and every mistake in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.conda_file import EXAMPLE, load_conda_file
from gristmill.spec.deployment import load
from gristmill.spec.environment import load_environment_packages
from gristmill.spec.packages import Packages
from gristmill.spec.values import deployment_from_json, deployment_to_json

Read = Callable[[str], Packages]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a conda file's surroundings: requirement files, a wheel, packages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "all.txt").write_text(
        "# all of it\nnumpy\n\n-r more.txt\nscipy>1 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\n"
        "-c limits.txt\n--find-links wheels\n./package\n"
    )
    (tmp_path / "requirements" / "more.txt").write_text("polars  # quick\n")
    (tmp_path / "requirements" / "limits.txt").write_text("")
    (tmp_path / "requirements" / "wheels").mkdir()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "setup.py").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-1.0-py3-none-any.whl").write_text("")
    (tmp_path / "circle.txt").write_text("-r circle.txt\n")
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Read:
    def of_text(text: str) -> Packages:
        (folder / "c.yaml").write_text(text)
        return load_conda_file(Path("c.yaml"))

    return of_text


def lines(found: Packages) -> list[tuple[str, str]]:
    return [(line.text, line.place) for line in found.pip]


def section(*words: str) -> str:
    return "dependencies:\n- pip:\n" + "".join(f"  - {word}\n" for word in words)


def test_both_parts_are_read_with_their_places(read: Read) -> None:
    found = read(
        "name: hearts\nchannels: [conda-forge, nodefaults]\ndependencies:\n  - python=3.10  # as there\n"
        "  - pip\n  - conda-forge::libtiff >=4\n  - pip:\n    - pandas==2.2  # pinned\n    - scikit-learn\n"
    )

    assert (found.name, found.channels) == ("hearts", ("conda-forge", "nodefaults"))
    assert [(line.text, line.place) for line in found.conda] == [
        ("python=3.10", "c.yaml:4:5"),
        ("pip", "c.yaml:5:5"),
        ("conda-forge::libtiff >=4", "c.yaml:6:5"),
    ]
    assert lines(found) == [("pandas==2.2", "c.yaml:8:7"), ("scikit-learn", "c.yaml:9:7")]


def test_requirement_files_are_taken_in(read: Read, folder: Path) -> None:
    assert lines(read(section("-r requirements/all.txt"))) == [
        ("numpy", "requirements/all.txt:2"),
        ("polars", "requirements/more.txt:1"),
        ("scipy>1    --hash=sha256:aa    --hash=sha256:bb", "requirements/all.txt:5"),
        (f"--constraint {folder}/requirements/limits.txt", "requirements/all.txt:8"),
        (f"--find-links {folder}/requirements/wheels", "requirements/all.txt:9"),
        (f"{folder}/package", "requirements/all.txt:10"),
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("-e ./package", "HERE/package"),
        ("--editable=./package[x]", "HERE/package[x]"),
        ("./a-1.0-py3-none-any.whl", "HERE/a-1.0-py3-none-any.whl"),
        ("a-1.0-py3-none-any.whl", "HERE/a-1.0-py3-none-any.whl"),
        ("'./package ; python_version < \"3.9\"'", 'HERE/package ; python_version < "3.9"'),
        ("-i https://x/simple", "--index-url https://x/simple"),
        ("--index-url=https://x/simple", "--index-url https://x/simple"),
        ("-fhttps://x/y", "--find-links https://x/y"),
        ("--pre", "--pre"),
        ("--trusted-host x", "--trusted-host x"),
        ("git+https://x/y.git@main", "git+https://x/y.git@main"),
        ("a @ https://x/a.whl", "a @ https://x/a.whl"),
        ("azureml-dataset-runtime[fuse]", "azureml-dataset-runtime[fuse]"),
    ],
)
def test_line_of_a_pip_section_is_kept_in_one_form(read: Read, folder: Path, written: str, kept: str) -> None:
    (line,) = read(section(written)).pip

    assert line.text.replace(str(folder), "HERE") == kept


OPTIONS = (
    "--requirement, --constraint, --editable, --find-links, --index-url, --extra-index-url, --trusted-host, "
    "--no-binary, --only-binary, --no-index, --pre, --prefer-binary, --require-hashes"
)
NEITHER = "must be a package, or 'pip:' with a list"
MISTAKES = {
    "name: x\n": f"c.yaml:1:1: dependencies: lists nothing; write them, as in '{EXAMPLE}'",
    "dependencies: []\n": f"c.yaml:1:1: dependencies: lists nothing; write them, as in '{EXAMPLE}'",
    "dependencies: numpy\n": f"c.yaml:1:15: dependencies: must be a list, as in '{EXAMPLE}' (got 'numpy')",
    "dependencies: [3]\n": "c.yaml:1:16: dependencies: must be a package, as in 'numpy=1.26' (got '3')",
    "dependencies: [[a]]\n": f"c.yaml:1:16: dependencies: {NEITHER} (got a list)",
    "dependencies: [{pipp: [a]}]\n": f"c.yaml:1:16: dependencies: {NEITHER} (got a mapping)",
    "dependencies: [{pip: a}]\n": "c.yaml:1:22: dependencies.pip: must be a list of lines for pip (got 'a')",
    "dependencies: [{pip: [{a: 1}]}]\n":
    "c.yaml:1:23: dependencies.pip: must be a line for pip (got a mapping)",
    "channels: [{a: 1}]\ndependencies: [a]\n":
    "c.yaml:1:12: channels: must be a list of channels (got a mapping)",
    section("./gone"): "c.yaml:3:5: dependencies.pip: no such file or folder: HERE/gone (got './gone')",
    section("-r gone.txt"): "c.yaml:3:5: dependencies.pip: no such file: HERE/gone.txt (got 'gone.txt')",
    section("-r empty"): "c.yaml:3:5: dependencies.pip: is no file: HERE/empty (got 'empty')",
    section("-r circle.txt"): "circle.txt:1: dependencies.pip: the requirement files name each other in a "
    "circle (got 'HERE/circle.txt')",
    section("./empty"): "c.yaml:3:5: dependencies.pip: the folder HERE/empty holds no package: neither a "
    "pyproject.toml nor a setup.py",
    section("--extra-index"): "c.yaml:3:5: dependencies.pip: the option --extra-index is not known in a pip "
    f"section; did you mean '--extra-index-url'?; known are {OPTIONS}",
    section("--pre yes"): "c.yaml:3:5: dependencies.pip: the option --pre takes no value (got '--pre yes')",
    section("-r"): "c.yaml:3:5: dependencies.pip: the option --requirement takes a value (got '-r')",
    section("'==1.0'"): "c.yaml:3:5: dependencies.pip: is no package (got '==1.0'); write a name, as in "
    "'pandas==2.2'",
}  # fmt: skip


@pytest.mark.parametrize(("text", "line"), MISTAKES.items())
def test_mistake_is_told_where_it_stands(read: Read, folder: Path, text: str, line: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)

    assert [one.replace(str(folder), "HERE") for one in caught.value.problems] == [line]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "a: [\n", "{a: 1\n"])
def test_file_that_is_no_mapping_is_refused(read: Read, text: str) -> None:
    with pytest.raises(SpecError, match=r"^c\.yaml:\d+:\d+: "):
        read(text)


def deployed(folder: Path, environment: str, more: str = "") -> Path:
    (folder / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    path = folder / "d.yml"
    path.write_text(
        f"environment: {environment}\ncode_configuration: {{code: ., scoring_script: score.py}}\n{more}"
    )
    return Path("d.yml")


def test_deployment_keeps_what_its_conda_file_lists(folder: Path) -> None:
    (folder / "c.yaml").write_text(section("-r requirements/all.txt") + "- python=3.9\n")
    more = "gristmill: {strict_python: true, keep_azureml_packages: false, offline: true}\n"
    deployment = load(deployed(folder, "{name: mine, conda_file: c.yaml}", more))
    packages = deployment.packages

    assert packages is not None
    assert (packages.name, packages.strict_python, packages.offline) == ("mine", True, True)
    assert packages.keep_azureml_packages is False
    assert len(packages.pip) == 6
    assert deployment_from_json(json.loads(json.dumps(deployment_to_json(deployment)))) == deployment


def test_packages_may_stand_in_the_deployment_itself(folder: Path) -> None:
    packages = load(deployed(folder, "{conda_file: {dependencies: [python=3.9, pip: [./package]]}}")).packages

    assert packages is not None
    assert [line.text for line in (*packages.conda, *packages.pip)] == ["python=3.9", f"{folder}/package"]
    assert packages.conda[0].place.startswith("d.yml:1:")
    assert packages.name == "d"


@pytest.mark.parametrize("more", ["gristmill: {python: sh}\n", "gristmill: {use_current_python: true}\n"])
def test_conda_file_is_not_read_where_a_python_is_named(folder: Path, more: str) -> None:
    assert load(deployed(folder, "{conda_file: gone.yaml}", more)).packages is None


@pytest.mark.parametrize("environment", ["{image: some/image}", "{build: {path: docker}}"])
def test_image_alone_is_noticed_and_nothing_is_built(folder: Path, environment: str) -> None:
    deployment = load(deployed(folder, environment))

    assert deployment.packages is None
    (notice,) = deployment.notices
    assert notice.endswith("is not built here; the current Python runs the script")


@pytest.mark.parametrize("key", ["image: some/image", "build: {path: docker}"])
def test_what_stands_beside_a_conda_file_is_noticed(folder: Path, key: str) -> None:
    deployment = load(deployed(folder, f"{{{key}, conda_file: {{dependencies: [python]}}}}"))

    (notice,) = deployment.notices
    assert notice.endswith("is not used on this machine; the conda file says what is installed")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ("azureml:sk:1", "is registered elsewhere (got 'azureml:sk:1')"),
        ("sk@latest", "is registered elsewhere (got 'sk@latest')"),
        ("{name: sk, version: 2}", "is registered elsewhere (got a mapping)"),
        ("azureml://registries/azureml/environments/sk/labels/latest", "lies in a registry in the cloud"),
    ],
)
def test_name_alone_is_refused_with_the_ways_out(folder: Path, environment: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(deployed(folder, environment))

    (line,) = caught.value.problems
    assert line.startswith("d.yml:1:")
    assert words in line
    assert "list its packages in a conda_file, or say which Python to use: --python PATH" in line


def test_mistakes_of_the_conda_file_stand_among_those_of_the_deployment(folder: Path) -> None:
    (folder / "c.yaml").write_text("dependencies: [3, {pip: [--what]}]\n")
    with pytest.raises(SpecError) as caught:
        load(deployed(folder, "{conda_file: c.yaml}", "nam: x\n"))

    assert [line.partition(": ")[0] for line in caught.value.problems] == [
        "c.yaml:1:16",
        "c.yaml:1:26",
        "d.yml:3:1",
    ]


def test_file_of_an_environment_lists_the_packages_of_its_conda_file(folder: Path) -> None:
    (folder / "c.yaml").write_text("dependencies: [python=3.9]\n")
    (folder / "e.yml").write_text("$schema: x\nname: sk\nimage: some/image\nconda_file: c.yaml\n")
    packages = load_environment_packages(Path("e.yml"))

    assert (packages.name, [line.text for line in packages.conda]) == ("sk", ["python=3.9"])
