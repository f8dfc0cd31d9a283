"""The job's own copy of the code, and the state of a model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.errors import RequestError, StorageError
from gristmill.service import code_files
from gristmill.service.fingerprint import changed_model_files, model_state
from gristmill.service.snapshot import snapshot_code
from gristmill.spec.deployment import bare_script, load_deployment
from gristmill.spec.values import Deployment

RUN = "def run(mini_batch):\n    return mini_batch\n"


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def deployment_of(code: Path, script: str = "score.py") -> Deployment:
    if not (code / script).exists():
        written(code, {script: RUN})
    yaml = written(
        code.parent,
        {"deployment.yml": f"code_configuration: {{code: {code.name}, scoring_script: {script}}}"},
    )
    return load_deployment(yaml / "deployment.yml")


def contents(folder: Path) -> dict[str, str]:
    """Give every file with its text, and every link with what it points to."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = path.read_text()
    return found


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return tmp_path / "code"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "home" / "jobs" / "j" / "code"


# A deployment file


def test_the_whole_code_folder_is_copied(code: Path, target: Path) -> None:
    written(code, {"src/score.py": RUN, "src/deep/labels.txt": "a", "other.bin": "b"})
    made = snapshot_code(deployment_of(code, "src/score.py"), target)
    assert contents(target) == {"src/score.py": RUN, "src/deep/labels.txt": "a", "other.bin": "b"}
    assert (made.script, made.files, made.notices) == (target / "src/score.py", 3, ())


def test_empty_folders_are_kept(code: Path, target: Path) -> None:
    (code / "empty").mkdir(parents=True)
    snapshot_code(deployment_of(code), target)
    assert (target / "empty").is_dir()


def test_a_copy_keeps_time_and_mode_and_can_be_read_by_its_owner(code: Path, target: Path) -> None:
    written(code, {"tool.sh": "true"})
    os.utime(code / "tool.sh", ns=(5, 1_234_567_890))
    (code / "tool.sh").chmod(0o155)
    snapshot_code(deployment_of(code), target)
    status = (target / "tool.sh").stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (1_234_567_890, 0o555)


def test_git_and_caches_are_never_copied(code: Path, target: Path) -> None:
    written(
        code,
        {".git/HEAD": "", "a/__pycache__/x.pyc": "", ".hidden": "h", ".gristmill-other/parts/1.part": ""},
    )
    snapshot_code(deployment_of(code), target)
    assert contents(target) == {".hidden": "h", "score.py": RUN}


def test_amlignore_leaves_out_files(code: Path, target: Path) -> None:
    written(code, {".amlignore": "*.bin\n/data/\n", "a.bin": "", "data/x": "", "sub/data/x": "kept"})
    snapshot_code(deployment_of(code), target)
    assert contents(target) == {".amlignore": "*.bin\n/data/\n", "score.py": RUN, "sub/data/x": "kept"}


def test_gitignore_counts_only_without_amlignore(code: Path, target: Path) -> None:
    written(code, {".amlignore": "a", ".gitignore": "b", "a": "", "b": "kept", "sub/.gitignore": "*"})
    snapshot_code(deployment_of(code), target)
    assert sorted(contents(target)) == [".amlignore", ".gitignore", "b", "score.py", "sub/.gitignore"]


def test_nested_gitignore_files_count(code: Path, target: Path) -> None:
    written(
        code, {".gitignore": "*.log", "sub/.gitignore": "!keep.log\n", "sub/keep.log": "", "sub/x.log": ""}
    )
    snapshot_code(deployment_of(code), target)
    assert sorted(contents(target)) == [".gitignore", "score.py", "sub/.gitignore", "sub/keep.log"]


def test_the_scoring_script_is_copied_though_ignored(code: Path, target: Path) -> None:
    written(code, {".gitignore": "src/", "src/score.py": RUN, "src/other.py": ""})
    made = snapshot_code(deployment_of(code, "src/score.py"), target)
    assert sorted(contents(target)) == [".gitignore", "src/score.py"]
    assert made.notices == ("src/score.py is left out by .gitignore, but copied: it is the scoring script",)


def test_linked_files_and_folders_are_copied_as_what_they_are(
    code: Path, target: Path, tmp_path: Path
) -> None:
    written(tmp_path, {"elsewhere/lib/a.py": "a = 1", "elsewhere/one.py": "one = 1"})
    code.mkdir()
    (code / "lib").symlink_to(tmp_path / "elsewhere" / "lib")
    (code / "one.py").symlink_to("../elsewhere/one.py")
    snapshot_code(deployment_of(code), target)
    assert contents(target) == {"lib/a.py": "a = 1", "one.py": "one = 1", "score.py": RUN}


def test_a_link_that_leads_back_is_followed_once(code: Path, target: Path) -> None:
    written(code, {"sub/a": ""})
    (code / "sub" / "back").symlink_to(code)
    snapshot_code(deployment_of(code), target)
    assert sorted(contents(target)) == ["score.py", "sub/a"]


def test_a_link_to_nothing_is_noticed(code: Path, target: Path) -> None:
    code.mkdir()
    (code / "gone").symlink_to("nowhere")
    made = snapshot_code(deployment_of(code), target)
    assert made.notices == (f"gone in {code} was not copied: no file, or a link to nothing",)


def test_the_output_and_our_own_home_are_not_copied(code: Path) -> None:
    written(code, {"out/predictions.csv": "", "home/jobs/old/code/score.py": RUN, "home/cache/x": ""})
    target = code / "home" / "jobs" / "new" / "code"
    made = snapshot_code(deployment_of(code), target, output=code / "out")
    assert (contents(target), made.files) == ({"score.py": RUN}, 1)


def test_a_large_code_folder_is_copied_with_a_notice(
    code: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_files, "MANY_FILES", 2)
    written(code, {"a": "", "b": ""})
    made = snapshot_code(deployment_of(code), target)
    assert made.notices == (
        f"the code folder {code} has 3 files, 0 MB together, and each job copies them; an .amlignore file "
        "in it, written like a .gitignore, leaves some out",
    )
    assert len(contents(target)) == 3


def test_a_hundred_megabytes_are_worth_a_notice() -> None:
    assert (code_files.MANY_BYTES, code_files.MANY_FILES) == (100 * 2**20, 10_000)


def test_inputs_and_outputs_are_not_copied(code: Path, target: Path) -> None:
    files = {"texts/a.txt": "", "old/predictions.csv": "", "one.bin": "", "util.py": "", "lists/texts/b": ""}
    written(code, files)
    data = [code / "texts", code / "old", code / "one.bin", code / "util.py", code, code / "gone"]

    made = snapshot_code(deployment_of(code), target, data=data)

    assert sorted(contents(target)) == ["lists/texts/b", "score.py", "util.py"]
    assert made.notices == ()


def test_an_input_with_the_script_in_it_is_copied(code: Path, target: Path) -> None:
    written(code, {"src/labels.txt": ""})

    snapshot_code(deployment_of(code, "src/score.py"), target, data=[code / "src", code])

    assert sorted(contents(target)) == ["src/labels.txt", "src/score.py"]


def test_outputs_of_unfinished_jobs_and_environments_are_not_copied(code: Path, target: Path) -> None:
    written(code, {"out/.gristmill-j/parts/1": "", "out/a.out": "", ".venv/x": "", "env/pyvenv.cfg": ""})

    snapshot_code(deployment_of(code), target)

    assert sorted(contents(target)) == ["score.py"]


def test_what_a_bare_script_names_is_linked_though_it_is_the_input(code: Path, target: Path) -> None:
    files = {"score.py": "open('texts/labels.txt')", "texts/labels.txt": ""}

    snapshot_code(bare(code, files), target, data=[code / "texts"])

    assert list(contents(target)) == ["score.py", "texts"]


def test_a_snapshot_that_exists_is_kept(code: Path, target: Path) -> None:
    written(code, {"score.py": "old", ".amlignore": "score.py"})
    deployment = deployment_of(code)
    first = snapshot_code(deployment, target)
    written(code, {"score.py": "new", "more.py": ""})
    again = snapshot_code(deployment, target)
    assert (target / "score.py").read_text() == "old"
    assert (again.script, again.files, again.notices) == (first.script, first.files, ())


def test_a_copy_that_was_killed_is_begun_anew(code: Path, target: Path) -> None:
    written(target.with_name("code.building"), {"half": ""})
    snapshot_code(deployment_of(code), target)
    assert contents(target) == {"score.py": RUN}
    assert [path.name for path in target.parent.iterdir()] == ["code"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(code: Path, target: Path) -> None:
    written(code, {"secret.txt": ""})
    (code / "secret.txt").chmod(0)
    with pytest.raises(RequestError, match=r"secret\.txt cannot be read: Permission denied"):
        snapshot_code(deployment_of(code), target)


def test_a_target_that_cannot_be_written_is_named(code: Path, target: Path, tmp_path: Path) -> None:
    written(tmp_path, {"home/jobs/j": "a file"})
    with pytest.raises(StorageError, match=r"the code cannot be copied to .*/home/jobs/j/code: "):
        snapshot_code(deployment_of(code), target)


# A bare script


def bare(folder: Path, files: dict[str, str]) -> Deployment:
    return bare_script(written(folder, files) / "score.py")


def test_a_bare_script_goes_alone(code: Path, target: Path) -> None:
    made = snapshot_code(bare(code, {"score.py": RUN, "notes.txt": "", "other.py": "", "data/x": ""}), target)
    assert contents(target) == {"score.py": RUN}
    assert (made.script, made.files, made.notices) == (target / "score.py", 1, ())


@pytest.mark.parametrize(
    "statement",
    [
        "import near",
        "import near as n",
        "from near import x",
        "from . import near",
        "from .near import x",
        "if True:\n    def f():\n        import near",
        "import importlib\nimportlib.import_module('near')",
        "import os, middle",
        "open('near.py')",
    ],
)
def test_modules_beside_a_bare_script_are_copied(code: Path, target: Path, statement: str) -> None:
    snapshot_code(bare(code, {"score.py": statement, "near.py": "x = 1", "middle.py": "import near"}), target)
    assert contents(target).items() >= {"score.py": statement, "near.py": "x = 1"}.items()
    assert ("middle.py" in contents(target)) == ("middle" in statement)


def test_modules_that_import_each_other_are_copied_once(code: Path, target: Path) -> None:
    files = {"score.py": "import a", "a.py": "import b", "b.py": "import a, score"}
    assert snapshot_code(bare(code, files), target).files == 3


def test_compiled_modules_are_copied(code: Path, target: Path) -> None:
    files = {"score.py": "import fast", "fast.cpython-311-x86_64-linux-gnu.so": "", "other.so": ""}
    snapshot_code(bare(code, files), target)
    assert sorted(contents(target)) == ["fast.cpython-311-x86_64-linux-gnu.so", "score.py"]


def test_a_package_is_copied_whole_and_searched(code: Path, target: Path) -> None:
    package = {
        "pkg/__init__.py": "",
        "pkg/sub/net.py": "import far",
        "pkg/data.json": "{}",
        "pkg/__pycache__/x.pyc": "",
    }
    snapshot_code(
        bare(code, {"score.py": "from pkg.sub import net", "far.py": "", "lone.py": "", **package}), target
    )
    assert sorted(contents(target)) == [
        "far.py",
        "pkg/__init__.py",
        "pkg/data.json",
        "pkg/sub/net.py",
        "score.py",
    ]
    assert not [path for path in target.rglob("*") if path.is_symlink()]


def test_a_folder_of_modules_and_data_gives_copies_and_links(code: Path, target: Path) -> None:
    files = {
        "score.py": "import models.net",
        "models/net.py": "",
        "models/weights.onnx": "",
        "models/old/w.onnx": "",
    }
    snapshot_code(bare(code, files), target)
    assert contents(target) == {
        "score.py": "import models.net",
        "models/net.py": "",
        "models/weights.onnx": f"-> {code}/models/weights.onnx",
        "models/old": f"-> {code}/models/old",
    }


def test_a_folder_that_is_only_called_like_a_library_is_not_copied(code: Path, target: Path) -> None:
    snapshot_code(bare(code, {"score.py": "import datasets", "datasets/x.bin": ""}), target)
    assert contents(target) == {"score.py": "import datasets"}


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("labels.txt", "labels.txt"),
        ("./labels.txt", "labels.txt"),
        ("model", "model"),
        ("model/weights.onnx", "model"),
        ("model/*.onnx", "model"),
        ("/labels.txt", "labels.txt"),
    ],
)
def test_what_a_bare_script_names_is_linked(code: Path, target: Path, text: str, linked: str) -> None:
    files = {"score.py": f"x = {text!r}", "labels.txt": "a\nb", "model/weights.onnx": "w"}
    snapshot_code(bare(code, files), target)
    assert contents(target) == {"score.py": f"x = {text!r}", linked: f"-> {code / linked}"}


def test_what_a_module_of_a_bare_script_names_is_linked(code: Path, target: Path) -> None:
    snapshot_code(
        bare(code, {"score.py": "import a", "a.py": "x = f'{here}/labels.txt'", "labels.txt": ""}), target
    )
    assert contents(target)["labels.txt"] == f"-> {code}/labels.txt"


@pytest.mark.parametrize(
    "text", [".env", ".", "..", "", "/", "see labels.txt", "__pycache__", "nothing\0", "out", "a" * 5000]
)
def test_what_is_hidden_ours_or_not_there_is_not_linked(code: Path, target: Path, text: str) -> None:
    files = {
        "score.py": f"x = {text!r}",
        ".env": "",
        "labels.txt": "",
        "__pycache__/x": "",
        "out/predictions.csv": "",
    }
    snapshot_code(bare(code, files), target, output=code / "out")
    assert sorted(contents(target)) == ["score.py"]


def test_a_script_with_a_mistake_goes_alone(code: Path, target: Path) -> None:
    made = snapshot_code(bare(code, {"score.py": "import near\ndef run(:", "near.py": ""}), target)
    assert contents(target) == {"score.py": "import near\ndef run(:"}
    assert len(made.notices) == 1
    assert made.notices[0].startswith("score.py, line 2: invalid syntax, says Python 3.")


def test_a_copied_script_finds_what_it_needs(code: Path, target: Path) -> None:
    script = (
        "from pathlib import Path\nimport pkg.one, near\n"
        "print(pkg.one.x + near.x + (Path(__file__).parent / 'labels.txt').read_text())\n"
    )
    files = {
        "score.py": script,
        "near.py": "x = 'b'",
        "pkg/__init__.py": "",
        "pkg/one.py": "x = 'a'",
        "labels.txt": "c",
    }
    made = snapshot_code(bare(code, files), target)
    ran = subprocess.run([sys.executable, "-B", made.script], capture_output=True, text=True, check=True)
    assert ran.stdout == "abc\n"


# A model


def test_the_state_of_a_model_file_is_its_size_and_time(tmp_path: Path) -> None:
    written(tmp_path, {"model.pkl": "12345"})
    os.utime(tmp_path / "model.pkl", ns=(7, 7))
    assert model_state(tmp_path / "model.pkl") == {"model.pkl": "5:7"}


def test_the_state_of_a_model_folder_has_every_file_links_followed(tmp_path: Path) -> None:
    model = written(tmp_path / "model", {"a/weights": "123", ".hidden": ""})
    written(tmp_path, {"blob": "12"})
    (model / "linked").symlink_to("../blob")
    for path in (model / "a/weights", model / ".hidden", tmp_path / "blob"):
        os.utime(path, ns=(9, 9))
    assert model_state(model) == {".hidden": "0:9", "a/weights": "3:9", "linked": "2:9"}


def test_a_model_that_is_gone_has_no_state(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"the model .*/model cannot be read: No such file or directory"):
        model_state(tmp_path / "model")


def test_the_same_model_has_no_changes(tmp_path: Path) -> None:
    model = written(tmp_path / "model", {"a": "", "b": ""})
    assert changed_model_files(model_state(model), model) == []


def test_changes_of_a_model_are_named(tmp_path: Path) -> None:
    model = written(tmp_path / "model", {"a": "", "b": "", "c": ""})
    before = model_state(model)
    written(model, {"b": "other", "d": ""})
    (model / "c").unlink()
    assert changed_model_files(before, model) == ["b has changed", "c is gone", "d was added"]


def test_a_model_that_is_gone_is_a_change_of_all_of_it(tmp_path: Path) -> None:
    assert changed_model_files({"model.pkl": "1:1"}, tmp_path / "model.pkl") == ["model.pkl is gone"]
