"""One file that needs too much memory costs one file (contract, 5.7)."""

from __future__ import annotations

from flow.mill import Mill

HUNGRY = """
import multiprocessing

def grow():
    kept = []
    while True:
        kept.append(bytearray(b"x") * 20_000_000)
        time.sleep(0.02)

def run(mini_batch):
    for path in mini_batch:
        kind = Path(path).read_text()
        if kind == "large":
            kept = bytearray(b"x") * 1_000_000_000
            held_until("never")
        if kind == "huge":
            kept = bytearray(8 << 30)
        if kind == "child":
            child = multiprocessing.get_context("fork").Process(target=grow)
            child.start()
            child.join()
    return names(mini_batch)
"""


def test_each_file_that_needs_too_much_fails_and_all_others_are_scored(mill: Mill) -> None:
    places = {7: "large", 13: "huge", 21: "child"}
    mill.inputs({f"{number:02}": places.get(number, "ok") for number in range(30)})
    mill.script(HUNGRY)
    mill.deployment("mini_batch_size: 5, max_concurrency_per_instance: 2")

    ended = mill.run("--memory-per-worker", "200MB", "--set", "settings.retry_settings.max_retries=1")

    assert ended.counts == (30, 27, 3, 0), ended.err
    failures = {line["input"]: line for line in mill.failures()}
    assert {name: line["reason"] for name, line in failures.items()} == dict.fromkeys(
        ["07", "13", "21"], "memory"
    )
    assert "more than its limit of 200 MB (memory_per_worker)" in failures["07"]["message"]
    assert "MemoryError" in failures["13"]["traceback"]
    assert "more than its limit of 200 MB" in failures["21"]["message"]
    assert mill.bytes().decode().split() == [f"{number:02}" for number in range(30) if number not in places]
    assert mill.type("verify", "j").status == 0


def test_the_most_memory_of_a_worker_is_told(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(
        "def run(mini_batch):\n    kept = bytearray(b'x') * 300_000_000\n    return names(mini_batch)\n"
    )
    mill.deployment()

    assert mill.run().status == 0

    peak = mill.show()["peak_bytes"]
    assert 300_000_000 <= peak < 400_000_000
    assert f",{peak}\n" in mill.log("sys/job_report/process_summary.csv")
    assert f",{peak}\n" in mill.log("sys/job_report/node_summary.csv")
    assert "at most in a worker" in mill.type("job", "show", "j").out
