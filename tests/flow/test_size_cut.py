"""`mini_batch_bytes`: the input is cut by size, in every way that a job may go on."""

from __future__ import annotations

from flow.mill import Mill

SCRIPT = """
def run(mini_batch):
    called(mini_batch)
    if "bad" in names(mini_batch) and not (HERE / "mended").exists():
        raise ValueError("bad")
    return names(mini_batch)
"""
KB = 1000


def sized(mill: Mill, sizes: dict[str, int]) -> None:
    mill.inputs({name: "x" * size for name, size in sizes.items()})


def prepared(mill: Mill, more: str = "mini_batch_bytes: 10kB") -> None:
    sized(mill, {"a": 6 * KB, "b": 4 * KB, "c": 30 * KB, "d": 1 * KB, "e": 2 * KB, "f": 3 * KB})
    mill.script(SCRIPT)
    mill.deployment("retry_settings: {max_retries: 0}", f"gristmill: {{{more}}}")


def test_input_is_cut_by_size_and_scored_in_order(mill: Mill) -> None:
    prepared(mill)

    ended = mill.run()

    assert ended.counts == (6, 6, 0, 0)
    assert sorted(mill.calls()) == ["a b", "c", "d e f"]
    assert mill.bytes().split() == [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert mill.type("verify", "j").status == 0


def test_option_and_number_of_files_are_bounds_as_well(mill: Mill) -> None:
    prepared(mill, "")

    assert mill.run("--mini-batch-bytes", "10kB", "--mini-batch-size", "2").status == 0
    assert sorted(mill.calls()) == ["a b", "c", "d e", "f"]


def test_new_files_are_cut_by_size_behind_the_others(mill: Mill) -> None:
    prepared(mill)
    sized(mill, {"bad": 9 * KB})
    failed = mill.run("--error-threshold", "0")
    assert failed.status == 1
    assert failed.view["status"] == "Failed"
    sized(mill, {"g": 5 * KB, "h": 5 * KB, "i": 5 * KB})
    mill.write("mended", "")

    refused = mill.type("resume", "j", "--set", "gristmill.mini_batch_bytes=20kB")
    assert refused.status == 2
    assert "gristmill.mini_batch_bytes=20kB: cannot change within a job" in refused.err

    went_on = mill.type("resume", "j", "--new", "--json")
    assert went_on.counts == (10, 10, 0, 0)
    assert sorted(set(mill.calls())) == ["a b", "bad", "c", "d e f", "g h", "i"]
    assert mill.type("verify", "j").status == 0


def test_sample_list_rerun_and_replay_know_mini_batches_of_any_length(mill: Mill) -> None:
    prepared(mill)
    sized(mill, {"bad": 9 * KB})
    listed = mill.write("list", "\n".join("abcdef") + "\nbad\n")

    assert mill.run("--input-list", str(listed)).counts == (7, 6, 1, 0)
    assert sorted(mill.calls()) == ["a b", "bad", "c", "d e f"]
    replayed = mill.type("replay", "j", "e", "--mini-batch")
    assert replayed.status == 0
    assert mill.calls()[-1] == "d e f"
    mill.write("mended", "")
    assert mill.type("rerun", "j", "--failed", "--json").counts == (7, 7, 0, 0)
    assert mill.calls()[-1] == "bad"
    assert mill.type("verify", "j").status == 0

    sample = mill.type(
        "run", "deployment.yml", "--input", "in", "--output-path", "s", "--limit", "3", "--json"
    )
    assert sample.counts[0] == 3
