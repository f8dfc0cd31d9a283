"""Bad input that is refused before anything starts; and where each kind of it is shown, item by item.

Each with a clear message that names the thing and the remedy, and nothing lost that was finished:

    item                                 test
    -----------------------------------  ---------------------------------------------------------------------
    a missing or empty input folder      doorstep: test_a_mistake_is_refused_with_its_name_and_...
    an unreadable file                   no_access: test_an_unreadable_file_costs_itself
    an unreadable folder                 no_access: test_what_may_not_be_touched_is_refused_with_the_remedy
    a file that vanishes after listing   bad_files: test_a_file_that_vanishes_after_the_listing_costs_itself
    a file that is truncated while read  bad_files: test_a_file_that_is_truncated_while_it_is_read_...,
                                         test_a_memory_mapped_file_that_shrinks_costs_itself_and_is_named
    names with spaces, newlines,         outputs: test_difficult_names_fail_nothing and the three after it;
    quotes, bytes that are not UTF-8     bad_files: test_folders_script_and_model_may_have_any_name
    names with leading dashes            bad_files: test_files_whose_names_look_like_options_are_files
    a 4,000-byte path                    bad_files: test_a_path_of_4000_bytes_is_scored,
                                         test_a_path_of_4000_bytes_that_fails_is_listed_whole
    a path longer than the system takes  bad_files: test_a_file_that_the_system_cannot_open_costs_itself,
                                         test_a_folder_too_deep_to_be_listed_is_refused;
                                         test_a_name_too_long_is_refused
    a YAML with five mistakes            doorstep: test_five_mistakes_are_told_at_once_with_their_lines_...
    duplicate keys, tabs                 test_a_deployment_that_cannot_be_read_is_refused_with_its_line;
                                         unit/spec/test_mistakes: test_mistake_is_reported_where_it_stands
    a BOM                                test_a_byte_order_mark_harms_neither_deployment_nor_script
    a script without run, a syntax       test_a_script_that_cannot_work_is_refused_with_the_remedy;
    error                                check: test_run_refuses_what_is_sure_to_fail_and_starts_nothing
    an init that raises                  start: test_the_scripts_own_traceback_is_the_jobs_message
    an init that never returns           bad_scripts: test_an_init_that_never_returns_ends_the_job_...
    a run that returns each wrong type   bad_scripts: test_each_wrong_return_costs_its_file_and_is_named;
                                         worker/test_rows: test_anything_else_is_refused_with_its_type
    ... prints 10 MB, writes to fd 1,    bad_scripts: test_what_a_script_does_to_its_process_costs_nothing,
    changes the cwd, closes stdin,       test_ten_megabytes_that_were_printed_are_in_the_log_and_nowhere_else;
    installs signal handlers,            worker/test_guests: test_a_rough_script_is_served_on_every_python,
    sets a locale                        test_what_a_script_does_to_its_process_costs_nothing
    ... is deaf to signals and hangs     bad_scripts: test_a_script_that_ignores_every_signal_still_has_a_...
    ... calls os._exit                   bad_scripts: test_an_exit_in_run_costs_its_file_and_is_named
    ... leaves children                  bad_scripts: test_children_that_are_left_behind_hold_nothing_up_...
    ... raises what has no str           bad_scripts: test_an_exception_without_a_text_costs_its_file_...
    an output that exists                test_an_output_that_exists_is_refused_and_kept;
                                         stops: test_summary_only_refuses_an_output_folder_with_anything_in_it
    a disk that is full                  full_disk: all of it;
                                         mishaps: test_printing_on_a_full_disk_costs_no_result
    a home that cannot be written        no_access: test_what_may_not_be_touched_is_refused_...
                                         mishaps: test_a_home_that_cannot_be_made_starts_nothing
    a model path that is not there       test_a_model_that_is_not_there_is_refused_with_what_is
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flow.bad_input import ABC, check_kept, check_refused, made
from flow.mill import Mill


def test_every_test_that_the_table_names_is_there() -> None:
    named = set(re.findall(r"\btest_\w+", __doc__ or ""))
    files = Path(__file__).parents[1].rglob("test_*.py")
    there = {
        name for file in files for name in re.findall(r"\bdef (test_\w+)", file.read_text(encoding="utf-8"))
    }
    there |= {file.stem for file in Path(__file__).parents[1].rglob("test_*.py")}

    assert len(named) == 40
    assert [name for name in sorted(named) if not any(test.startswith(name) for test in there)] == []


LONG = "x" * 4000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--input", f"in/{LONG}"], ["the input in/xxx"]),
        pytest.param(["--output-path", LONG], ["--output-path"]),
        (["--model", LONG], ["--model xxx", "File name too long"]),
        (["--python", LONG], ["--python xxx", "File name too long"]),
        (["--input-list", LONG], ["--input-list xxx", "File name too long"]),
        (["--job-name", LONG], ["--job-name xxx", "at most 255 characters"]),
        (["--output-file-name", LONG], ["--output-file-name xxx", "longer than 200 bytes"]),
    ],
    ids=["input", "output", "model", "python", "list", "job", "file"],
)
def test_a_name_too_long_is_refused(mill: Mill, words: list[str], told: list[str]) -> None:
    ended = made(mill).run(*words)

    check_refused(mill, ended, told)


CODE = "code_configuration: {code: code, scoring_script: score.py}\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (f"{CODE}mini_batch_size: 1\nmini_batch_size: 2\n".encode(),
         ["deployment.yml:3:1: mini_batch_size: is given twice", "stands at deployment.yml:2:1"]),
        (b"code_configuration:\n\tcode: code\n",
         ["deployment.yml:2:1: a tab cannot indent in YAML; use spaces"]),
        (CODE.encode("utf-16"), ["deployment.yml:1:1: the file is UTF-16; save it as UTF-8"]),
        (f"{CODE}description: é\n".encode("latin-1"),
         ["deployment.yml:2:14: the file is not UTF-8; save it as UTF-8"]),
        (b"", ["deployment.yml:1:1: the file is empty; it must hold keys, as in 'name: x'"]),
    ],
    ids=["duplicate", "tab", "utf-16", "latin-1", "empty"],
)  # fmt: skip
def test_a_deployment_that_cannot_be_read_is_refused_with_its_line(
    mill: Mill, data: bytes, told: list[str]
) -> None:
    (made(mill).root / "deployment.yml").write_bytes(data)

    check_refused(mill, mill.run(), told)


def test_a_byte_order_mark_harms_neither_deployment_nor_script(mill: Mill) -> None:
    made(mill)
    for path in ("deployment.yml", "code/score.py"):
        (mill.root / path).write_bytes(b"\xef\xbb\xbf" + (mill.root / path).read_bytes())

    check_kept(mill, mill.run(), ABC)


def test_an_output_that_exists_is_refused_and_kept(mill: Mill) -> None:
    made(mill).write("out/predictions.csv", "precious")

    ended = mill.run()

    check_refused(mill, ended, [f"{mill.root}/out/predictions.csv exists", "--output-path", "--overwrite"])
    assert mill.bytes() == b"precious"


def test_a_model_that_is_not_there_is_refused_with_what_is(mill: Mill) -> None:
    made(mill).write("weights/net.onnx", "x")

    from_option = mill.run("--model", "weighs")
    mill.deployment(more="model: {path: weights/nett.onnx}")
    from_file = mill.run()

    check_refused(
        mill, from_option, [f"--model weighs: no such file or folder: {mill.root}/weighs", "weights"]
    )
    check_refused(
        mill,
        from_file,
        [
            "deployment.yml:3:15: model.path: no such file",
            f"{mill.root}/weights/nett.onnx",
            "did you mean ",
            "net.onnx'?",
        ],
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "def init(): pass\n",
            ["score.py: there is no function run(mini_batch)", "define it at the top level"],
        ),
        ("", ["score.py: there is no function run(mini_batch)", "define it at the top level"]),
        (
            "def run(mini_batch)\n    return 1\n",
            ["score.py:1: SyntaxError: expected ':'", "correct this line"],
        ),
        (
            "def run(mini_batch):\n    x = 1\n\treturn x\n",
            ["score.py:3: SyntaxError: inconsistent use of tabs"],
        ),
        pytest.param(
            "def run(mini_batch):\n    return ['\0']\n",
            ["score.py", "null byte"],
        ),
    ],
    ids=["no run", "empty", "syntax", "tabs", "null"],
)
def test_a_script_that_cannot_work_is_refused_with_the_remedy(
    mill: Mill, source: str, told: list[str]
) -> None:
    made(mill).write("code/score.py", source)

    check_refused(mill, mill.run(), told)
