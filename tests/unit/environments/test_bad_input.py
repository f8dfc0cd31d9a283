"""What cannot be built: each with a message that names the thing and the line, and nothing is left."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles.wheels import wheel
from gristmill.environments import building
from gristmill.errors import BuildError, InterpreterError, RequestError, SpecError
from gristmill.service.environments import build_environment, list_environments
from gristmill.settings import Home

Refused = Callable[..., RequestError]
MINOR = "python>=3.8"
HEAD = "the environment probes cannot be built: "


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with wheels that agree and disagree, and a machine on which pip is set up to know nothing."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    wheel(tmp_path / "wheels", "probe-a", "1.0", requires=["probe-b>=2"])
    wheel(tmp_path / "wheels", "probe-b", "2.5")
    wheel(tmp_path / "wheels", "probe-c", "1.0", requires=["probe-b<2"])
    return tmp_path


@pytest.fixture
def refused(folder: Path) -> Refused:
    """Build what a list of dependencies asks for, which must fail and leave nothing; return the error."""

    def build(dependencies: str, *, offline: bool = False) -> RequestError:
        (folder / "probes.yaml").write_text(f"dependencies:\n  [{dependencies}]\n")
        home = Home(path=folder / "home")
        with pytest.raises(RequestError) as caught:
            build_environment(Path("probes.yaml"), home, lambda _: None, offline=offline)
        assert list_environments(home) == []
        assert not home.environments.exists() or os.listdir(home.environments) == []
        return caught.value

    return build


@pytest.fixture
def forbidding() -> Iterator[str]:
    """The address of a registry that lets nobody in."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    thread.join()
    server.server_close()


HERE = "--no-index, --find-links wheels"
# The pip section; what the first line of the message ends with; what its other lines hold; its last line.
SECTIONS = {
    "no such package": (
        f"{HERE}, no-such-thing",
        "correct the file, or name a Python that has the packages with --python PATH",
        "no-such-thing was not found in the provided package locations",
        "probes.yaml:2:57: no-such-thing",
    ),
    "no such version": (
        f"{HERE}, probe-a==9",
        "correct the file, or name a Python that has the packages with --python PATH",
        "there is no version of probe-a==9",
        "probes.yaml:2:57: probe-a==9",
    ),
    "a conflict": (
        f"{HERE}, probe-a, probe-c",
        "correct the file, or name a Python that has the packages with --python PATH",
        "all versions of probe-a and all versions of probe-c are incompatible",
        "probes.yaml:2:66: probe-c",
    ),
    "no network": (
        "--index-url http://127.0.0.1:9/simple, probe-a",
        "the registry does not answer: check the network, and its address in pip's or uv's settings",
        "Connection refused",
        "probes.yaml:2:63: probe-a",
    ),
    "a line that is none": (
        f'{HERE}, "probe-a or more"',
        "correct the file, or name a Python that has the packages with --python PATH",
        "Expected one of",
        "probes.yaml:2:57: probe-a or more",
    ),
}


@pytest.mark.parametrize(("section", "remedy", "words", "line"), SECTIONS.values(), ids=list(SECTIONS))
def test_message_ends_with_the_resolvers_words_and_the_line(
    refused: Refused, section: str, remedy: str, words: str, line: str
) -> None:
    error = refused(f"{MINOR}, {{pip: [{section}]}}")
    first, *others, last = str(error).splitlines()

    assert isinstance(error, BuildError)
    assert first == f"{HEAD}its packages cannot be installed; {remedy}"
    assert words in " ".join(" ".join(others).split())
    assert last == line


def test_registry_that_refuses_is_told_from_a_package_that_is_not_there(
    refused: Refused, forbidding: str
) -> None:
    error = refused(f"{MINOR}, {{pip: [--index-url {forbidding}, probe-a]}}")

    assert "the registry refuses: check its address and the credentials" in str(error).splitlines()[0]


def test_offline_takes_nothing_from_a_registry(refused: Refused) -> None:
    error = refused(f"{MINOR}, {{pip: [no-such-thing]}}", offline=True)

    assert "only what was fetched before can be installed offline" in str(error).splitlines()[0]


def test_file_that_is_no_wheel_is_told_with_its_line(refused: Refused, folder: Path) -> None:
    (folder / "broken-1.0-py3-none-any.whl").write_bytes(b"no zip")
    error = refused(f"{MINOR}, {{pip: [--no-index, ./broken-1.0-py3-none-any.whl]}}")

    assert str(error).splitlines()[-1] == f"probes.yaml:2:36: {folder}/broken-1.0-py3-none-any.whl"


def test_folder_whose_build_fails_is_told_with_its_line(refused: Refused, folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "setup.py").write_text("raise SystemExit('nope')")
    error = refused(f"{MINOR}, {{pip: [--no-index, ./package]}}")

    assert str(error).splitlines()[-1] == f"probes.yaml:2:36: {folder}/package"


@pytest.mark.parametrize("version", ["python=3.7.4", "python==3.6", "python<3.8", "python=2.7"])
def test_python_that_is_too_old_is_refused_by_name(refused: Refused, version: str) -> None:
    error = refused(version)

    assert isinstance(error, InterpreterError)
    assert str(error).startswith(f"probes.yaml:2:4: {version}: workers need Python 3.8 or newer")


def test_python_that_is_nowhere_is_refused_with_where_it_was_looked_for(refused: Refused) -> None:
    error = refused("python=3.77", offline=True)

    assert isinstance(error, InterpreterError)
    assert "python=3.77: there is no such Python on this machine (looked at PATH, pyenv (" in str(error)
    assert "and none is fetched with --offline" in str(error)


def test_python_that_uv_cannot_fetch_is_refused_with_its_words(refused: Refused) -> None:
    error = refused("python=3.77")

    assert isinstance(error, InterpreterError)
    assert "uv could not fetch one (" in str(error)
    assert "3.77" in str(error).partition("uv could not fetch one (")[2]


def test_python_of_no_version_is_refused(refused: Refused) -> None:
    error = refused("python=three")

    assert isinstance(error, SpecError)
    assert str(error).startswith("probes.yaml:2:4: the Python version 'python=three' cannot be understood")


def test_strict_python_refuses_another_patch_release(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    (folder / "deployment.yml").write_text(
        "code_configuration: {code: ., scoring_script: score.py}\ngristmill: {strict_python: true}\n"
        "environment: {conda_file: {dependencies: [python=3.11.99]}}\n"
    )
    home = Home(path=folder / "home")
    with pytest.raises(InterpreterError, match=r"3.11.99: the nearest Python on this machine is 3\.11\.\d+ "):
        build_environment(Path("deployment.yml"), home, lambda _: None, offline=True)
    assert list_environments(home) == []


def test_conda_packages_without_conda_name_the_ways_out(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(building, "has_rattler", lambda: False)
    monkeypatch.setenv("PATH", str(folder))
    error = refused(f"{MINOR}, cudatoolkit=11, conda-forge::libtiff, pip")

    assert str(error).splitlines() == [
        f"{HEAD}cudatoolkit, libtiff can only be had from conda, and none of micromamba, mamba, conda, pixi "
        "is on PATH. Ways out: pip install gristmill[conda], which brings py-rattler; move them to the pip "
        "section, where PyPI has them; or name a Python that has them with --python PATH",
        "probes.yaml:2:17: cudatoolkit=11",
        "probes.yaml:2:33: conda-forge::libtiff",
    ]


def test_home_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "probes.yaml").write_text(f"dependencies: [{MINOR}]\n")
    (folder / "home").write_text("a file")
    with pytest.raises(RequestError, match=r"the environment probes cannot be kept in .*; make room"):
        build_environment(Path("probes.yaml"), Home(path=folder / "home"), lambda _: None, offline=True)
