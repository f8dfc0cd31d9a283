"""What a script logged with MLflow is read from its file store, whatever else lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.service.tracking import MOST_NAMES, MOST_RUNS, TrackedRun, tracked_runs

META = """\
artifact_uri: file:///home/x/mlruns/0/{run}/artifacts
end_time: 1795355004925
experiment_id: '0'
lifecycle_stage: {stage}
run_id: {run}
run_name: {name}
start_time: {started}
status: 3
tags: []
"""


def logged(
    store: Path,
    run: str,
    files: dict[str, str],
    *,
    experiment: str = "0",
    name: str = "calm-owl-1",
    started: int = 1000,
    stage: str = "active",
) -> Path:
    folder = store / experiment / run
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(META.format(run=run, name=name, started=started, stage=stage))
    (store / experiment / "meta.yaml").write_text("name: Default\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_a_run_has_its_parameters_and_the_last_value_of_each_metric(tmp_path: Path) -> None:
    logged(
        tmp_path,
        "a1",
        {
            "params/alpha": "0.5",
            "params/words/of it": "two\nlines é",
            "metrics/loss": "1795 1.5 0\n1796 0.5 3\n1797 0.7 2\n1798 inf 1\n",
            "metrics/val/acc": "1795 0.9 0\n",
            "metrics/rows": "1795 3\n",
            "metrics/newer": "1795 0.25 0 dataset digest\n",
            "metrics/none": "1795 nan 0\n",
            "metrics/twice": "5 1 0\n6 2 0\n",
            "tags/mlflow.user": "me",
        },
    )
    assert tracked_runs(tmp_path) == (
        TrackedRun(
            name="calm-owl-1",
            params={"alpha": "0.5", "words/of it": "two\nlines é"},
            metrics={"loss": 0.5, "newer": 0.25, "none": "nan", "rows": 3.0, "twice": 2.0, "val/acc": 0.9},
        ),
    )


def test_runs_are_in_the_order_of_their_beginnings_without_deleted_and_empty_ones(tmp_path: Path) -> None:
    files = {"params/a": "1"}
    logged(tmp_path, "a", files, name="third", started=30)
    logged(tmp_path, "b", files, name="first", started=10, experiment="7")
    logged(tmp_path, "c", files, name="'it''s the 2nd'", started=20)
    logged(tmp_path, "d", files, name="deleted", stage="deleted")
    logged(tmp_path, "e", {}, name="empty")
    logged(tmp_path, "f", files, experiment=".trash")
    assert [run.name for run in tracked_runs(tmp_path)] == ["first", "it's the 2nd", "third"]


def test_a_run_without_a_name_is_called_by_its_id(tmp_path: Path) -> None:
    logged(tmp_path, "0f3a", {"params/a": "1"}, name="null")
    assert [run.name for run in tracked_runs(tmp_path)] == ["0f3a"]


@pytest.mark.parametrize("text", ["", "torn", "1795", "1795 x 0", "x 1 0", "1795 1 y", "\n\n", "\0\xff"])
def test_a_metric_that_cannot_be_read_is_left_out(tmp_path: Path, text: str) -> None:
    logged(tmp_path, "a", {"metrics/bad": text, "metrics/good": "1 2 0\n" + text})
    [run] = tracked_runs(tmp_path)
    assert run.metrics == {"good": 2.0}


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert tracked_runs(tmp_path / "mlruns") == ()


def test_pipes_links_and_other_folders_are_passed_over(tmp_path: Path) -> None:
    run = logged(tmp_path, "a", {"params/a": "1"})
    (tmp_path / "secret").write_text("s")
    os.mkfifo(run / "params" / "pipe")
    (run / "params" / "link").symlink_to(tmp_path / "secret")
    (run / "metrics").symlink_to(tmp_path)
    (tmp_path / "0" / "models").mkdir()
    (tmp_path / "9").symlink_to(tmp_path / "0")
    [found] = tracked_runs(tmp_path)
    assert (found.params, found.metrics) == ({"a": "1"}, {})


def test_of_very_many_runs_and_names_only_so_many_are_read(tmp_path: Path) -> None:
    for number in range(MOST_RUNS + 5):
        logged(tmp_path, f"{number:03d}", {"params/a": "1"}, name=str(number), started=number)
    last = tmp_path / "0" / f"{MOST_RUNS + 4:03d}"
    for number in range(MOST_NAMES + 5):
        (last / "params" / f"b{number:03d}").write_text("x" * 10_000)
    runs = tracked_runs(tmp_path)
    assert [run.name for run in runs] == [str(number) for number in range(5, MOST_RUNS + 5)]
    assert len(runs[-1].params) == MOST_NAMES
    assert {len(text) for text in runs[-1].params.values()} == {1, 6_000}


def test_of_a_very_long_metric_the_end_decides(tmp_path: Path) -> None:
    lines = "".join(f"{number} {number}.5 {number}\n" for number in range(80_000))
    logged(tmp_path, "a", {"metrics/long": lines})
    [run] = tracked_runs(tmp_path)
    assert len(lines) > 1 << 20
    assert run.metrics == {"long": 79_999.5}


@given(st.dictionaries(st.sampled_from(["meta.yaml", "params/a", "metrics/m"]), st.binary(max_size=60)))
def test_any_bytes_are_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    store = tmp_path_factory.mktemp("store")
    for name, data in files.items():
        path = store / "0" / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert len(tracked_runs(store)) <= 1
