"""Publication: room is looked for first, no file of another is replaced, resume finishes what was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.run import commit, publication
from gristmill.run.publication import own_read_hint, read_hint, separator_of
from gristmill.service.jobs import Jobs, JobView, RunRequest
from gristmill.settings import Home
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override
from gristmill.spec.values import OutputFormat

ROWS = b"file,prediction\n" + b"".join(b"%d.txt,%d\n" % (n, n) for n in range(9))


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Home(path=tmp_path / "home"))


@pytest.fixture
def request_of_nine(tmp_path: Path) -> RunRequest:
    (tmp_path / "input").mkdir()
    for number in range(9):
        (tmp_path / "input" / f"{number}.txt").write_text(str(number))
    script = tmp_path / "code" / "score.py"
    script.parent.mkdir()
    script.write_text("def run(mini_batch):\n    return [open(path).read() for path in mini_batch]\n")
    one_worker = Override(path="gristmill.workers", value=1, origin="--workers 1")
    return RunRequest(
        deployment=load(script, [one_worker]), input=tmp_path / "input", output=tmp_path / "out", name="nine"
    )


def finished(jobs: Jobs, request: RunRequest | None = None) -> JobView:
    running = jobs.run(request) if request is not None else jobs.resume("nine")
    for _ in running.steps():
        pass
    return running.view


def test_a_disk_without_room_is_noticed_before_anything_is_published(
    jobs: Jobs, request_of_nine: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(commit, "free_bytes", lambda folder: 0)
        full.setattr(publication, "free_bytes", lambda folder: 7)
        view = finished(jobs, request_of_nine)
    assert view.status == "Failed"
    assert (
        "has 7 bytes left and the rest of the output needs 72; nothing that was finished is lost"
        in view.message
    )
    assert not (tmp_path / "out" / "predictions.csv").exists()

    assert finished(jobs).status == "Completed"
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == ROWS
    assert jobs.verify("nine").ok


def test_a_file_that_appeared_under_the_final_name_is_not_replaced(
    jobs: Jobs, request_of_nine: RunRequest, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "predictions.csv"
    running = jobs.run(request_of_nine)
    target.write_bytes(b"somebody's")
    for _ in running.steps():
        pass
    assert running.view.status == "Failed"
    assert "appeared while the job ran, and is not the job's" in running.view.message
    assert target.read_bytes() == b"somebody's"

    target.unlink()
    assert finished(jobs).status == "Completed"
    assert target.read_bytes() == ROWS


def test_an_output_folder_that_was_removed_costs_its_rows_and_nothing_else(
    jobs: Jobs, request_of_nine: RunRequest, tmp_path: Path
) -> None:
    running = jobs.run(request_of_nine)
    running.cancel("for the test")
    for _ in running.steps():
        pass
    output = tmp_path / "out"
    for path in sorted(output.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    assert finished(jobs).status == "Completed"
    assert (output / "predictions.csv").read_bytes() == ROWS
    assert jobs.verify("nine").ok


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ('{"append_row": {"pandas.DataFrame.to_csv": {"sep": ","}}}', ","),
        ('{"append_row": {"pandas.DataFrame.to_csv": {"index": true}}}', " "),
        ('{"append_row": []}', " "),
        ("{", " "),
        (None, " "),
    ],
)
def test_the_separator_is_what_the_file_beside_the_script_says(
    tmp_path: Path, text: str | None, separator: str
) -> None:
    if text is not None:
        (tmp_path / "parallel_run_step.settings.json").write_text(text)
    assert separator_of(tmp_path) == separator
    assert read_hint(Path("p.csv"), ("a", "b"), separator).endswith(
        f'header=None, sep={separator!r}, names=["a", "b"])'
    )


def test_line_of_python_says_nothing_of_names_where_there_are_none(tmp_path: Path) -> None:
    target = tmp_path / "p.csv"
    target.write_text("id,class\n7,a\n")

    assert own_read_hint(target, OutputFormat.CSV) == f"pd.read_csv({str(target)!r})"
