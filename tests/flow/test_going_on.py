"""What a job that has ended says about going on: resume it, or start a new one with a corrected script."""

from __future__ import annotations

import pytest

from flow.holding import ONE_BY_ONE, prepared
from flow.mill import Mill

ADVICE = (
    "A job keeps its own copy of the code: when the script is corrected, resume it with --force, which keeps "
    "what is scored, or start a new job; when the cause lay elsewhere, resume it as it is"
)
EMPTY = "def init(): pass\ndef run(mini_batch): return []\n"
NOTHING_RETURNED = "def init(): pass\ndef run(mini_batch): pass\n"


def failing(mill: Mill, source: str, settings: str) -> Mill:
    mill.inputs(["a", "b", "c"])
    mill.script(source)
    mill.deployment(settings)
    return mill


def check_told(mill: Mill, err: str, *, goes_on: bool) -> None:
    """The terminal, the JSON and the report say the same."""
    result = mill.log("job_result.txt")
    assert err.count(ADVICE) == result.count(ADVICE) == 1
    assert ("go on with  gristmill resume j" in err) is goes_on
    assert ("  gristmill resume j" in result) is goes_on
    assert mill.show()["next_command"] == ("gristmill resume j" if goes_on else None)


def test_an_exception_in_run_may_need_a_corrected_script_or_only_a_resume(mill: Mill) -> None:
    prepared(mill, ["ok", "bad"], f"{ONE_BY_ONE}, error_threshold: 0")

    ended = mill.run()

    check_told(mill, ended.err, goes_on=True)


def test_wrong_returns_alone_are_not_to_be_resumed(mill: Mill) -> None:
    failing(mill, NOTHING_RETURNED, f"{ONE_BY_ONE}, error_threshold: 0")

    ended = mill.run()

    assert ended.status == 1
    check_told(mill, ended.err, goes_on=False)


@pytest.mark.parametrize("source", [EMPTY, NOTHING_RETURNED])
def test_a_job_without_any_result_is_not_to_be_resumed(mill: Mill, source: str) -> None:
    failing(mill, source, f"{ONE_BY_ONE}, error_threshold: -1")

    ended = mill.run()

    assert "no mini-batch returned any result" in ended.view["message"]
    check_told(mill, ended.err, goes_on=False)


def test_resume_says_that_an_edited_script_is_not_the_one_that_goes_on(mill: Mill) -> None:
    prepared(mill, ["ok", "bad"], f"{ONE_BY_ONE}, error_threshold: 0")
    mill.run()
    script = mill.root / "code/score.py"
    script.write_text(script.read_text() + "\n# corrected\n")

    ended = mill.type("resume", "j")

    assert (
        "notice: score.py has changed since the job was made; this job goes on with its own copy: "
        "gristmill resume j --force takes the new code, and keeps what is scored already"
    ) in ended.err


def test_resume_says_nothing_of_a_script_that_is_as_it_was(mill: Mill) -> None:
    prepared(mill, ["ok", "bad"], f"{ONE_BY_ONE}, error_threshold: 0")
    mill.run()

    ended = mill.type("resume", "j")

    assert "has changed" not in ended.err
