"""What an outbox takes of a script's own files, played by every Python of this machine."""

from __future__ import annotations

import os

import pytest

from worker.stage import APPEND, FAILS, WRITE, Stage, dedented, joined

# Whole files


def test_a_whole_file_is_set_aside_under_its_mini_batch(stage: Stage) -> None:
    one, two = stage.play(WRITE.format("a.txt", "a"), WRITE.format("b.txt", "b"))
    assert (one.whole, one.pieces, one.there) == ({"a.txt": "a"}, {}, [])
    assert (two.whole, two.pieces, two.there) == ({"b.txt": "b"}, {}, [])


def test_a_file_in_a_folder_is_set_aside_in_that_folder_which_stays(stage: Stage) -> None:
    (one,) = stage.play(
        """
        os.makedirs(OUT + "/date=1/hour=2")
        open(OUT + "/date=1/hour=2/a.txt", "w").close()
        """
    )
    assert one.whole == {"date=1/hour=2/a.txt": ""}
    assert one.there == ["date=1/", "date=1/hour=2/"]


def test_nothing_written_is_nothing_touched(stage: Stage) -> None:
    taken = stage.play("pass", "pass", WRITE.format("a.txt", "a"), "pass", last="pass")
    assert [one.touched for one in taken[:2]] == [False, False]
    assert [one.whole for one in taken] == [{}, {}, {"a.txt": "a"}, {}, {}]


def test_a_file_that_another_program_writes_is_whole(stage: Stage) -> None:
    one, two = stage.play(
        *["import subprocess; subprocess.check_call(['sh', '-c', 'echo x > \"$0\"/a', OUT])"] * 2
    )
    assert [one.whole, two.whole] == [{"a": "x\n"}] * 2


def test_a_file_opened_to_be_written_and_then_to_be_appended_to_is_whole(stage: Stage) -> None:
    (one,) = stage.play(WRITE.format("all.txt", "head\n") + APPEND.format("row\n"))
    assert (one.whole, one.pieces) == ({"all.txt": "head\nrow\n"}, {})


def test_a_file_that_was_appended_to_and_is_written_again_is_whole(stage: Stage) -> None:
    first, second, third = stage.play(
        APPEND.format("one\n"), WRITE.format("all.txt", "and two, longer\n"), APPEND.format("three\n")
    )
    assert (first.whole, first.pieces) == ({}, {"all.txt": "one\n"})
    assert (second.whole, second.pieces) == ({"all.txt": "and two, longer\n"}, {})
    assert (third.whole, third.pieces, third.starts) == ({}, {"all.txt": "three\n"}, {"all.txt": 0})


def test_a_file_renamed_to_its_name_is_whole(stage: Stage) -> None:
    (one,) = stage.play(WRITE.format("a.tmp", "a") + "os.replace(OUT + '/a.tmp', OUT + '/a')")
    assert (one.whole, one.there) == ({"a": "a"}, [])


def test_links_fifos_and_sockets_are_set_aside_as_they_are(stage: Stage) -> None:
    (one,) = stage.play(
        """
        import socket
        os.symlink("nowhere", OUT + "/link")
        os.mkdir(OUT + "/folder")
        os.symlink("folder", OUT + "/to-folder")
        os.mkfifo(OUT + "/fifo")
        os.chdir(OUT)
        socket.socket(socket.AF_UNIX).bind("socket")
        """
    )
    assert one.whole == {
        "link": "link to nowhere", "to-folder": "link to folder", "fifo": "FIFO", "socket": "socket",
    }  # fmt: skip


def test_names_that_are_not_utf_8_or_have_line_breaks_are_taken(stage: Stage) -> None:
    one, two = stage.play(
        *["""
        open(os.path.join(os.fsencode(OUT), b"\\xff\\n.txt"), "w").close()
        with open(os.path.join(os.fsencode(OUT), b"\\xfe\\nall"), "ab") as file:
            file.write(b"x")
        """] * 2
    )  # fmt: skip
    names = os.fsdecode(b"\xff\n.txt"), os.fsdecode(b"\xfe\nall")
    assert [one.whole, two.whole] == [{names[0]: ""}] * 2
    assert [one.pieces, two.pieces] == [{names[1]: "x"}] * 2


# Appended files


@pytest.mark.parametrize(
    "appending",
    [
        'with open(OUT + "/all", "a") as file: file.write("{}\\n")',
        'with open(OUT + "/all", "ab") as file: file.write(b"{}\\n")',
        'with open(os.fsencode(OUT) + b"/all", "a+") as file: file.write("{}\\n")',
        'import pathlib\nwith pathlib.Path(OUT, "all").open("a") as file: file.write("{}\\n")',
        """
        file = os.open(OUT + "/all", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(file, b"{}\\n")
        os.close(file)
        """,
        """
        os.chdir(OUT)
        with open("all", "a") as file: file.write("{}\\n")
        """,
        """
        os.makedirs(OUT + "/sub", exist_ok=True)
        os.chdir(OUT + "/sub")
        with open("../sub/./../all", "a") as file: file.write("{}\\n")
        """,
        """
        import logging
        handler = logging.FileHandler(OUT + "/all")
        handler.emit(logging.makeLogRecord({{"msg": "{}"}}))
        handler.close()
        """,
        """
        import io
        file = io.TextIOWrapper(io.BufferedWriter(io.FileIO(OUT + "/all", "a")))
        file.write("{}\\n")
        file.close()
        """,
        """
        class Odd:
            def __fspath__(self): return OUT + "/all"
        with open(Odd(), "a") as file: file.write("{}\\n")
        """,
    ],
)
@pytest.mark.parametrize("via_link", [False, True])
def test_what_a_try_appends_is_its_piece(stage: Stage, appending: str, via_link: bool) -> None:
    tries = [dedented(appending).format(number) for number in range(3)]
    taken = stage.play(*tries, via_link=via_link)
    assert [one.pieces for one in taken] == [{"all": "0\n"}, {"all": "1\n"}, {"all": "2\n"}]
    assert [one.starts["all"] for one in taken] == [0, 2, 4]
    assert [one.whole for one in taken] == [{}] * 3


def test_a_path_by_way_of_the_real_folder_is_the_same_file(stage: Stage) -> None:
    tries = [
        'with open(os.path.realpath(OUT) + "/all.txt", "a") as file: file.write("x")',
        APPEND.format("y"),
    ]
    assert joined(stage.play(*tries, via_link=True), "all.txt") == "xy"


def test_frames_that_are_appended_are_pieces(own_stage: Stage) -> None:
    pytest.importorskip("pandas")
    frame = """
    import pandas as pd
    p = OUT + "/all.csv"
    pd.DataFrame({{"a": [{}]}}).to_csv(p, mode="a", header=not os.path.exists(p), index=False)
    """
    taken = own_stage.play(*(dedented(frame).format(number) for number in range(3)))
    assert [one.pieces for one in taken] == [{"all.csv": "a\n0\n"}, {"all.csv": "1\n"}, {"all.csv": "2\n"}]


def test_several_files_are_taken_side_by_side(stage: Stage) -> None:
    (one,) = stage.play(APPEND.format("all") + WRITE.format("b", "b") + WRITE.format("a", "a"))
    assert (one.pieces, one.whole) == ({"all.txt": "all"}, {"a": "a", "b": "b"})


def test_a_file_opened_for_appending_and_left_empty_is_an_empty_piece_and_stays(stage: Stage) -> None:
    one, two = stage.play(APPEND.format(""), APPEND.format("x"))
    assert (one.pieces, one.whole, one.there) == ({"all.txt": ""}, {}, ["all.txt"])
    assert two.pieces == {"all.txt": "x"}


def test_of_many_appended_files_the_oldest_are_let_go_and_each_row_is_there_once(stage: Stage) -> None:
    wave = """
    for number in range({}, {}):
        with open(OUT + "/%03d" % number, "a") as file:
            file.write("{} ")
    """
    waves = [(0, 200, "a"), (150, 300, "b"), (0, 300, "c"), (290, 300, "d")]
    taken = stage.play(*(dedented(wave).format(*one) for one in waves))
    for number in range(300):
        wanted = "".join(f"{word} " for first, end, word in waves if first <= number < end)
        assert joined(taken, f"{number:03}") == wanted
    assert [one.whole for one in taken] == [{}] * 4
    assert [len(one.there) for one in taken] == [200, 300, 300, 150]


# Failed tries


def test_a_failed_try_leaves_no_file(stage: Stage) -> None:
    one, two = stage.play(
        WRITE.format("a", "a") + "os.makedirs(OUT + '/x/y'); open(OUT + '/x/y/z', 'w').close()\n" + FAILS,
        "pass",
    )
    assert (one.there, one.leaving) == (["x/", "x/y/"], [])
    assert (two.whole, two.pieces) == ({}, {})


def test_what_a_failed_try_appended_is_cut_off(stage: Stage) -> None:
    taken = stage.play(APPEND.format("one "), APPEND.format("no ") + FAILS, APPEND.format("two "))
    assert [one.pieces for one in taken] == [{"all.txt": "one "}, {}, {"all.txt": "two "}]


def test_a_failed_try_that_wrote_an_appended_file_anew_leaves_none_of_it(stage: Stage) -> None:
    taken = stage.play(
        APPEND.format("one "), WRITE.format("all.txt", "not this ") + FAILS, APPEND.format("two ")
    )
    assert joined(taken, "all.txt") == "one two "
    assert [one.whole for one in taken] == [{}] * 3


def test_a_failed_try_that_cut_an_appended_file_leaves_none_of_it(stage: Stage) -> None:
    taken = stage.play(
        APPEND.format("one "), "os.truncate(OUT + '/all.txt', 1)\n" + FAILS, APPEND.format("two ")
    )
    assert joined(taken, "all.txt") == "one two "


def test_files_of_init_survive_a_failed_first_try(stage: Stage) -> None:
    init = APPEND.format("head\n") + WRITE.format("model.txt", "m")
    taken = stage.play(
        APPEND.format("no\n") + FAILS, APPEND.format("yes\n"), APPEND.format("more\n"), init=init
    )
    assert taken[0].there == ["all.txt", "model.txt"]
    assert [one.pieces for one in taken[1:]] == [{"all.txt": "head\nyes\n"}, {"all.txt": "more\n"}]
    assert [one.whole for one in taken[1:]] == [{"model.txt": "m"}, {}]


def test_a_folder_that_the_script_made_stays_whatever_comes(stage: Stage) -> None:
    """Scripts remember which folders they have made."""
    many = "for number in range(300): os.makedirs(OUT + '/many/%d' % number)\n"
    failed, _, third = stage.play(
        many + FAILS, "pass", WRITE.format("many/7/a", "a"), init="os.makedirs(OUT + '/kept/deep')"
    )
    assert {"kept/", "kept/deep/", "many/7/", "many/299/"} <= set(failed.there)
    assert third.whole == {"many/7/a": "a"}
    assert len(third.there) == 303


def test_a_failed_try_that_leaves_a_file_open_costs_the_worker(stage: Stage) -> None:
    one, two = stage.play("pass", 'file = open(OUT + "/a", "w")\n' + FAILS, "pass")
    assert (one.leaving, two.leaving) == ([], ["a"])


def test_a_failed_try_after_one_that_kept_a_file_open_costs_the_worker_and_no_piece(stage: Stage) -> None:
    one, two = stage.play(
        "file.write('yes')", "file.write('no')\n" + FAILS, init='file = open(OUT + "/a", "w")'
    )
    assert one.pieces == {"a": "yes"}
    assert two.leaving == ["a"]


def test_a_failed_first_try_leaves_no_gap_and_the_next_is_like_the_first(stage: Stage) -> None:
    taken = stage.play(APPEND.format("no") + FAILS, APPEND.format("yes"))
    assert (taken[1].pieces, taken[1].starts) == ({"all.txt": "yes"}, {"all.txt": 0})


# What scripts do to the folder


def test_a_folder_that_the_script_removed_is_made_again(stage: Stage) -> None:
    one, two = stage.play("os.rmdir(OUT)", "open(OUT + '/a', 'w').close()")
    assert (one.whole, two.whole) == ({}, {"a": ""})


def test_a_file_that_the_script_removes_again_is_not_there(stage: Stage) -> None:
    one, two = stage.play(WRITE.format("a", "a") + "os.unlink(OUT + '/a')", "pass")
    assert [one.whole, two.whole, one.there] == [{}, {}, []]


# Children


def test_what_a_forked_child_appends_is_a_piece(stage: Stage) -> None:
    code = """
    child = os.fork()
    if not child:
        with open(OUT + "/all", "a") as file:
            file.write("{} ")
        os._exit(0)
    os.waitpid(child, 0)
    """
    taken = stage.play(*(dedented(code).format(number) for number in range(3)))
    assert [one.pieces for one in taken] == [{"all": "0 "}, {"all": "1 "}, {"all": "2 "}]


def test_what_processes_of_multiprocessing_append_is_a_piece(stage: Stage) -> None:
    init = """
    import multiprocessing
    def add(word):
        with open(OUT + "/all", "a") as file:
            file.write(word + " ")
    """
    code = """
    child = multiprocessing.get_context("fork").Process(target=add, args=("{}",))
    child.start()
    child.join()
    """
    taken = stage.play(*(dedented(code).format(number) for number in range(2)), init=init)
    assert [one.pieces for one in taken] == [{"all": "0 "}, {"all": "1 "}]


def test_what_a_forked_child_of_a_failed_try_appends_is_cut_off(stage: Stage) -> None:
    code = """
    child = os.fork()
    if not child:
        with open(OUT + "/all", "a") as file:
            file.write("{} ")
        os._exit(0)
    os.waitpid(child, 0)
    """
    child = dedented(code)
    taken = stage.play(child.format("one"), child.format("no") + FAILS, child.format("two"))
    assert [one.pieces for one in taken] == [{"all": "one "}, {}, {"all": "two "}]


# The hook


def test_strange_ways_to_open_are_the_script_s_own_affair(stage: Stage) -> None:
    (one,) = stage.play(
        """
        class Bad:
            def __fspath__(self): raise RuntimeError("no")
        class Worse:
            def __fspath__(self): return 7
        errors = []
        for path in (123456, Bad(), Worse(), None, 1.5, "a\\0b", OUT, b"\\xff" * 5000):
            try:
                open(path, "w")
            except Exception as error:
                errors.append(type(error).__name__)
        file = os.open(OUT, os.O_RDONLY)
        os.close(os.open("by-folder", os.O_WRONLY | os.O_CREAT, dir_fd=file))
        os.close(file)
        home = os.getcwd()
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
        try:
            open("nowhere", "w")
        except FileNotFoundError:
            errors.append("gone")
        os.chdir(home)
        import sys
        sys.audit("open")
        sys.audit("open", 1, 2)
        sys.audit("open", None, None, None)
        sys.audit("open", OUT, None, "flags")
        with open(OUT + "/errors", "w") as file:
            file.write(" ".join(errors))
        """
    )
    assert one.whole == {
        "by-folder": "",
        "errors": "OSError RuntimeError TypeError TypeError TypeError ValueError IsADirectoryError OSError "
        "gone",
    }


def test_files_elsewhere_are_nobody_s_business(stage: Stage) -> None:
    (one,) = stage.play(
        """
        for path in (OUT + "-beside", os.path.dirname(OUT) + "/other", "here"):
            with open(path, "a") as file:
                file.write("x")
        """
    )
    assert (one.touched, one.whole, one.pieces) == (False, {}, {})


# A change within the kernel's tick


def test_a_file_made_in_the_tick_of_the_last_look_is_seen_though_run_took_long(own_stage: Stage) -> None:
    """Most kernels stamp with a clock of 1 to 10 ms: a change right after a look leaves the same mtime."""
    init = """
    import types
    import gristmill_worker.outbox as module
    now = [10 ** 18]
    module.time = types.SimpleNamespace(time_ns=lambda: now[0])
    real = os.stat
    def stat(path, **more):
        found = real(path, **more)
        stamp = types.SimpleNamespace(st_mode=found.st_mode, st_mtime_ns=10 ** 18 - 1000000)
        return stamp if path == OUT else found
    os.stat = stat
    """
    second = "import subprocess; now[0] += 10 ** 9; subprocess.check_call(['touch', OUT + '/second'])"
    _, two, three = own_stage.play("pass", "pass", second, init=init)
    assert (two.touched, three.touched, three.whole) == (False, True, {"second": ""})
