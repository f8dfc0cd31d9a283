"""What an outbox takes of files that are kept open, played by every Python of this machine."""

from __future__ import annotations

import gzip

import pytest

from worker.stage import APPEND, FAILS, WRITE, Stage

# Files kept open


@pytest.mark.parametrize(
    ("opening", "writing"),
    [
        ('open(OUT + "/all", "w")', 'file.write("{}\\n")'),
        ('open(OUT + "/all", "wb")', 'file.write(b"{}\\n")'),
        ('open(OUT + "/all", "wb", buffering=0)', 'file.write(b"{}\\n")'),
        ('open(OUT + "/all", "a")', 'file.write("{}\\n")'),
        ('open(OUT + "/all", "w+")', 'file.write("{}\\n")'),
        ('__import__("pathlib").Path(OUT, "all").open("w")', 'file.write("{}\\n")'),
        ('__import__("codecs").open(OUT + "/all", "w", "utf-8")', 'file.write("{}\\n")'),
        ('os.open(OUT + "/all", os.O_WRONLY | os.O_CREAT)', 'os.write(file, b"{}\\n")'),
    ],
)
def test_the_growth_of_a_file_kept_open_is_the_piece_of_its_try(
    stage: Stage, opening: str, writing: str
) -> None:
    tries = [writing.format(number) for number in range(3)]
    *taken, last = stage.play(*tries, init=f"file = {opening}", last="pass")
    assert [one.pieces for one in taken] == [{"all": "0\n"}, {"all": "1\n"}, {"all": "2\n"}]
    assert [one.held for one in taken] == [False] * 3
    assert (last.pieces, last.whole) == ({}, {})


def test_a_handler_of_logging_that_is_kept_open_is_flushed(stage: Stage) -> None:
    init = """
    import logging
    handler = logging.FileHandler(OUT + "/scores.log")
    log = logging.getLogger("scores")
    log.addHandler(handler)
    """
    one, two = stage.play("log.warning('one')", "log.warning('two')", init=init)
    assert [one.pieces, two.pieces] == [{"scores.log": "one\n"}, {"scores.log": "two\n"}]


def test_a_gzip_file_that_is_kept_open_is_whole_once_it_is_closed(stage: Stage) -> None:
    init = 'import gzip\nfile = gzip.open(OUT + "/all.gz", "wt")'
    taken = stage.play("file.write('one\\n')", "file.write('two\\n')", init=init, last="file.close()")
    assert [one.held for one in taken] == [True, True, False]
    assert gzip.decompress(taken[-1].whole["all.gz"].encode("latin-1")) == b"one\ntwo\n"


def test_a_csv_writer_over_a_file_kept_open_is_taken_row_by_row(stage: Stage) -> None:
    init = 'import csv\nfile = open(OUT + "/all.csv", "w", newline="")\nrows = csv.writer(file)'
    one, two = stage.play("rows.writerow([1, 'a'])", "rows.writerow([2, 'b'])", init=init)
    assert [one.pieces, two.pieces] == [{"all.csv": "1,a\r\n"}, {"all.csv": "2,b\r\n"}]


def test_a_header_written_in_init_belongs_to_the_first_mini_batch(stage: Stage) -> None:
    init = 'file = open(OUT + "/all", "w")\nfile.write("head\\n")'
    one, two = stage.play("file.write('1\\n')", "file.write('2\\n')", init=init)
    assert [one.pieces, two.pieces] == [{"all": "head\n1\n"}, {"all": "2\n"}]


def test_a_file_kept_open_and_closed_later_goes_on_growing(stage: Stage) -> None:
    tries = [
        'file = open(OUT + "/all", "w"); file.write("1")', 'file.write("2")', 'file.write("3"); file.close()',
        'open(OUT + "/all", "a").write("4")',
    ]  # fmt: skip
    assert [one.pieces for one in stage.play(*tries)] == [{"all": text} for text in "1234"]


def test_what_shutdown_writes_is_taken_at_the_end(stage: Stage) -> None:
    *_, last = stage.play(
        "file.write('row')",
        init='file = open(OUT + "/all", "w")',
        last="file.write('end'); file.close(); open(OUT + '/summary', 'w').write('sum')",
    )
    assert (last.pieces, last.whole) == ({"all": "end"}, {"summary": "sum"})


# Files held by a library


LIBRARY = """
import sqlite3
base = sqlite3.connect(OUT + "/base.db", isolation_level=None)
base.execute("create table scores (name)")
"""


def has_sqlite(stage: Stage) -> bool:
    (one,) = stage.play("try: import sqlite3\nexcept ImportError: open(OUT + '/none', 'w').close()")
    return not one.whole


def test_a_file_that_a_library_holds_is_left_alone_until_it_is_closed(stage: Stage) -> None:
    if not has_sqlite(stage):
        pytest.skip("this Python was built without SQLite")
    insert = "base.execute('insert into scores values (1)')"
    one, two, three = stage.play(insert, insert, insert + "; base.close()", init=LIBRARY)
    for held in (one, two):
        assert (held.held, held.foreign, held.whole, held.pieces) == (True, ["base.db"], {}, {})
        assert held.there == ["base.db"]
    assert (three.held, three.foreign, list(three.whole)) == (False, [], ["base.db"])


def test_other_files_of_a_mini_batch_are_taken_while_a_library_holds_one(stage: Stage) -> None:
    if not has_sqlite(stage):
        pytest.skip("this Python was built without SQLite")
    (one,) = stage.play(APPEND.format("x") + WRITE.format("a", "a"), init=LIBRARY)
    assert (one.held, one.pieces, one.whole) == (True, {"all.txt": "x"}, {"a": "a"})


def test_at_the_end_what_only_the_script_s_globals_hold_is_closed_and_taken(stage: Stage) -> None:
    if not has_sqlite(stage):
        pytest.skip("this Python was built without SQLite")
    one, last = stage.play("base.execute('insert into scores values (1)')", init=LIBRARY, last="pass")
    assert (one.held, last.held, list(last.whole)) == (True, False, ["base.db"])


def test_a_failed_try_while_a_library_holds_a_file_costs_the_worker(stage: Stage) -> None:
    if not has_sqlite(stage):
        pytest.skip("this Python was built without SQLite")
    _, two = stage.play("pass", FAILS, init=LIBRARY)
    assert two.leaving == ["base.db"]
