"""Files that vanish, shrink or have names that nobody expects: one bad file costs one file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flow.bad_input import ABC, READS, check_kept, check_refused, made
from flow.mill import Mill


def test_a_file_that_vanishes_after_the_listing_costs_itself(mill: Mill) -> None:
    vanishing = "(HERE / 'in/b').unlink(missing_ok=True)"
    made(mill, READS.replace("called(mini_batch)", vanishing))

    ended = mill.run()

    check_kept(mill, ended, ABC, failed=["b"])
    assert f"b: FileNotFoundError: [Errno 2] No such file or directory: '{mill.root}/in/b'" in ended.err


def test_a_file_that_is_truncated_while_it_is_read_costs_itself(mill: Mill) -> None:
    made(
        mill,
        """
import struct
def init(): pass
def run(mini_batch):
    with open(mini_batch[0], "rb", buffering=0) as file:
        head = file.read(4)
        if names(mini_batch) == ["file"]:
            os.truncate(mini_batch[0], 2)
        return [(head + struct.pack("4s", *struct.unpack("4s", file.read(4)))).decode().strip("\\0")]
""",
        files=["file", "more1234", "text5678"],
    )
    mill.inputs({"file": "file1234"})

    ended = mill.run()

    check_kept(mill, ended, ["file", "more1234", "text5678"], failed=["file"])
    assert "file: error: unpack requires a buffer of 4 bytes (score.py:" in ended.err


def test_a_memory_mapped_file_that_shrinks_costs_itself_and_is_named(mill: Mill) -> None:
    made(
        mill,
        """
import mmap
def init(): pass
def run(mini_batch):
    with open(mini_batch[0], "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        if names(mini_batch) == ["b"]:
            os.truncate(mini_batch[0], 0)
        return [bytes(mapped).decode()]
""",
    )

    ended = mill.run()

    check_kept(mill, ended, ABC, failed=["b"])
    assert "SIGBUS: a memory-mapped file shrank, or the disk is full" in ended.err


DASHES = ["-", "--", "--input", "-rf", "-x y"]


def test_files_whose_names_look_like_options_are_files(mill: Mill) -> None:
    made(mill, files=[*DASHES, "-fails"])
    mill.script(READS.replace("called(mini_batch)", "assert '-fails' not in names(mini_batch)"))

    ended = mill.run()

    check_kept(mill, ended, sorted([*DASHES, "-fails"]), failed=["-fails"])


@pytest.mark.parametrize(
    "odd",
    ["a b", "a\nb", "a'b\"c", "-dash", "--", "not-utf8-\udcff", "%20#,"],
    ids=["space", "newline", "quotes", "dash", "dashes", "bytes", "signs"],
)
def test_folders_script_and_model_may_have_any_name(mill: Mill, odd: str) -> None:
    mill.inputs(ABC, folder=f"{odd}in")
    mill.write(f"{odd}model/{odd}weights", "x")
    model = (
        "assert Path(os.environ['GRISTMILL_MODEL_PATH'], os.listdir(os.environ['GRISTMILL_MODEL_PATH'])[0])"
    )
    script = mill.script(
        READS.replace("def init(): pass", f"def init(): {model}.is_file()"), f"{odd}score.py"
    )
    home = {"GRISTMILL_HOME": str(mill.root / f"{odd}home")}
    words = [f"--input={odd}in", f"--output-path={odd}out", f"--model={odd}model", "--job-name=j", "--json"]

    ended = mill.type("run", *words, "--format=azure", "--", script.name, **home)

    assert ended.status == 0, ended.err
    assert ended.counts == (3, 3, 0, 0)
    assert mill.bytes(f"{odd}out/predictions.csv") == b"a\nb\nc\n"
    assert mill.type("verify", "j", **home).status == 0


def deep(folder: Path, size: int) -> str:
    """Make a file whose absolute path has so many bytes; return its path below the folder."""
    folder.mkdir(exist_ok=True)
    names, left = [], size - len(os.fsencode(folder)) - 1
    while left > 250:
        names.append("d" * 200)
        left -= 201
    here = os.open(folder, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("f" * left, os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, b"deep")
    os.close(file)
    os.close(here)
    return "/".join([*names, "f" * left])


def test_a_path_of_4000_bytes_is_scored(mill: Mill) -> None:
    made(mill)
    deep(mill.root / "in", 4000)

    ended = mill.run()

    assert (ended.status, ended.counts) == (0, (4, 4, 0, 0))
    assert mill.bytes() == b"a\nb\nc\ndeep\n"
    assert mill.type("verify", "j").status == 0


def test_a_path_of_4000_bytes_that_fails_is_listed_whole(mill: Mill) -> None:
    made(mill, READS.replace("called(mini_batch)", "assert len(mini_batch[0]) < 4000"))
    path = deep(mill.root / "in", 4000)

    ended = mill.run()

    check_kept(mill, ended, [*ABC, path], failed=[path])
    assert path in ended.err


def test_a_file_that_the_system_cannot_open_costs_itself(mill: Mill) -> None:
    made(mill)
    path = deep(mill.root / "in", 4096)

    ended = mill.run()

    check_kept(mill, ended, [*ABC, path], failed=[path])
    assert "OSError: [Errno 36] File name too long: " in ended.err


def test_a_folder_too_deep_to_be_listed_is_refused(mill: Mill) -> None:
    made(mill)
    deep(mill.root / "in", 4500)

    ended = mill.run()

    told = [
        f"the folder '{mill.root}/in/ddd",
        "cannot be listed: File name too long",
        "take it out of the input",
    ]
    check_refused(mill, ended, told)
