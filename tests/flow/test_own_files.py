"""Files that a script writes itself appear once, of the try that counts, and under both actions (1.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flow.mill import Ended, Mill

OWN_FILES = """
def init():
    noted("folders", os.environ["AZUREML_BI_OUTPUT_PATH"])

def run(mini_batch):
    called(mini_batch)
    out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    noted("folders", str(out))
    name = names(mini_batch)[0]
    tries = (HERE / "calls").read_text().splitlines().count(name)
    (out / f"day={name[0]}").mkdir(exist_ok=True)
    (out / f"day={name[0]}" / f"{name}.txt").write_text(f"{name} in try {tries}\\n")
    kind = Path(mini_batch[0]).read_text()
    if kind == "always" or (kind == "raise" and tries == 1):
        (out / "left-over.txt").write_text("of a failed try")
        raise ValueError("as asked")
    if kind == "exit" and tries == 1:
        (out / "left-over.txt").write_text("of a failed try")
        os._exit(3)
    if kind == "hang" and tries == 1:
        (out / "left-over.txt").write_text("of a failed try")
        held_until("never")
    return mini_batch
"""
KINDS = {"10": "ok", "11": "raise", "12": "exit", "20": "hang", "21": "always", "22": "ok", "23": "ok"}


@pytest.fixture(scope="module", params=["summary_only", "append_row"])
def own_files(request: pytest.FixtureRequest, new_mill: Callable[[], Mill]) -> tuple[Mill, Ended, str]:
    mill = new_mill()
    mill.inputs(KINDS)
    mill.script(OWN_FILES)
    mill.deployment(
        f"mini_batch_size: 1, max_concurrency_per_instance: 2, output_action: {request.param}, "
        "retry_settings: {max_retries: 1, timeout: 0.5}"
    )
    return mill, mill.run(), request.param


def test_files_of_a_script_appear_and_a_failed_try_leaves_none(own_files: tuple[Mill, Ended, str]) -> None:
    of_ours = {"summary_only": [], "append_row": ["predictions.columns.json", "predictions.csv"]}
    assert own_files[0].output() == [
        *("day=1", "day=1/10.txt", "day=1/11.txt", "day=1/12.txt"),
        *("day=2", "day=2/20.txt", "day=2/22.txt", "day=2/23.txt"),
        "failures.jsonl",
        *of_ours[own_files[2]],
    ]


def test_files_of_a_script_hold_what_the_try_that_counts_wrote(own_files: tuple[Mill, Ended, str]) -> None:
    tries = {"10": 1, "11": 2, "12": 2, "20": 2, "22": 1, "23": 1}
    for name, number in tries.items():
        assert own_files[0].bytes(f"out/day={name[0]}/{name}.txt") == f"{name} in try {number}\n".encode()


def test_a_job_with_files_of_its_own_is_counted_and_verifies(own_files: tuple[Mill, Ended, str]) -> None:
    assert own_files[1].counts == (7, 6, 1, 0)
    assert own_files[0].type("verify", "j").status == 0


def test_the_folder_for_own_files_is_constant_for_a_workers_life(own_files: tuple[Mill, Ended, str]) -> None:
    noted = own_files[0].lines("folders")
    assert len(set(noted)) == len(noted) - len(own_files[0].calls())


@pytest.fixture(scope="module")
def same_file(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    mill = new_mill()
    mill.inputs(["a", "b", "c"])
    mill.script(
        """
def init(): pass
def run(mini_batch):
    (Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / "same.txt").write_text(names(mini_batch)[0])
    return mini_batch
"""
    )
    mill.deployment("mini_batch_size: 1, output_action: summary_only")
    return mill, mill.run()


def test_of_mini_batches_that_write_one_file_the_last_keeps_the_name(same_file: tuple[Mill, Ended]) -> None:
    mill, _ = same_file
    assert mill.output() == ["same.txt", "same.txt.mini-batch-0", "same.txt.mini-batch-1"]
    assert mill.bytes("out/same.txt") == b"c"
    assert mill.bytes("out/same.txt.mini-batch-0") == b"a"


def test_a_file_that_two_mini_batches_wrote_is_reported(same_file: tuple[Mill, Ended]) -> None:
    assert "same.txt" in same_file[1].err


def test_summary_only_writes_no_predictions_file(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return mini_batch\n")
    mill.deployment("output_action: SUMMARY_ONLY")

    ended = mill.run()

    assert ended.status == 0
    assert mill.output() == []
    assert ended.view["target"] is None
