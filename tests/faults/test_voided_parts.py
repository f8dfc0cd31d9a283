"""A part of a mini-batch whose outcome is void takes nothing of the other parts along (D3, D10)."""

from __future__ import annotations

from pathlib import Path

from flow.holding import is_gone
from flow.mill import Mill, until
from gristmill.engine.contract import Scored
from gristmill.run.journal import read_journal

# The file c is bad, so the mini-batch is taken apart: c alone, then a and b, then d. Whatever is run, a file
# of its name is written. With d a compressed file is kept open, so that the outcome of d does not count yet;
# before that the files of a and b are in the output.
SCRIPT = """
import gzip
OUTPUT = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])

def init():
    noted("pids", str(os.getpid()))

def run(mini_batch):
    called(mini_batch)
    for path in mini_batch:
        with open(path) as file:
            name = file.read()
        if name == "c":
            raise ValueError("bad")
        (OUTPUT / name).write_text(name)
        if mini_batch == [path] and name == "d" and not (HERE / "again").exists():
            held_until("out/b")
            global kept
            kept = gzip.open(OUTPUT / "kept.gz", "wt")
    return mini_batch

def shutdown():
    held_until("again")
"""


def has_held(journal: Path) -> bool:
    return any(isinstance(entry.record, Scored) and entry.record.held for entry in read_journal(journal))


def test_files_of_one_part_stay_when_another_part_is_void(mill: Mill) -> None:
    mill.inputs(["a", "b", "c", "d", "e"])
    mill.script(SCRIPT)
    mill.deployment("mini_batch_size: 4, output_action: summary_only, retry_settings: {max_retries: 1}")
    process = mill.start_run("--workers", "1")
    journal = mill.home / "jobs" / "j" / "journal.bin"
    until(lambda: has_held(journal), "the outcome of d is recorded, and does not count yet")
    process.kill()
    process.communicate()
    until(lambda: all(map(is_gone, mill.lines("pids"))), "the guard has ended the workers")
    (mill.root / "again").touch()

    assert mill.type("resume", "j").status == 0
    assert mill.output() == ["a", "b", "d", "e", "failures.jsonl"]
    assert mill.calls().count("a b") == 1
    assert mill.type("verify", "j").status == 0
