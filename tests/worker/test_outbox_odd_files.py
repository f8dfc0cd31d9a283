"""What scripts do with their files that an outbox once got wrong; each of these was a defect."""

from __future__ import annotations

import bz2
import gzip
import lzma
from typing import Any

import pytest

from worker.stage import APPEND, FAILS, WRITE, Stage, Taken, joined

KEPT = 'file = open(OUT + "/all", "w")'


def is_taken(one: Taken, name: str, text: str) -> bool:
    """Say whether a try's file is taken with this content, whole or from the beginning of a piece."""
    return one.whole.get(name) == text or (one.pieces.get(name), one.starts.get(name)) == (text, 0)


# Lost or mixed up without a word


@pytest.mark.parametrize(
    "opening",
    [
        'os.fdopen(os.open(OUT + "/all", os.O_WRONLY | os.O_CREAT), "w")',
        'open(OUT + "/all", "w", opener=lambda path, flags: os.open(path, flags))',
    ],
)
def test_a_buffered_file_over_os_open_is_flushed(own_stage: Stage, opening: str) -> None:
    """`pathlib.Path.open` before Python 3.10 opens like this."""
    one, two, last = own_stage.play(
        "file.write('1')", "file.write('2')", init=f"file = {opening}", last="pass"
    )
    assert [one.pieces, two.pieces, last.pieces] == [{"all": "1"}, {"all": "2"}, {}]


@pytest.mark.parametrize(("module", "unpacked"), [("bz2", bz2.decompress), ("lzma", lzma.decompress)])
def test_a_packed_file_that_is_not_closed_is_held_and_whole_at_the_end(
    own_stage: Stage, module: str, unpacked: Any
) -> None:
    """Their `flush` does nothing, so nobody knows what they keep back."""
    init = f'import {module}\nfile = {module}.open(OUT + "/all", "wt")'
    one, last = own_stage.play("file.write('1')", init=init, last="pass")
    assert one.held
    assert unpacked((last.whole.get("all") or joined([one, last], "all")).encode("latin-1")) == b"1"


def test_a_gzip_file_that_only_the_end_of_the_interpreter_closes_is_whole(own_stage: Stage) -> None:
    init = 'import gzip\nfile = gzip.open(OUT + "/all", "wt")'
    one, last = own_stage.play("file.write('1')", init=init, last="pass")
    assert one.held
    assert gzip.decompress(last.whole["all"].encode("latin-1")) == b"1"


def test_a_file_that_the_script_removed_and_appends_to_again_begins_anew(own_stage: Stage) -> None:
    again = "os.unlink(OUT + '/all.txt')\n" + APPEND.format("a longer second one\n")
    _, two = own_stage.play(APPEND.format("first\n"), again)
    assert is_taken(two, "all.txt", "a longer second one\n")


def test_a_file_that_a_try_removed_is_appended_to_by_a_later_one(own_stage: Stage) -> None:
    *_, three = own_stage.play(APPEND.format("first\n"), "os.unlink(OUT + '/all.txt')", APPEND.format("2\n"))
    assert (three.pieces, three.whole) == ({"all.txt": "2\n"}, {})


def test_a_log_that_is_rotated_loses_nothing(own_stage: Stage) -> None:
    rotated = "os.rename(OUT + '/all.txt', OUT + '/all.1')\n" + APPEND.format("second\n")
    _, two = own_stage.play(APPEND.format("first\n"), rotated)
    assert is_taken(two, "all.txt", "second\n")


def test_a_file_opened_anew_by_each_try_and_left_open_is_whole(own_stage: Stage) -> None:
    code = 'file = open(OUT + "/latest", "w"); file.write("{}")'
    _, two = own_stage.play(code.format("first"), code.format("second, longer"))
    assert two.held or two.whole == {"latest": "second, longer"}


@pytest.mark.parametrize("text", ["second, longer", "secon"])
def test_a_file_rewritten_through_its_open_handle_is_whole(own_stage: Stage, text: str) -> None:
    code = 'file.seek(0); file.write("{}"); file.truncate()'
    _, two = own_stage.play(code.format("first"), code.format(text), init=KEPT)
    assert two.held or two.whole == {"all": text}


def test_a_file_cut_through_its_open_handle_loses_nothing_that_comes_later(own_stage: Stage) -> None:
    tries = [
        "file.write('0123456789')",
        "file.seek(0); file.truncate(); file.write('abc')",
        "file.write('d' * 9)",
    ]
    *_, three = own_stage.play(*tries, init=KEPT)
    assert three.held or three.whole == {"all": "abcddddddddd"} or three.pieces == {"all": "d" * 9}


def test_a_file_appended_to_and_then_written_anew_in_one_try_is_whole(own_stage: Stage) -> None:
    _, two = own_stage.play(
        APPEND.format("first\n"), APPEND.format("x") + WRITE.format("all.txt", "much longer\n")
    )
    assert two.whole == {"all.txt": "much longer\n"}


def test_an_appended_file_that_another_is_renamed_to_is_whole(own_stage: Stage) -> None:
    replaced = WRITE.format("tmp", "much longer\n") + "os.replace(OUT + '/tmp', OUT + '/all.txt')"
    _, two = own_stage.play(APPEND.format("first\n"), replaced)
    assert two.whole == {"all.txt": "much longer\n"}


def test_what_a_library_never_gave_up_does_not_count_at_the_end(own_stage: Stage) -> None:
    init = """
    import ctypes
    c = ctypes.CDLL(None)
    c.fopen.restype = ctypes.c_void_p
    base = ctypes.c_void_p(c.fopen((OUT + "/all").encode(), b"w"))
    """
    _, last = own_stage.play("c.fputs(b'1', base)", init=init, last="pass")
    assert last.held or last.whole == {"all": "1"}


# In two files that should be one


def test_a_header_that_init_writes_stands_above_what_run_appends(own_stage: Stage) -> None:
    """``open(p, "w")`` in `init`, ``open(p, "a")`` in `run`: with one worker, that works elsewhere."""
    init = WRITE.format("all.txt", "head\n")
    taken = own_stage.play(APPEND.format("1\n"), APPEND.format("2\n"), init=init)
    assert joined(taken, "all.txt") == "head\n1\n2\n"


@pytest.mark.parametrize(
    "code",
    [
        "with open('here/all', 'a') as file: file.write('x')",
        """
        folder = os.open(OUT, os.O_RDONLY)
        file = os.open("all", os.O_WRONLY | os.O_APPEND | os.O_CREAT, dir_fd=folder)
        os.write(file, b"x")
        os.close(file)
        os.close(folder)
        """,
    ],
)
def test_a_file_is_appended_to_whatever_way_leads_to_it(own_stage: Stage, code: str) -> None:
    taken = own_stage.play(code, code, init="os.symlink(OUT, 'here')")
    assert joined(taken, "all") == "xx"


# The worker dies, or is replaced without need


@pytest.mark.parametrize("init", ["", "os.rmdir(OUT)"])
def test_a_script_that_removes_the_folder_and_fails_does_not_kill_the_worker(
    own_stage: Stage, init: str
) -> None:
    code = "import shutil\nshutil.rmtree(OUT, ignore_errors=True)\n"
    one, two = own_stage.play(
        code + FAILS, "os.makedirs(OUT, exist_ok=True)\n" + WRITE.format("a", "a"), init=init
    )
    assert (one.leaving, two.whole) == ([], {"a": "a"})


def test_many_appended_files_of_which_some_were_removed_do_not_kill_the_worker(own_stage: Stage) -> None:
    code = "for number in range({}, {}): open(OUT + '/%03d' % number, 'a').close()"
    gone = "for number in range(0, 200): os.unlink(OUT + '/%03d' % number)\n"
    taken = own_stage.play(code.format(0, 200), gone + code.format(200, 400), "pass")
    assert len(taken) == 3


def test_a_stream_of_the_script_s_own_whose_fileno_fails_does_not_kill_the_worker(own_stage: Stage) -> None:
    init = """
    import io
    class Tee(io.TextIOBase):
        def fileno(self): raise NotImplementedError
    tee = Tee()
    """
    (one,) = own_stage.play(KEPT + "; file.write('1')", init=init)
    assert one.pieces == {"all": "1"}


def test_a_text_layer_that_is_taken_off_does_not_kill_the_worker(own_stage: Stage) -> None:
    tries = ["file.write('1')", "file.flush(); raw = file.detach(); raw.write(b'2')"]
    _, two = own_stage.play(*tries, init=KEPT)
    assert two.pieces == {"all": "2"}


def test_a_python_file_under_the_number_of_a_library_s_is_not_held(own_stage: Stage) -> None:
    init = """
    import ctypes
    c = ctypes.CDLL(None)
    number = c.open((OUT + "/all").encode(), os.O_WRONLY | os.O_CREAT, 0o666)
    """
    reopened = (
        "c.close(number)\nfile = open(OUT + '/all', 'a'); file.write('2')\nassert file.fileno() == number"
    )
    one, two = own_stage.play("pass", reopened, init=init)
    assert (one.held, two.held) == (True, False)


def test_an_open_file_without_a_name_costs_no_worker(own_stage: Stage) -> None:
    """As `tempfile.TemporaryFile` makes it: nothing of it can come to the output."""
    code = "file = open(OUT + '/a', 'w'); os.unlink(OUT + '/a')\n"
    (one,) = own_stage.play(code + FAILS)
    assert one.leaving == []
