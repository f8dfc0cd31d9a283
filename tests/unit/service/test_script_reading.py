"""A script's text gives away what is sure to fail; it is never imported, and nothing sound is blamed."""

from __future__ import annotations

import ast
import sys
import sysconfig
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.service.findings import Finding, Severity
from gristmill.service.script_reading import LARGEST_SCRIPT_BYTES, read_script, warnings_of_script
from gristmill.spec.deployment import bare_script
from gristmill.spec.overrides import Override
from unit.service.script_texts import ERRORS, RUN, SOUND, WARNINGS

PYTHON = sys.version_info[:3]
Read = Callable[..., list[Finding]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write a script, with a model folder `net` beside it, and read it."""
    monkeypatch.delenv("AZUREML_MODEL_DIR", raising=False)
    monkeypatch.delenv("GRISTMILL_MODEL_PATH", raising=False)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "weights.bin").write_text("w")
    (tmp_path / "labels.txt").write_text("l")

    def read_it(source: str | bytes, *, model: str | None = None, arguments: str = "") -> list[Finding]:
        script = tmp_path / "score.py"
        text = textwrap.dedent(source).encode() if isinstance(source, str) else source
        script.write_bytes(text)
        given = {"gristmill.program_arguments": arguments, "model": model and str(tmp_path / model)}
        overrides = [Override(path=k, value=v, origin=k) for k, v in given.items() if v]
        return list(read_script(bare_script(script, overrides), PYTHON))

    return read_it


def summary(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.severity.value, one.code, one.place.removeprefix("score.py")) for one in findings]


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_sure_to_fail_is_an_error(read: Read, name: str) -> None:
    source, code, line = ERRORS[name]

    findings = read(source.encode("utf-8", "surrogateescape"))

    assert summary(findings)[:1] == [("error", code, line)]
    assert findings[0].remedy


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_probably_not_meant_is_a_warning(read: Read, name: str) -> None:
    source, code, line = WARNINGS[name]

    assert summary(read(source)) == [("warning", code, line)]


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_in_a_sound_script(read: Read, name: str) -> None:
    assert summary(read(SOUND[name])) == []


# ---------------------------------------------------------------------------------------- the model


@pytest.mark.parametrize(
    "expression",
    [
        "open(os.path.join(os.environ['AZUREML_MODEL_DIR'], 'net', 'other.bin'))",
        "open(os.environ['AZUREML_MODEL_DIR'] + '/net/other.bin')",
        "open(f\"{os.environ['AZUREML_MODEL_DIR']}/net/other.bin\")",
        "open(os.path.join(os.getenv('AZUREML_MODEL_DIR'), 'net/other.bin'))",
        "Path(os.environ['AZUREML_MODEL_DIR'], 'net', 'other.bin').read_bytes()",
        "(Path(os.environ['AZUREML_MODEL_DIR']) / 'net' / 'other.bin').read_bytes()",
        "joblib.load(Path(os.environ['AZUREML_MODEL_DIR']) / 'net' / 'other.bin')",
        "pickle.load(open(os.path.join(folder, 'net', 'other.bin'), 'rb'))",
    ],
)
def test_a_model_file_that_is_not_there_is_an_error_that_names_those_that_are(
    read: Read, expression: str
) -> None:
    source = (
        "import joblib, os, pickle\nfrom pathlib import Path\n"
        "def init():\n    global model\n    folder = os.environ['AZUREML_MODEL_DIR']\n"
        f"    model = {expression}\n{RUN}"
    )

    (finding,) = read(source, model="net")

    assert summary([finding]) == [("error", "no-such-model-file", ":6")]
    assert finding.what == "net/other.bin is not in AZUREML_MODEL_DIR"
    assert "net/weights.bin" in finding.remedy
    assert read(source.replace("other.bin", "weights.bin"), model="net") == []


def test_a_model_file_that_a_script_may_fetch_first_is_a_warning(read: Read) -> None:
    source = (
        "import hub, os\ndef init():\n    path = os.path.join(os.environ['AZUREML_MODEL_DIR'], 'other.bin')\n"
        f"    hub.fetch('https://example.com', path)\n    open(path)\n{RUN}"
    )

    assert summary(read(source, model="net")) == [("warning", "no-such-model-file", ":3")]


def test_the_folder_of_a_model_must_be_named(read: Read) -> None:
    source = (
        "import os\ndef init():\n"
        f"    open(os.path.join(os.environ['AZUREML_MODEL_DIR'], 'weights.bin'))\n{RUN}"
    )

    assert summary(read(source, model="net")) == [("error", "no-such-model-file", ":3")]
    assert read(source, model="net/weights.bin") == []


def test_a_model_file_that_a_script_looks_for_first_is_a_warning(read: Read) -> None:
    source = (
        "import os\ndef init():\n    path = os.path.join(os.environ['AZUREML_MODEL_DIR'], 'other.bin')\n"
        f"    if os.path.exists(path):\n        open(path)\n{RUN}"
    )

    assert summary(read(source, model="net")) == [("warning", "no-such-model-file", ":3")]


def test_a_variable_that_the_deployment_sets_is_no_missing_model(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", "/elsewhere")

    assert read(ERRORS["a model that is not given"][0]) == []


@pytest.mark.parametrize("name", ["a model that is not given", "required arguments"])
def test_a_bare_script_is_not_told_of_a_deployment(read: Read, name: str) -> None:
    [finding] = read(ERRORS[name][0])

    assert "deployment" not in str(finding)
    assert "gristmill: {" not in str(finding)


def test_a_return_without_a_value_is_no_missing_return(read: Read) -> None:
    [finding] = read("def run(mini_batch):\n    print\n    return None\n")

    assert finding.what == "run() returns None: each of its returns is without a value"


def test_the_method_that_ends_the_process_is_named(read: Read) -> None:
    [finding] = read(ERRORS["required arguments beside unknown ones"][0])

    assert finding.what.startswith("parse_known_args() ends the process: it requires --alpha, and")


def test_arguments_that_are_given_are_not_missing(read: Read) -> None:
    source = ERRORS["required arguments"][0]

    assert read(source, arguments="--model m") == []
    assert summary(read(source, arguments="--beams 3")) == [("warning", "arguments-required", ":7")]


# ------------------------------------------------------------------------------- texts that are no script


def test_a_null_byte_is_named_with_its_line(read: Read) -> None:
    source = b"def run(mini_batch):\n    return mini_batch\nx = 1 \0\n"
    assert [(code, place) for _, code, place in summary(read(source))] == [("syntax-error", ":3")]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"# -*- coding: latin-1 -*-\nname = '\xe9'\n" + RUN.encode(),
        b"# " + b"x" * LARGEST_SCRIPT_BYTES + b"\n",
        RUN.encode() + b"x = " + b"-" * 50_000 + b"1\n",
        RUN.encode() + b"x = " + b" + ".join([b"1"] * 20_000) + b"\n",
        RUN.encode() + b"x = a" + b".b" * 20_000 + b"\n",
    ],
    ids=["empty", "latin-1", "huge", "deep", "long sum", "long path"],
)
def test_odd_texts_are_left_to_the_worker(read: Read, source: bytes) -> None:
    assert [code for _, code, _ in summary(read(source))] in ([], ["no-run"])


def test_a_text_that_is_gone_is_left_to_the_worker(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(RUN)
    deployment = bare_script(script)
    script.unlink()

    assert read_script(deployment, PYTHON) == ()


def test_what_a_newer_python_may_understand_is_left_to_it(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("def init(:\n")
    deployment = bare_script(script)

    newer = (PYTHON[0], PYTHON[1] + 1, 0)
    assert read_script(deployment, newer) == ()
    assert [one.code for one in read_script(deployment, (3, 8, 0))] == ["syntax-error"]


def test_reading_survives_every_module_of_python_itself(tmp_path: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    scripts = [path for path in sorted(library.glob("*.py")) if path.stat().st_size < 60_000]
    some = bare_script(scripts[0])

    codes = {
        one.code
        for path in scripts
        for one in read_script(replace(some, code=library, scoring_script=path.name), PYTHON)
    }

    assert len(scripts) > 80
    assert "no-run" in codes


def test_the_script_is_never_imported(read: Read, tmp_path: Path) -> None:
    read(f"open({str(tmp_path / 'imported')!r}, 'w')\n{RUN}")

    assert not (tmp_path / "imported").exists()


# --------------------------------------------------------------------------------- what a job does with it


def test_a_job_is_refused_with_one_line_for_each_error(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("import os\ndef init(a):\n    os.chdir('/')\ndef run():\n    return []\n")

    with pytest.raises(SpecError) as refused:
        warnings_of_script(bare_script(script), PYTHON)

    assert [line.partition(": ")[0] for line in refused.value.problems] == ["score.py:2", "score.py:4"]


def test_warnings_are_lines_with_place_and_remedy(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(f"import os\n{RUN}def init():\n    os.chdir('/')\n")

    (line,) = warnings_of_script(bare_script(script), PYTHON)

    assert line.startswith("score.py:5: os.chdir() changes the working folder")
    assert line.endswith("use absolute paths, such as Path(__file__).parent / 'labels.txt'")


def test_severities_are_words_of_the_output() -> None:
    assert [str(one) for one in Severity] == ["error", "warning"]


def test_every_example_is_sound() -> None:
    examples = Path(__file__).resolve().parents[3] / "examples"
    scripts = [
        path
        for path in examples.glob("*/*.py")
        if any(isinstance(n, ast.FunctionDef) and n.name == "run" for n in ast.parse(path.read_text()).body)
    ]

    assert scripts
    found = [str(one) for path in scripts for one in read_script(bare_script(path), PYTHON)]
    assert [one for one in found if "and no model is given" not in one] == []
