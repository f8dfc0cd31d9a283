"""`--limit`: a few files spread over the input take the same path, and say what all of it would take."""

from __future__ import annotations

from flow.mill import Mill

SIZES = """
def run(mini_batch):
    called(mini_batch)
    return [f"{name} {os.path.getsize(path)}" for name, path in zip(names(mini_batch), mini_batch)]
"""


def test_a_sample_is_scored_in_input_order_and_spread_over_it(mill: Mill) -> None:
    mill.inputs([f"{number:03}" for number in range(400)])
    mill.script(SIZES)
    mill.deployment("mini_batch_size: 5")

    ended = mill.run("--limit", "20")

    scored = [int(line.split()[0]) for line in mill.bytes().decode().splitlines()]
    assert ended.counts == (20, 20, 0, 0)
    assert scored == sorted(scored)
    assert (scored[0] < 40, scored[-1] >= 360) == (True, True)
    assert [len(call.split()) for call in mill.calls()] == [5, 5, 5, 5]
    assert "20 of 400 files, spread over the input, are scored (--limit)" in ended.err


def test_a_sample_says_what_the_whole_input_would_take(mill: Mill) -> None:
    mill.inputs([f"{number:03}" for number in range(400)])
    mill.script(SIZES)
    mill.deployment("mini_batch_size: 5, max_concurrency_per_instance: 2")

    ended = mill.run("--limit", "20")

    whole = ended.view["projection"]
    sizes = sum((mill.root / "out" / name).stat().st_size for name in mill.output() if "." in name)
    assert whole["items"] == 400
    assert whole["seconds"] > 0
    assert whole["output_bytes"] == sizes * 20
    assert 5_000_000 * 2 < whole["memory_bytes"] < 500_000_000 * 2
    assert "all of it    400 items would take about" in ended.err


def test_a_limit_beyond_the_input_scores_all_and_projects_nothing(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(SIZES)
    mill.deployment()

    ended = mill.run("--limit", "50")

    assert ended.counts == (2, 2, 0, 0)
    assert ended.view["projection"] is None
    assert "all of it" not in ended.err


def test_a_limit_of_no_files_is_refused(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script(SIZES)
    mill.deployment()

    ended = mill.run("--limit", "0")

    assert ended.status == 2
    assert "--limit 0" in ended.err
    assert "at least 1" in ended.err


def test_a_sample_of_an_input_list_and_of_patterns(mill: Mill) -> None:
    mill.inputs([f"{number:03}.{'txt' if number % 2 else 'csv'}" for number in range(100)])
    mill.write("list.txt", "".join(f"{number:03}.{'txt' if number % 2 else 'csv'}\n" for number in range(60)))
    mill.script(SIZES)
    mill.deployment()

    ended = mill.run("--limit", "10", "--input-list", "list.txt", "--include", "*.txt")

    assert ended.counts == (10, 10, 0, 0)
    assert "10 of 30 files" in ended.err


def test_a_sample_can_be_resumed_and_verified(mill: Mill) -> None:
    mill.inputs([f"{number:03}" for number in range(100)])
    mill.script(
        SIZES.replace("    called(mini_batch)\n", "    called(mini_batch)\n    stop_once()\n")
        + """
def stop_once():
    if not (HERE / "stopped").exists():
        (HERE / "stopped").touch()
        os.kill(os.getppid(), 15)
        held_until("never")
"""
    )
    mill.deployment("mini_batch_size: 1")

    cancelled = mill.run("--limit", "10")
    resumed = mill.type("resume", "j", "--json")

    assert (cancelled.status, resumed.status) == (3, 0)
    assert resumed.counts == (10, 10, 0, 0)
    assert mill.type("verify", "j").status == 0
