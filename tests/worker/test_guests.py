"""Scripts that do as they please: whatever they do to their process, the protocol holds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from doubles.assignment import TELL
from gristmill.engine.contract import Failed, Ready, Scored
from worker.conftest import Serve
from worker.interpreters import interpreters

every_python = pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.name)

ROUGH = """
    def init():
        print("init")


    def run(mini_batch, context):
        print("x" * 2_500_000)
        os.write(1, b"to descriptor 1\\n")
        os.write(2, b"to descriptor 2\\n")
        if context.minibatch_index == 0:
            sys.stdin.close()
            os.chdir("/")
        if context.minibatch_index == 1 and os.fork() == 0:
            return ["from the child"]
        if context.minibatch_index == 2 and os.fork() == 0:
            raise SystemExit(5)
        if context.minibatch_index == 3:
            raise ValueError("the last one fails")
        return mini_batch
"""
#: The line of ROUGH that fails.
FAILING = 1 + (TELL + ROUGH).splitlines().index('            raise ValueError("the last one fails")')


@every_python
def test_a_rough_script_is_served_on_every_python(serve: Serve, python: Path) -> None:
    served = serve(ROUGH, python=python)
    [failed] = served.shift.all(Failed)
    [ready] = served.shift.all(Ready)
    assert served.rows == served.paths[:15]
    assert sum(scored.succeeded for scored in served.shift.all(Scored)) == 15
    assert (failed.span.first, failed.message) == (3, f"ValueError: the last one fails (score.py:{FAILING})")
    assert failed.traceback.splitlines()[:3] == [
        "Traceback (most recent call last):",
        f'  File "{served.bench.script}", line {FAILING}, in run',
        '    raise ValueError("the last one fails")',
    ]
    assert python.name in ("python", f"python{ready.python.rpartition('.')[0]}")
    assert len(served.bench.log("stdout")) > 10_000_000
    assert served.bench.log("stdout").count("to descriptor 1\n") == 4
    assert served.bench.log("stderr").count("to descriptor 2\n") == 4


@pytest.mark.parametrize(
    "act",
    [
        "os.close(0)",
        "sys.stdin.close(); os.close(1)",
        "sys.stdout.close()",
        "sys.stdout = sys.stderr = None",
        "os.closerange(3, 100)",
        "os.closerange(3, 100); keep.extend(os.open('/dev/null', os.O_RDWR) for _ in range(20))",
        "os.closerange(3, 100); keep.extend(open(os.path.join(SEEN, 'own%d' % n), 'wb') for n in range(20))",
        "os.chdir('/')",
        "os.rmdir(os.getcwd())",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "os.environ.clear()",
        "sys.path.clear()",
        "sys.argv.clear()",
        "sys.setrecursionlimit(200)",
        "os.umask(0o777)",
        "mini_batch.pop()",
        "mini_batch.clear()",
        "__import__('gc').disable(); __import__('logging').shutdown()",
        "__import__('resource').setrlimit(__import__('resource').RLIMIT_NOFILE, (64, 64))",
    ],
)
def test_what_a_script_does_to_its_process_costs_nothing(serve: Serve, act: str) -> None:
    lines = act.replace("; ", "\n            ")
    served = serve(
        f"""
        keep = []


        def once(mini_batch):
            {lines}


        def run(mini_batch):
            names = list(mini_batch)
            if not keep:
                keep.append(0)
                once(mini_batch)
            tell("calls", os.getpid())
            return names
        """
    )
    assert served.shift.all(Failed) == []
    assert served.rows == served.paths
    assert len(served.bench.told("calls")) == 4
    assert len(set(served.bench.told("calls"))) == 1
    assert [path.name for path in served.bench.seen.glob("own*") if path.stat().st_size] == []


def test_what_a_script_writes_to_a_descriptor_that_it_closed_is_not_among_its_rows(serve: Serve) -> None:
    served = serve(
        """
        def run(mini_batch, context):
            if context.minibatch_index == 0:
                os.close(1)
            try:
                os.write(1, b"noise\\n")
            except OSError:
                tell("calls", "closed")
            return mini_batch
        """
    )
    assert served.rows == served.paths
    assert served.bench.told("calls") == ["closed"] * 4


def test_a_child_that_lives_on_holds_nothing_up_and_is_gone_in_the_end(serve: Serve) -> None:
    served = serve(
        """
        def run(mini_batch):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            subprocess.Popen(["sleep", "60"], start_new_session=True)
            return mini_batch
        """
    )
    assert served.rows == served.paths
    assert served.bench.carriers() == []


@pytest.mark.parametrize("act", ["return mini_batch", "raise ValueError('no')", "sys.exit(3)", "os._exit(3)"])
def test_a_forked_child_is_no_worker_whichever_way_it_leaves_run(serve: Serve, act: str) -> None:
    served = serve(
        f"""
        def run(mini_batch):
            child = os.fork()
            if child == 0:
                {act}
            os.waitpid(child, 0)
            return mini_batch
        """
    )
    assert served.rows == served.paths
    others = [type(event).__name__ for event in served.shift.events if not isinstance(event, Scored)]
    assert others == ["Notice", "Ready", "Farewell"]


def test_a_child_forked_in_init_is_no_worker(serve: Serve) -> None:
    served = serve(
        """
        def init():
            os.fork()


        def run(mini_batch):
            tell("calls", os.getpid())
            return mini_batch
        """
    )
    assert len(set(served.bench.told("calls"))) == 1
    assert len(served.bench.told("calls")) == 4
    assert len(served.shift.all(Ready)) == 1


POOL = """
    from concurrent.futures import ProcessPoolExecutor
    import multiprocessing


    class Doubler:
        def __init__(self, number):
            self.number = number

        def __call__(self):
            return 2 * self.number


    def call(task):
        return task()


    def run(mini_batch):
        context = multiprocessing.get_context("{method}")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            return list(pool.map(call, [Doubler(len(path)) for path in mini_batch]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools_work_and_pickle_by_name(serve: Serve, method: str) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="g-"))  # the path of a socket has no room for pytest's folders
    served = serve(POOL.format(method=method), mini_batch_size=20, scratch=scratch)
    assert served.shift.all(Failed) == []
    assert served.rows == [str(2 * len(path)) for path in served.paths]


@pytest.mark.parametrize(
    "python", [path for path in interpreters() if path.name != "python"][::4], ids=lambda p: p.name
)
def test_a_spawned_pool_works_on_other_pythons(serve: Serve, python: Path) -> None:
    served = serve(POOL.format(method="spawn"), mini_batch_size=20, python=python)
    assert served.rows == [str(2 * len(path)) for path in served.paths]


def test_a_huge_list_is_written_whole(serve: Serve) -> None:
    served = serve("def run(mini_batch):\n    return ['y' * 1000] * 20_000", mini_batch_size=20)
    [scored] = served.shift.all(Scored)
    assert (scored.total, scored.succeeded, scored.length) == (20, 20, 20_020_000)
    assert served.rows == ["y" * 1000] * 20_000


def test_names_that_are_no_utf_8_reach_the_script_and_the_rows(serve: Serve) -> None:
    names = [b"a\xff.txt", b"b\nc.txt", "ü.txt".encode(), b" leading", "日本".encode()]
    served = serve(
        """
        def run(mini_batch):
            print(mini_batch)
            assert all(map(os.path.exists, mini_batch))
            return [os.path.basename(path).replace("\\n", "|") for path in mini_batch]
        """,
        files=names,
    )
    expected = [os.fsdecode(name.replace(b"\n", b"|")) for name in sorted(names)]
    assert served.rows == expected
    assert r"a\udcff.txt" in served.bench.log("stdout")


def test_lone_surrogates_in_an_error_are_told(serve: Serve) -> None:
    served = serve("def run(mini_batch):\n    print('\\ud800')\n    raise ValueError('\\udcff \\ud800')")
    assert {failed.message for failed in served.shift.all(Failed)} == {
        f"ValueError: \udcff \ud800 (score.py:{TELL.count(chr(10)) + 3})"
    }
    assert r"ValueError: \udcff \ud800" in served.bench.log("error")


def test_a_log_line_with_a_surrogate_is_not_lost(serve: Serve) -> None:
    served = serve(
        "import logging\ndef run(mini_batch):\n    logging.info('name \\udcff')\n    return mini_batch"
    )
    assert "name \\udcff" in served.bench.log("entry_script_log")
