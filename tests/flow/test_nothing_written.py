"""Scripts that write their output where it is lost, or nowhere, and what is said of it."""

from __future__ import annotations

import pytest

from flow.mill import Mill

NOTHING = "; the script wrote nothing to AZUREML_BI_OUTPUT_PATH"
REMOVED = "in its working folder, which is removed: write to the folder in AZUREML_BI_OUTPUT_PATH"


def scoring(mill: Mill, body: str, settings: str = "mini_batch_size: 1", init: str = "pass") -> Mill:
    mill.inputs(["a", "b"])
    mill.script(f"def init(): {init}\ndef run(mini_batch):\n    {body}\n    return mini_batch\n")
    mill.deployment(settings)
    return mill


def test_summary_only_without_a_single_file_is_told_in_the_summary_the_report_and_a_notice(
    mill: Mill,
) -> None:
    scoring(mill, "pass", "output_action: summary_only")

    ended = mill.run()

    assert ended.status == 0
    assert ended.view["summary"] == f"Completed: all 2 items{NOTHING}"
    assert mill.log("job_result.txt").startswith(f"Job j: Completed: all 2 items{NOTHING}\n")
    assert "notice: the script wrote nothing to AZUREML_BI_OUTPUT_PATH, and with output_action" in ended.err
    assert mill.show()["summary"] == ended.view["summary"]


def test_summary_only_with_a_file_says_that_the_script_wrote_it(mill: Mill) -> None:
    write = "Path(os.environ['AZUREML_BI_OUTPUT_PATH'], names(mini_batch)[0]).write_text('x')"
    scoring(mill, write, "mini_batch_size: 1, output_action: summary_only")

    ended = mill.run()

    assert ended.view["summary"] == "Completed: all 2 items; the script wrote the output itself"
    assert mill.output() == ["a", "b"]
    assert "wrote nothing" not in ended.err


def test_files_left_in_the_working_folder_are_told_once(mill: Mill) -> None:
    scoring(
        mill, "open('results.csv', 'a').write('x')", "mini_batch_size: 1, max_concurrency_per_instance: 2"
    )

    ended = mill.run()

    assert ended.status == 0
    assert ended.err.count(f"notice: run() left results.csv {REMOVED}") == 1


def test_a_renamed_file_is_told_under_its_last_name(mill: Mill) -> None:
    scoring(mill, "open('half', 'w').close(); os.replace('half', 'whole.csv')")

    assert f"notice: run() left whole.csv {REMOVED}" in mill.run().err


@pytest.mark.parametrize(
    "body",
    [
        "open('results.csv', 'w').close(); os.remove('results.csv')",
        "import tempfile; tempfile.mkstemp()",
        "open('tmp-1', 'w').close()",
        "os.makedirs('.cache', exist_ok=True); open('.cache/x', 'w').close()",
        "os.chdir(os.environ['AZUREML_BI_OUTPUT_PATH']); open(names(mini_batch)[0], 'w').close()",
    ],
)
def test_what_is_taken_removed_or_passing_is_not_told(mill: Mill, body: str) -> None:
    scoring(mill, body)

    ended = mill.run()

    assert ended.status == 0
    assert "which is removed" not in ended.err


def test_what_init_unpacks_for_itself_is_not_told(mill: Mill) -> None:
    scoring(mill, "open('model.txt').read()", init="open('model.txt', 'w').close()")

    ended = mill.run()

    assert ended.counts == (2, 2, 0, 0)
    assert "which is removed" not in ended.err
