"""``gristmill rerun JOB --failed``: what failed is scored again and merged into the same output, whose bytes
are then those of a job in which nothing had failed (contract, 5.8 and 5.10).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from flow.mill import Ended, Mill, until

# Files that `bad` names fail, those that `lost` names have no result.
FAILING = """
def listed(file):
    return (HERE / file).read_text().split() if (HERE / file).exists() else []

def run(mini_batch):
    called(mini_batch)
    for name in names(mini_batch):
        if name in listed("bad"):
            raise ValueError("cannot read " + name)
    return results([path for path in mini_batch if os.path.basename(path) not in listed("lost")])
"""
LISTS = FAILING + "def results(paths): return [name + ' scored' for name in names(paths)]\n"
MIXED = (
    FAILING
    + """
def results(paths):
    rows = []
    for name in names(paths):
        group = int(name) // 5 % 3
        row = {"name": name, "text": 'a "b", c'} if group == 0 else {"text": "x\\ny", "size": int(name)}
        rows.append(dict(row, extra=group) if group == 2 else row)
    return rows
"""
)
FRAMES = (
    FAILING
    + """
import pandas as pd
def results(paths):
    return pd.DataFrame({"name": names(paths), "n": [float(name) for name in names(paths)], "t": 'say "hi"'})
"""
)
OWN_FILES = (
    FAILING
    + """
OUT = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
def results(paths):
    for name in names(paths):
        (OUT / f"group={int(name) % 3}").mkdir(exist_ok=True)
        (OUT / f"group={int(name) % 3}" / name).write_text(name)
        with open(OUT / "all.jsonl", "a") as file:
            file.write('{"name": "%s"}\\n' % name)
        with open(OUT / f"group={int(name) % 3}.csv", "a") as file:
            file.write(name + "\\n")
    return paths
"""
)
HEADED = (
    FAILING
    + """
OUT = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
def results(paths):
    is_new = not (OUT / "all.csv").exists()
    with open(OUT / "all.csv", "a") as file:
        if is_new:
            file.write("name\\n")
        file.write("".join(name + "\\n" for name in names(paths)))
    return paths
"""
)
BY_FIVES = "mini_batch_size: 5, retry_settings: {max_retries: 1}"
ALONE = "7 22 31"
#: Script, settings, further keys: every form of output that there is.
FORMS = {
    "azure lists": (LISTS, BY_FIVES, ""),
    "azure frames": (FRAMES, BY_FIVES, ""),
    "azure frames with a header": (FRAMES, BY_FIVES, "properties: {include_output_header: 'true'}"),
    "csv": (LISTS, BY_FIVES, "gristmill: {output_format: csv}"),
    "csv of frames": (FRAMES, BY_FIVES, "gristmill: {output_format: csv}"),
    "csv of mixed columns": (MIXED, BY_FIVES, "gristmill: {output_format: csv}"),
    "jsonl of mixed columns": (MIXED, BY_FIVES, "gristmill: {output_format: jsonl}"),
    "parquet of frames": (FRAMES, BY_FIVES, "gristmill: {output_format: parquet}"),
    "parquet of mixed columns": (MIXED, BY_FIVES, "gristmill: {output_format: parquet}"),
    "own files": (OWN_FILES, f"{BY_FIVES}, output_action: summary_only", ""),
    "own files with a shared header": (
        HEADED,
        f"{BY_FIVES}, output_action: summary_only, max_concurrency_per_instance: 2",
        "gristmill: {shared_header: true}",
    ),
}


def job_of(mill: Mill, script: str, settings: str = BY_FIVES, more: str = "", files: int = 40) -> Mill:
    mill.inputs([f"{number:02}" for number in range(files)])
    mill.script(script)
    mill.deployment(settings, more)
    return mill


def failing(mill: Mill, bad: str = "", lost: str = "") -> None:
    """Say which files fail from now on."""
    for file, text in (("bad", bad), ("lost", lost)):
        mill.write(file, " ".join(f"{int(number):02}" for number in text.split()))


def rerun(mill: Mill, *words: str) -> Ended:
    return mill.type("rerun", "j", "--failed", "--json", *words)


def outputs(mill: Mill, folder: str = "out") -> dict[str, bytes]:
    """Return every file of the output, without what names its own folder."""
    found = {}
    for name in mill.output(folder):
        path = mill.root / folder / name
        if path.is_file() or name.startswith("."):
            content = path.read_bytes() if path.is_file() else b"a folder"
            found[name] = content.replace(os.fsencode(mill.root / folder), b"OUT")
    return found


def clean(mill: Mill) -> dict[str, bytes]:
    """Return the output of a job in which nothing fails."""
    failing(mill)
    assert mill.run("--job-name", "clean", "--output-path", "clean").status == 0
    return outputs(mill, "clean")


def check_in_order(mill: Mill) -> None:
    found = mill.type("verify", "j")
    assert found.status == 0, found.out


@pytest.mark.parametrize("form", FORMS)
def test_output_is_that_of_a_job_in_which_nothing_had_failed(mill: Mill, form: str) -> None:
    job_of(mill, *FORMS[form])
    expected = clean(mill)
    failing(mill, bad=ALONE, lost="" if "own" in form else "12 13")
    first = mill.run()
    assert first.counts == (40, 37 if "own" in form else 35, 3 if "own" in form else 5, 0), first.err
    assert first.view["next_command"] == "gristmill rerun j --failed"
    failing(mill)

    ended = rerun(mill)

    assert ended.status == 0, ended.err
    assert ended.counts == (40, 40, 0, 0)
    assert outputs(mill) == expected
    check_in_order(mill)


@pytest.fixture
def failed(mill: Mill) -> Mill:
    """A completed job with two failed files, one of them alone in its mini-batch, and a short range."""
    job_of(mill, LISTS)
    failing(mill, bad="8 20 21 22 23 24", lost="31")
    assert mill.run().counts == (40, 33, 7, 0)
    return mill


def test_only_what_failed_is_run_again_and_short_ranges_as_a_whole(failed: Mill) -> None:
    before = len(failed.calls())
    failing(failed)

    rerun(failed)

    assert sorted(failed.calls()[before:]) == ["08", "20", "21", "22", "23", "24", "30 31 32 33 34"]


def test_what_fails_again_leaves_the_rows_as_they_were(mill: Mill) -> None:
    job_of(mill, LISTS)
    failing(mill, bad=ALONE)
    mill.run()
    before = mill.bytes()

    ended = rerun(mill, "--strict")

    assert ended.status == 4
    assert ended.counts == (40, 37, 3, 0)
    assert mill.bytes() == before
    assert [line["input"] for line in mill.failures()] == ["07", "22", "31"]
    check_in_order(mill)


def test_some_may_fail_again_and_be_rerun_again(failed: Mill) -> None:
    failing(failed, bad="21", lost="31")
    second = rerun(failed)
    assert second.counts == (40, 38, 2, 0)
    assert [line.get("input", "short") for line in failed.failures()] == ["21", "short"]
    failing(failed)

    third = rerun(failed)

    assert third.counts == (40, 40, 0, 0)
    assert outputs(failed) == clean(failed)
    check_in_order(failed)


def test_a_job_without_failures_is_left_alone(mill: Mill) -> None:
    job_of(mill, LISTS)
    mill.run()
    calls = len(mill.calls())

    ended = rerun(mill)

    assert ended.status == 0
    assert "nothing failed in job j: there is nothing to score again" in ended.err
    assert ended.counts == (40, 40, 0, 0)
    assert len(mill.calls()) == calls


def test_a_job_that_is_not_complete_is_resumed_and_not_rerun(mill: Mill) -> None:
    job_of(mill, LISTS, f"{BY_FIVES}, error_threshold: 0")
    failing(mill, bad="3")
    mill.run()

    ended = rerun(mill)

    assert ended.status == 2
    assert (
        "job j is Failed, and only what failed in a Completed job is rerun: gristmill resume j" in ended.err
    )


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda data: data.replace(b"07 scored", b"07 edited"), "the rows of mini-batch"),
        (lambda data: data + b"a line of mine\n", "bytes, and"),
        (lambda data: data[:100], "are not those that were published"),
    ],
    ids=["edited", "longer", "shorter"],
)
def test_an_output_that_was_edited_is_refused_and_left_alone(
    failed: Mill, edit: Callable[[bytes], bytes], said: str
) -> None:
    edited = edit(failed.bytes())
    (failed.root / "out/predictions.csv").write_bytes(edited)
    calls = len(failed.calls())

    ended = rerun(failed)

    assert ended.status == 2
    assert "has changed since it was published" in ended.err
    assert said in ended.err
    assert failed.bytes() == edited
    assert len(failed.calls()) == calls
    assert failed.show()["status"] == "Completed"


def test_an_output_that_is_gone_is_refused(failed: Mill) -> None:
    (failed.root / "out/predictions.csv").unlink()

    ended = rerun(failed)

    assert ended.status == 2
    assert "Put it back as it was, or score everything in a new job" in ended.err


# While it runs: `held` lets the script wait for a file.

HELD = (
    LISTS.replace("    return results(", "    held(mini_batch)\n    return results(")
    + """
def held(mini_batch):
    if (HERE / "hold").exists():
        (HERE / "held").touch()
        held_until("go on")
"""
)


@pytest.fixture
def under_way(mill: Mill):  # type: ignore[no-untyped-def]
    """A rerun whose script waits for the file `go on`."""
    job_of(mill, HELD)
    failing(mill, bad="3", lost="31")
    mill.run()
    failing(mill)
    before = outputs(mill)
    (mill.root / "hold").touch()
    process = mill.start("rerun", "j", "--failed", "--json")
    until((mill.root / "held").exists, "the first call of the rerun")
    yield mill, process, before
    process.kill()
    process.communicate()


def test_the_old_output_stands_while_a_rerun_is_under_way(under_way) -> None:  # type: ignore[no-untyped-def]
    mill, process, before = under_way
    shown = mill.show()
    assert (shown["status"], shown["target"]) == ("Running", str(mill.root / "out/predictions.csv"))
    assert {name: data for name, data in outputs(mill).items() if not name.startswith(".")} == before
    assert "is being worked on by process" in rerun(mill).err
    (mill.root / "go on").touch()
    assert process.wait() == 0


@pytest.mark.parametrize("command", [("resume", "j"), ("rerun", "j", "--failed")], ids=["resume", "rerun"])
def test_a_cancelled_rerun_leaves_the_old_output_and_goes_on(under_way, command) -> None:  # type: ignore[no-untyped-def]
    mill, process, before = under_way
    (mill.root / "hold").unlink()
    process.terminate()
    out, _ = process.communicate()
    view = json.loads(out)
    assert (process.returncode, view["status"]) == (3, "Canceled")
    assert "The output is as it was before the rerun" in view["message"]
    assert {name: data for name, data in outputs(mill).items() if not name.startswith(".")} == before
    check_in_order(mill)

    ended = mill.type(*command, "--json")

    assert ended.counts == (40, 40, 0, 0), ended.err
    assert outputs(mill) == clean(mill)
    check_in_order(mill)


def test_an_output_that_is_edited_meanwhile_is_not_replaced(under_way) -> None:  # type: ignore[no-untyped-def]
    mill, process, _ = under_way
    target = mill.root / "out/predictions.csv"
    published = target.read_bytes()
    target.write_bytes(published + b"a line of mine\n")
    (mill.root / "go on").touch()
    out, _ = process.communicate()
    assert json.loads(out)["status"] == "Failed"
    assert "has changed since it was published, and is not replaced" in json.loads(out)["message"]
    assert target.read_bytes() == published + b"a line of mine\n"

    refused = mill.type("resume", "j")
    assert "has changed since it was published" in refused.err
    target.write_bytes(published)

    assert mill.type("resume", "j", "--json").counts == (40, 40, 0, 0)
    assert outputs(mill) == clean(mill)


def test_a_threshold_that_stops_a_rerun_leaves_the_old_output(mill: Mill) -> None:
    job_of(mill, LISTS, f"{BY_FIVES}, error_threshold: 3", "gristmill: {isolate_failures: false}")
    failing(mill, lost="31 32")
    assert mill.run().counts == (40, 38, 2, 0)
    before = mill.bytes()
    failing(mill, bad="31")

    stopped = rerun(mill)

    assert (stopped.status, stopped.view["status"]) == (1, "Failed")
    assert stopped.view["message"].endswith("The output is as it was before the rerun")
    assert mill.bytes() == before
    failing(mill)
    assert mill.type("resume", "j", "--json").counts == (40, 40, 0, 0)
    assert outputs(mill) == clean(mill)


# Files that cannot be joined

ARCHIVED = (
    FAILING
    + """
import gzip
OUT = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
def results(paths):
    with open(OUT / "all.bin", "ab") as file:
        file.write(" ".join(names(paths)).encode())
    return paths
"""
)


def test_a_file_of_one_worker_that_is_not_made_of_lines_stays_as_it_is(mill: Mill) -> None:
    job_of(mill, ARCHIVED, f"{BY_FIVES}, output_action: summary_only")
    failing(mill, bad="2")
    mill.run()
    before = mill.bytes("out/all.bin")
    failing(mill)

    ended = mill.type("rerun", "j", "--failed")

    assert mill.bytes("out/all.bin") == before
    assert mill.bytes("out/all.bin.rerun") == b"02"
    assert "all.bin stays as it was: one worker wrote it" in ended.err
    check_in_order(mill)


def test_a_file_of_one_worker_that_stands_as_it_was_written_goes_on_in_that_order(mill: Mill) -> None:
    job_of(mill, OWN_FILES, f"{BY_FIVES}, output_action: summary_only", files=10)
    failing(mill, bad="2")
    mill.run()
    before = mill.bytes("out/all.jsonl")
    assert before.startswith(b'{"name": "05"}')  # the first mini-batch was taken apart meanwhile
    failing(mill)

    rerun(mill)

    assert mill.bytes("out/all.jsonl") == before + b'{"name": "02"}\n'
    check_in_order(mill)


def test_whole_files_of_a_short_range_are_replaced_and_what_is_not_written_again_goes(mill: Mill) -> None:
    job_of(
        mill,
        FAILING
        + """
OUT = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
def results(paths):
    for name in names(paths):
        (OUT / (name + ".txt")).write_text(str(len(paths)))
    (OUT / ("short " + names(paths)[0])).touch() if len(paths) == 4 else None
    return paths
""",
        f"{BY_FIVES}, output_action: summary_only",
    )
    failing(mill, lost="31")
    mill.run()
    assert "short 30" in mill.output()
    failing(mill)

    rerun(mill)

    assert outputs(mill) == clean(mill)
    check_in_order(mill)


def test_a_corrected_script_is_not_taken_unless_that_is_forced(mill: Mill) -> None:
    job_of(mill, LISTS)
    failing(mill, bad=ALONE)
    mill.run()
    mill.script(LISTS.replace("name + ' scored'", "'new ' + name"))
    failing(mill)

    ended = rerun(mill)

    assert "changed since the job was made; this job goes on with its own copy" in ended.err
    assert "gristmill rerun j --failed --force takes the new code" in ended.err
    assert ended.counts == (40, 40, 0, 0)
    assert b"new " not in mill.bytes()


def test_rows_of_a_corrected_script_stand_between_those_of_the_old_one(mill: Mill) -> None:
    job_of(mill, LISTS)
    failing(mill, bad=ALONE)
    mill.run()
    before = mill.bytes().splitlines()
    mill.script(LISTS.replace("name + ' scored'", "'new ' + name"))
    failing(mill)

    ended = rerun(mill, "--force")

    assert ended.counts == (40, 40, 0, 0), ended.err
    assert "the code is taken anew from" in ended.err
    after = mill.bytes().splitlines()
    assert [line for line in after if not line.startswith(b"new ")] == before
    assert [number for number, line in enumerate(after) if line.startswith(b"new ")] == [7, 22, 31]
    check_in_order(mill)


def test_a_job_whose_journal_is_damaged_is_left_alone(mill: Mill) -> None:
    job_of(mill, LISTS)
    failing(mill, bad=ALONE)
    mill.run()
    before = mill.bytes()
    journal = mill.home / "jobs" / "j" / "journal.bin"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)

    refused = mill.type("rerun", "j", "--failed")

    assert refused.status == 2
    assert "is damaged, so what it has published can no longer be told for certain" in refused.err
    assert (mill.bytes(), journal.read_bytes()) == (before, bytes(data))
