"""Disks that are full: nothing that was finished is lost, and a job goes on once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from doubles.wheels import wheel
from flow.bad_input import READS, check_kept, made
from flow.mill import Ended, Mill

SmallDisk = Callable[[str, str], Callable[[], None]]


@pytest.fixture
def small_disk(mill: Mill) -> Iterator[SmallDisk]:
    """Return a function that makes a folder a small disk, and returns one that makes room there."""
    mounted: list[Path] = []

    def mount(folder: str, size: str) -> Callable[[], None]:
        place = mill.root / folder
        place.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(place)

        def make_room() -> None:
            subprocess.run(["mount", "-o", "remount,size=200m", place], check=True)

        return make_room

    if shutil.which("mount") is None:
        pytest.skip("a small disk cannot be mounted here: there is no mount")
    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


FORTY = [f"{number:02d}" for number in range(40)]
LARGE_ROWS = """
def init(): pass
def run(mini_batch):
    called(mini_batch)
    return [name * 50_000 for name in names(mini_batch)]
"""


def resumed(mill: Mill, before: Ended) -> None:
    """Resume a job that ran out of room: what was finished is not called again; all is there in the end."""
    assert before.status == 1, before.err
    assert mill.type("verify", "j").status == 0
    total, succeeded, failed, _ = before.counts
    assert (total, failed) == (40, 0)
    calls = len(mill.calls())
    ended = mill.type("resume", "j")
    assert ended.status == 0, ended.err
    assert len(mill.calls()) - calls == 40 - succeeded
    assert mill.type("verify", "j").status == 0


@pytest.mark.parametrize(
    ("size", "scored"),
    [("2m", range(10, 21)), ("5m", [40])],
    ids=["while rows are kept", "while they are joined"],
)
def test_a_full_disk_below_the_output_loses_nothing(
    mill: Mill, small_disk: SmallDisk, size: str, scored: Sequence[int]
) -> None:
    make_room = small_disk("out", size)
    made(mill, LARGE_ROWS, FORTY)

    ended = mill.run()

    assert f"the disk of {mill.root}/out has " in ended.err
    assert "nothing that was finished is lost. Make room, then resume the job" in ended.err
    assert "go on with  gristmill resume j" in ended.err
    assert ended.counts[1] in scored
    assert not (mill.root / "out/predictions.csv").exists()
    make_room()
    resumed(mill, ended)
    assert mill.bytes() == b"".join(name.encode() * 50_000 + b"\n" for name in FORTY)


def test_a_full_disk_below_the_home_loses_nothing(mill: Mill, small_disk: SmallDisk) -> None:
    make_room = small_disk("home", "1m")
    made(mill, READS.replace("called(mini_batch)", "called(mini_batch)\n    print('x' * 100_000)"), FORTY)

    ended = mill.run()

    assert f"{mill.root}/home/jobs/j/" in ended.err
    assert "cannot be written: No space left on device; make room, then resume the job" in ended.err
    make_room()
    resumed(mill, ended)
    assert mill.bytes() == b"".join(name.encode() + b"\n" for name in FORTY)


def test_a_home_that_has_no_room_for_the_workers_starts_nothing(mill: Mill, small_disk: SmallDisk) -> None:
    small_disk("home", "80k")
    made(mill)

    ended = mill.run()

    assert ended.status == 2
    assert f"the home {mill.root}/home cannot be used: No space left on device" in ended.err
    assert "make room" in ended.err
    assert mill.jobs() == []


def test_a_home_without_any_room_starts_nothing_and_says_so(mill: Mill, small_disk: SmallDisk) -> None:
    small_disk("home", "8k")
    made(mill)

    ended = mill.run()

    assert f"{mill.root}/home" in ended.err
    assert "No space left on device" in ended.err
    assert mill.calls() == []
    assert ("resume" in ended.err) == (mill.jobs() == ["j"])


def test_a_full_disk_below_an_environment_leaves_nothing_of_it(mill: Mill, small_disk: SmallDisk) -> None:
    make_room = small_disk("home", "1m")
    wheel(mill.root / "wheels", "large", "1.0", data=os.urandom(2_000_000))
    conda = "{dependencies: [python>=3.8, pip: [--no-index, --find-links wheels, large]]}"
    mill.variables["UV_CACHE_DIR"] = str(mill.root / "uv-cache")
    made(mill, more=f"environment: {{name: large, conda_file: {conda}}}")

    ended = mill.run()

    assert ended.status == 2
    assert f"the disk is full: make room in {mill.root}/home/environments, or set GRISTMILL_HOME" in ended.err
    assert "No space left on device" in ended.err
    assert list((mill.root / "home/environments").iterdir()) == []
    make_room()
    assert mill.run().status == 0


def test_a_full_disk_below_a_scripts_own_files_costs_what_did_not_fit(
    mill: Mill, small_disk: SmallDisk
) -> None:
    small_disk("out", "2m")
    own = "(Path(os.environ['AZUREML_BI_OUTPUT_PATH']) / names(mini_batch)[0]).write_bytes(b'x' * 100_000)"
    made(mill, f"def init(): pass\ndef run(mini_batch):\n    {own}\n    return mini_batch\n", FORTY)

    ended = mill.run("--output-action", "summary_only")

    total, succeeded, failed, _ = ended.counts
    assert (ended.status, total, succeeded + failed) == (0, 40, 40)
    assert 0 < succeeded < 40
    assert "OSError: [Errno 28] No space left on device" in ended.err
    failed_names = [entry["input"] for entry in mill.failures()]
    whole = [name for name in mill.output() if name != "failures.jsonl"]
    assert sorted([*failed_names, *whole]) == FORTY
    assert {(mill.root / "out" / name).stat().st_size for name in whole} == {100_000}
    assert mill.type("verify", "j").status == 0


APPENDS = """
def init(): pass
def run(mini_batch):
    with open(Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / "all.txt", "a") as file:
        for name in names(mini_batch):
            file.write(name * 50_000 + "\\n")
    return mini_batch
"""


def test_what_scripts_append_is_whole_and_in_order_once_there_is_room(
    mill: Mill, small_disk: SmallDisk
) -> None:
    make_room = small_disk("out", "2m")
    made(mill, APPENDS, FORTY)

    ended = mill.run("--output-action", "summary_only")

    assert (ended.status, ended.view["status"]) == (1, "Failed")
    assert "nothing that was finished is lost. Make room, then resume the job" in ended.err
    assert not (mill.root / "out/all.txt").exists()
    make_room()
    assert mill.type("resume", "j").status == 0
    assert mill.bytes("out/all.txt") == b"".join(name.encode() * 50_000 + b"\n" for name in FORTY)
    assert mill.type("verify", "j").status == 0


def test_a_list_of_failures_that_does_not_fit_is_written_once_there_is_room(
    mill: Mill, small_disk: SmallDisk
) -> None:
    make_room = small_disk("out", "60k")
    failing = "if names(mini_batch) != ['00']: raise ValueError('x' * 1900)"
    made(mill, READS.replace("called(mini_batch)", failing), FORTY)

    ended = mill.run()

    assert (ended.status, ended.counts) == (1, (40, 1, 39, 0))
    assert f"{mill.root}/out/failures.jsonl cannot be written: No space left" in ended.err
    assert "make room, then resume the job" in ended.err
    make_room()
    check_kept(mill, mill.type("resume", "j", "--json"), FORTY, failed=FORTY[1:])


def test_a_full_temporary_disk_costs_what_did_not_fit(mill: Mill, small_disk: SmallDisk) -> None:
    small_disk("tmp", "1m")
    made(
        mill,
        READS.replace("called(mini_batch)", "open(names(mini_batch)[0], 'wb').write(b'x' * 100_000)"),
        FORTY,
    )

    ended = mill.run(TMPDIR=str(mill.root / "tmp"))

    failed = [entry["input"] for entry in mill.failures()]
    assert 0 < len(failed) < 40
    check_kept(mill, ended, FORTY, failed=failed)
    assert "OSError: [Errno 28] No space left on device" in ended.err
