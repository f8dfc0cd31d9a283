"""Started as daemons start things: with signals ignored, or many at once."""

from __future__ import annotations

import subprocess
import sys

from flow.mill import Mill, finished


def test_a_job_runs_though_its_starter_ignores_the_death_of_children(mill: Mill) -> None:
    mill.inputs(["a", "b", "c"])
    mill.script("def run(mini_batch): return names(mini_batch)\n")
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2")
    words = ["run", "deployment.yml", "--json", "--input", "in", "--output-path", "out", "--job-name", "j"]
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.executable, "
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"{ignoring}[sys.executable, '-m', 'gristmill', *{words!r}])"],
        cwd=mill.root,
        env=mill.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    ended = finished(process)

    assert ended.status == 0, ended.err
    assert ended.counts == (3, 3, 0, 0)


def test_jobs_begun_in_the_same_second_have_names_of_their_own(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return names(mini_batch)\n")
    script = """
import gristmill
names = {gristmill.run("code/score.py", input="in", progress=False).name for _ in range(3)}
print(len(names))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=mill.root,
        env=mill.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    ended = finished(process)

    assert (ended.status, ended.out) == (0, "3\n"), ended.err


def test_the_settings_file_beside_a_bare_script_counts(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script(
        "import pandas\ndef run(mini_batch): return pandas.DataFrame({'n': names(mini_batch), 'x': [1]})\n"
    )
    mill.write(
        "code/parallel_run_step.settings.json", '{"append_row": {"pandas.DataFrame.to_csv": {"sep": ";"}}}'
    )

    ended = mill.run("--format", "azure", of="code/score.py")

    assert ended.status == 0, ended.err
    assert mill.bytes() == b"a;1\n"
