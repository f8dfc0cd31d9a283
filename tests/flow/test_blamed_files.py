"""An exception may name the files that are to blame, in `failed_files` (docs/scoring-scripts.md)."""

from __future__ import annotations

from flow.mill import Mill

NAMES_THEM = """
class Unreadable(Exception):
    pass

def run(mini_batch, context):
    called(mini_batch)
    failed = [path for path in mini_batch if Path(path).read_text() == "bad"]
    if failed:
        error = Unreadable("cannot be read")
        error.failed_files = failed
        raise error
    return [os.path.relpath(path, context.input_folder) for path in mini_batch]
"""


def test_named_files_fail_and_the_others_are_scored_with_few_calls(mill: Mill) -> None:
    mill.inputs({f"{n:02}": "bad" if n in (3, 7) else "ok" for n in range(10)})
    mill.script(NAMES_THEM)
    mill.deployment("mini_batch_size: 10, retry_settings: {max_retries: 3}")

    ended = mill.run()

    assert ended.counts == (10, 8, 2, 0), ended.err
    assert mill.bytes().decode().split() == ["00", "01", "02", "04", "05", "06", "08", "09"]
    assert [line["input"] for line in mill.failures()] == ["03", "07"]
    assert {line["message"].split(" (")[0] for line in mill.failures()} == {"Unreadable: cannot be read"}
    assert len(mill.calls()) == 1 + 2 * 2 + 3


def test_names_that_are_no_files_of_the_mini_batch_change_nothing(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(
        """
def run(mini_batch):
    called(mini_batch)
    error = ValueError("no")
    error.failed_files = [object()] if "a" in names(mini_batch) else "b"
    raise error
"""
    )
    mill.deployment("mini_batch_size: 1, retry_settings: {max_retries: 1}")

    assert mill.run().counts == (2, 0, 2, 0)
    assert sorted(mill.calls()) == ["a", "a", "b", "b"]
