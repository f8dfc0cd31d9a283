"""Files that a script writes itself appear once, of the try that counts, and under both actions (1.3)."""

from __future__ import annotations

import contextlib
import sqlite3
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


APPENDING = """
def init():
    global first
    first = True

def run(mini_batch):
    called(mini_batch)
    out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    name = names(mini_batch)[0]
    tries = (HERE / "calls").read_text().splitlines().count(name)
    with open(out / "all.jsonl", "a") as file:
        for path in mini_batch:
            file.write(f"{os.path.basename(path)}\\n")
    if Path(mini_batch[0]).read_text() == "raise" and tries == 1:
        raise ValueError("as asked")
    if Path(mini_batch[0]).read_text() == "exit" and tries == 1:
        os._exit(3)
    return mini_batch
"""
TWELVE = {f"{number:02}": {3: "raise", 7: "exit"}.get(number, "ok") for number in range(12)}


@pytest.mark.parametrize("action", ["summary_only", "append_row"])
def test_a_file_that_all_append_to_is_one_file_in_input_order(mill: Mill, action: str) -> None:
    mill.inputs(TWELVE)
    mill.script(APPENDING)
    mill.deployment(f"mini_batch_size: 1, max_concurrency_per_instance: 2, output_action: {action}")

    ended = mill.run()

    assert ended.counts == (12, 12, 0, 0)
    assert mill.bytes("out/all.jsonl") == "".join(f"{name}\n" for name in sorted(TWELVE)).encode()
    of_ours = {"summary_only": [], "append_row": ["predictions.columns.json", "predictions.csv"]}
    assert mill.output() == ["all.jsonl", *of_ours[action]]
    assert mill.type("verify", "j").status == 0


KEPT_OPEN = """
import atexit
def init():
    global kept
    kept = open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "kept.csv"), "w")
    kept.write("name,size\\n")

def run(mini_batch):
    called(mini_batch)
    name = names(mini_batch)[0]
    tries = (HERE / "calls").read_text().splitlines().count(name)
    kept.write(f"{name},{tries}\\n")
    if Path(mini_batch[0]).read_text() == "raise" and tries == 1:
        raise ValueError("as asked")
    return mini_batch

def shutdown():
    kept.close()
"""


def test_a_file_that_is_kept_open_holds_each_row_once(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(KEPT_OPEN)
    mill.deployment(
        "mini_batch_size: 1, max_concurrency_per_instance: 2, output_action: summary_only",
        "gristmill: {shared_header: true}",
    )

    ended = mill.run()

    rows = "".join(f"{name},{2 if kind == 'raise' else 1}\n" for name, kind in sorted(TWELVE.items()))
    assert ended.counts == (12, 12, 0, 0)
    assert mill.bytes("out/kept.csv").decode() == "name,size\n" + rows
    assert "held kept.csv open after a failed try" in ended.err


MEETING = """
import time
alone = run
def run(mini_batch):
    here = HERE / f"met-{os.environ['GRISTMILL_WORKER_INDEX']}"
    if not here.exists():  # a worker waits for the other one, which is still starting where much is going on
        here.touch()
        deadline = time.monotonic() + 20
        while len(list(HERE.glob("met-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    return alone(mini_batch)
"""


def test_a_first_line_that_several_workers_wrote_is_reported(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(KEPT_OPEN + MEETING)
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2, output_action: summary_only")

    ended = mill.run()

    assert mill.bytes("out/kept.csv").count(b"name,size\n") > 1
    assert "shared_header: true" in ended.err


HEADER_IF_NEW = """
import csv
def init(): pass
def run(mini_batch):
    path = os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "all.csv")
    header = not os.path.exists(path)
    with open(path, "a", newline="") as file:
        writer = csv.writer(file, lineterminator="\\n")
        if header:
            writer.writerow(["file", "size"])
        writer.writerows([os.path.basename(path), os.path.getsize(path)] for path in mini_batch)
    return mini_batch
"""


def test_a_header_if_the_file_is_new_stands_once_with_one_worker(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(HEADER_IF_NEW)
    mill.deployment("mini_batch_size: 2, output_action: summary_only")

    ended = mill.run()

    rows = "".join(f"{name},{len(kind)}\n" for name, kind in sorted(TWELVE.items()))
    assert mill.bytes("out/all.csv").decode() == "file,size\n" + rows
    assert "shared_header" not in ended.err


def test_a_shared_header_stands_once_with_two_workers(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(HEADER_IF_NEW)
    mill.deployment(
        "mini_batch_size: 1, max_concurrency_per_instance: 2, output_action: summary_only",
        "properties: {gristmill.shared_header: 'true'}",
    )

    mill.run()

    rows = "".join(f"{name},{len(kind)}\n" for name, kind in sorted(TWELVE.items()))
    assert mill.bytes("out/all.csv").decode() == "file,size\n" + rows


DATABASE = """
import sqlite3
def init():
    global database
    folder = os.environ["AZUREML_BI_OUTPUT_PATH"]
    database = sqlite3.connect(f"{folder}/worker-{os.environ['GRISTMILL_WORKER_INDEX']}-{os.getpid()}.sqlite")
    database.execute("create table seen (name text)")

def run(mini_batch):
    called(mini_batch)
    database.executemany("insert into seen values (?)", [(name,) for name in names(mini_batch)])
    database.commit()
    name = names(mini_batch)[0]
    if Path(mini_batch[0]).read_text() == "exit" and mill_calls(name) == 1:
        os._exit(3)
    return mini_batch

def mill_calls(name):
    return (HERE / "calls").read_text().splitlines().count(name)
"""


def seen_in_databases(mill: Mill) -> list[str]:
    found = []
    for path in sorted((mill.root / "out").glob("*.sqlite")):
        with contextlib.closing(sqlite3.connect(path)) as database:
            found += [row[0] for row in database.execute("select name from seen")]
    return sorted(found)


def test_a_database_that_is_kept_open_holds_each_item_once_though_a_worker_died(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(DATABASE)
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 1, output_action: summary_only")

    ended = mill.run()

    assert ended.counts == (12, 12, 0, 0)
    assert seen_in_databases(mill) == sorted(TWELVE)
    assert "counts only then" in ended.err


def test_what_was_scored_while_a_database_was_open_is_run_again_after_a_cancel(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(
        DATABASE.replace('== "exit"', '== "ok" and name == "06"').replace(
            "os._exit(3)", "os.kill(os.getppid(), 15); held_until('never')"
        )
    )
    mill.deployment("mini_batch_size: 1, output_action: summary_only")

    cancelled = mill.run()
    resumed = mill.type("resume", "j", "--json")

    assert (cancelled.status, cancelled.counts) == (3, (12, 0, 0, 12))
    assert resumed.counts == (12, 12, 0, 0), resumed.err
    assert seen_in_databases(mill) == sorted(TWELVE)


AT_THE_END = """
def init():
    global count
    count = 0

def run(mini_batch):
    global count
    count += len(mini_batch)
    return mini_batch

def shutdown():
    out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    (out / f"summary-{os.environ['GRISTMILL_WORKER_INDEX']}.txt").write_text(str(count))
    with open(out / "counts.txt", "a") as file:
        file.write(f"{count}\\n")
"""


def test_what_shutdown_writes_is_in_the_output(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(AT_THE_END)
    mill.deployment("mini_batch_size: 1, output_action: summary_only")

    mill.run()

    assert mill.output() == ["counts.txt", "summary-0.txt"]
    assert (mill.bytes("out/summary-0.txt"), mill.bytes("out/counts.txt")) == (b"12", b"12\n")


def test_of_a_cancelled_job_an_appended_file_is_partial_and_whole_once_resumed(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(
        APPENDING.replace(
            '== "raise" and tries == 1:',
            '== "raise" and tries == 1:\n        os.kill(os.getppid(), 15); held_until("never")',
        )
    )
    mill.deployment("mini_batch_size: 1, output_action: summary_only")

    cancelled = mill.run()
    then = mill.output()
    resumed = mill.type("resume", "j", "--json")

    assert cancelled.status == 3
    assert [name for name in then if not name.startswith(".")] == ["all.partial.jsonl"]
    assert resumed.status == 0
    assert mill.output() == ["all.jsonl"]
    assert mill.bytes("out/all.jsonl") == "".join(f"{name}\n" for name in sorted(TWELVE)).encode()


def test_verify_finds_a_changed_byte_of_an_appended_file(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(APPENDING)
    mill.deployment("output_action: summary_only")
    mill.run()
    (mill.root / "out/all.jsonl").write_bytes(b"a\nc\n")

    verified = mill.type("verify", "j")

    assert verified.status == 1
    assert "all.jsonl" in verified.out


ONE_FILE = """
def run(mini_batch):
    Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "x.txt").write_text("ours")
    return mini_batch
"""


def test_a_file_that_was_there_before_the_job_is_not_lost(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script(ONE_FILE)
    mill.deployment("mini_batch_size: 1")
    mill.write("out/x.txt", "theirs")

    ended = mill.run()

    assert mill.bytes("out/x.txt") == b"theirs"
    assert mill.bytes("out/x.txt.mini-batch-0") == b"ours"
    assert "x.txt was there before the job" in ended.err


def test_with_overwrite_a_file_that_was_there_before_is_replaced(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script(ONE_FILE)
    mill.deployment("mini_batch_size: 1")
    mill.write("out/x.txt", "theirs")

    mill.run("--overwrite")

    assert mill.bytes("out/x.txt") == b"ours"


def test_a_folder_that_init_made_stays_for_the_workers_life(mill: Mill) -> None:
    mill.inputs(["a", "b", "c"])
    mill.script(
        """
def init():
    os.mkdir(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "masks"))
def run(mini_batch):
    for name in names(mini_batch):
        Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "masks", name).write_text(name)
    return mini_batch
"""
    )
    mill.deployment("mini_batch_size: 1, output_action: summary_only")

    assert mill.run().counts == (3, 3, 0, 0)
    assert mill.output() == ["masks", "masks/a", "masks/b", "masks/c"]


POISONED_DATABASE = DATABASE.replace('== "exit" and mill_calls(name) == 1', '== "always"').replace(
    "os._exit(3)", "raise ValueError('as asked')"
)


def test_a_bad_file_at_the_very_end_costs_one_file_though_a_database_is_open(mill: Mill) -> None:
    kinds = {f"{number:02}": "always" if number in (3, 11) else "ok" for number in range(12)}
    mill.inputs(kinds)
    mill.script(POISONED_DATABASE)
    mill.deployment(
        "mini_batch_size: 1, output_action: summary_only, retry_settings: {max_retries: 1}, "
        "error_threshold: -1"
    )

    ended = mill.run()

    assert ended.counts == (12, 10, 2, 0), ended.err
    assert seen_in_databases(mill) == sorted(name for name, kind in kinds.items() if kind == "ok")


MEMOISED = """
made = set()
def run(mini_batch):
    called(mini_batch)
    for name in names(mini_batch):
        folder = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], f"id={name}")
        if folder not in made:
            os.makedirs(folder)
            made.add(folder)
        if name == "03" and (HERE / "calls").read_text().splitlines().count(name) == 1:
            raise ValueError("once")
        (folder / "rows.txt").write_text(name)
    return mini_batch
"""


def test_a_script_may_remember_which_folders_it_has_made(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(MEMOISED)
    mill.deployment("mini_batch_size: 1, output_action: summary_only")

    assert mill.run().counts == (12, 12, 0, 0)
    assert [name for name in mill.output() if "/" in name] == [f"id={name}/rows.txt" for name in TWELVE]


def test_the_file_of_one_worker_stays_as_it_was_written(mill: Mill) -> None:
    mill.inputs(TWELVE)
    mill.script(KEPT_OPEN)
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 1, output_action: summary_only")

    mill.run()

    lines = mill.bytes("out/kept.csv").decode().splitlines()
    assert lines[0] == "name,size"
    assert sorted(line.split(",")[0] for line in lines if line != "name,size") == sorted(TWELVE)


def test_what_a_worker_wrote_in_a_shutdown_that_killed_it_is_told(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return mini_batch\ndef shutdown(): os.kill(os.getpid(), 9)\n")
    mill.deployment()

    ended = mill.run()

    assert ended.status == 0
    assert "in shutdown(); what it wrote there is lost" in ended.err


def test_verify_finds_a_whole_file_that_is_gone(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(OWN_FILES)
    mill.deployment("mini_batch_size: 1, output_action: summary_only")
    mill.run()
    (mill.root / "out/day=a/a.txt").unlink()

    verified = mill.type("verify", "j")

    assert verified.status == 1
    assert "day=a/a.txt, which the script wrote, is gone" in verified.out
