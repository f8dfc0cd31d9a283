"""How a script is loaded and called (contract, section 1)."""

from __future__ import annotations

import os
import sys

import pytest

from doubles.assignment import TELL
from gristmill.engine.contract import Failed, Notice, Ready, Reason, StartFailed
from worker.conftest import Serve

#: The script's own first line, after the prelude.
FIRST = TELL.count("\n") + 1

CALLED = """
    def shown(mini_batch, *more):
        tell("calls", len(mini_batch), *[type(one).__name__ for one in more])
        return mini_batch

"""


@pytest.mark.parametrize(
    ("signature", "more"),
    [
        ("def run(mini_batch): return shown(mini_batch)", ""),
        ("def run(data): return shown(data)", ""),
        ("def run(mini_batch, context): return shown(mini_batch, context)", " Context"),
        ("def run(mini_batch, whatever): return shown(mini_batch, whatever)", " Context"),
        ("def run(mini_batch, context=None): return shown(mini_batch, context)", " Context"),
        ("def run(mini_batch, mini_batch_context=None):\n    return shown(mini_batch, mini_batch_context)",
         " Context"),
        ("def run(mini_batch, size=3): return shown(mini_batch, size)", " int"),
        ("def run(mini_batch, size=3, context=None): return shown(mini_batch, size, context)",
         " int NoneType"),
        ("def run(*args): return shown(*args)", ""),
        ("def run(mini_batch, *args): return shown(mini_batch, *args)", ""),
        ("def run(mini_batch, **more): return shown(mini_batch, *more)", ""),
        ("def run(mini_batch, /, context): return shown(mini_batch, context)", " Context"),
        ("run = lambda mini_batch: shown(mini_batch)", ""),
        ("class M:\n    def score(self, mini_batch): return shown(mini_batch)\nrun = M().score", ""),
        ("class M:\n  def score(self, mini_batch, context): return shown(mini_batch, context)\n"
         "run = M().score",
         " Context"),
        ("class M:\n  def __call__(self, mini_batch, context): return shown(mini_batch, context)\nrun = M()",
         " Context"),
        ("class M:\n  @classmethod\n  def score(cls, mini_batch): return shown(mini_batch)\nrun = M.score",
         ""),
        ("import functools\nrun = functools.partial(lambda n, mini_batch: shown(mini_batch), 1)", ""),
        ("import functools\ndef plain(mini_batch): return shown(mini_batch)\n"
         "@functools.wraps(plain)\ndef run(*args, **more): return plain(*args, **more)", ""),
        ("import functools\ndef plain(mini_batch, context): return shown(mini_batch, context)\n"
         "@functools.wraps(plain)\ndef run(*args, **more): return plain(*args, **more)", " Context"),
    ],
)  # fmt: skip
def test_run_is_called_by_its_signature(serve: Serve, signature: str, more: str) -> None:
    served = serve(CALLED + "".join(f"    {line}\n" for line in signature.split("\n")), mini_batch_size=20)
    assert served.shift.all(Failed) == []
    assert served.bench.told("calls") == [f"20{more}"]


def test_the_context_says_which_try_of_what_it_is(serve: Serve) -> None:
    served = serve(
        """
        def run(mini_batch, context):
            number, attempt = context.minibatch_index, context.attempt
            tell("calls", number, attempt, context.job_name, context.partition_key_value)
            return mini_batch
        """
    )
    assert served.bench.told("calls") == [f"{index} 1 test {{}}" for index in range(4)]


def test_mini_batches_are_plain_lists_of_absolute_paths(serve: Serve) -> None:
    served = serve(
        """
        def run(mini_batch):
            assert type(mini_batch) is list and {type(path) for path in mini_batch} == {str}
            assert all(os.path.isabs(path) and os.path.isfile(path) for path in mini_batch)
            return mini_batch
        """
    )
    assert served.shift.all(Failed) == []
    assert served.rows == served.paths


def test_init_is_called_once_before_the_first_mini_batch(serve: Serve) -> None:
    served = serve(
        """
        def init():
            tell("calls", "init")


        def run(mini_batch):
            tell("calls", "run")
            return mini_batch


        def shutdown():
            tell("calls", "shutdown")
        """
    )
    assert served.bench.told("calls") == ["init", "run", "run", "run", "run", "shutdown"]


def test_a_script_without_init_gets_one_notice(serve: Serve) -> None:
    served = serve("def run(mini_batch):\n    return mini_batch")
    assert served.shift.all(Notice) == [Notice("no_init", "score.py has no init(); that is allowed")]


def test_a_script_is_a_module_under_the_name_of_its_file(serve: Serve) -> None:
    served = serve(
        """
        if __name__ == "__main__":
            raise RuntimeError("not the main program")


        def run(mini_batch):
            assert sys.modules[__name__].run is run
            assert __spec__.name == __name__
            tell("calls", __name__, __file__)
            return mini_batch
        """,
        name="batch_driver.py",
        mini_batch_size=20,
    )
    assert served.bench.told("calls") == [f"batch_driver {served.bench.script}"]


@pytest.mark.parametrize(
    "name", ["json.py", "logging.py", "inspect.py", "traceback.py", "random.py", "main.py"]
)
def test_a_script_may_be_named_like_a_module_of_the_standard_library(serve: Serve, name: str) -> None:
    served = serve(
        """
        def run(mini_batch, context):
            if context.minibatch_index == 3:
                raise ValueError("no")
            return mini_batch
        """,
        name=name,
    )
    [failed] = served.shift.all(Failed)
    assert served.rows == served.paths[:15]
    assert failed.message.startswith("ValueError: no")


def test_a_script_in_a_sub_folder_imports_its_siblings_first(serve: Serve) -> None:
    beside = {
        "src/sibling.py": "NAME = 'below'",
        "sibling.py": "NAME = 'above'",
        "shared.py": "NAME = 'shared'",
    }
    served = serve(
        """
        import shared
        import sibling


        def run(mini_batch):
            tell("calls", sibling.NAME, shared.NAME, *sys.path[:2])
            return mini_batch
        """,
        name="src/score.py",
        beside=beside,
        mini_batch_size=20,
    )
    code = served.bench.code
    assert served.bench.told("calls") == [f"below shared {code}/src {code}"]
    [ready] = served.shift.all(Ready)
    assert [name for name, _ in ready.modules] == ["shared.py", "src/score.py", "src/sibling.py"]


def test_nothing_of_ours_stands_before_the_script_on_its_path(serve: Serve) -> None:
    served = serve(
        """
        PATH = list(sys.path)


        def run(mini_batch):
            for entry in sys.path:
                tell("path", entry)
            tell("names", *sorted(name for name in dir(sys.modules["__main__"]) if not name.startswith("_")))
            return mini_batch
        """,
        mini_batch_size=20,
    )
    path = served.bench.told("path")
    [ours] = [number for number, entry in enumerate(path) if "worker-cache" in entry]
    assert path[0] == str(served.bench.code)
    assert ours == len(path) - 1
    assert served.bench.told("path").count(str(served.bench.code)) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise RuntimeError('no weights')", f"RuntimeError: no weights (score.py:{FIRST})"),
        ("import no_such_module",
         f"ModuleNotFoundError: No module named 'no_such_module' (score.py:{FIRST}); the package "
         f"'no_such_module' is not in the Python that runs the script ({sys.executable}): install it there, "
         "or name another with --python"),
        ("import os.no_such_part",
         "ModuleNotFoundError: No module named 'os.no_such_part'; 'os' is not a package "
         f"(score.py:{FIRST})"),
        ("def run(mini_batch:", "SyntaxError: "),
        ("sys.exit(4)", "score.py ended the process with sys.exit(4) in its top level"),
        ("import argparse\np = argparse.ArgumentParser()\n"
         "p.add_argument('--model', required=True)\np.parse_args()",
         f"score.py ended the process with sys.exit(2) in its top level (score.py:{FIRST + 3}); "
         "argparse said: the following arguments are required: --model. Give the script its arguments with "
         '--set gristmill.program_arguments="...", or give them defaults'),
        ("def init():\n    sys.exit('no weights')\ndef run(mini_batch): pass",
         "score.py ended the process with sys.exit(no weights) in init()"),
        ("def init():\n    raise KeyboardInterrupt\ndef run(mini_batch): pass",
         f"KeyboardInterrupt (score.py:{FIRST + 1})"),
        ("def init(): pass", "score.py has no function run(mini_batch)"),
        ("run = 3", "score.py: run is of the type int, not a function"),
        ("init = 3\ndef run(mini_batch): pass", "score.py: init is of the type int, not a function"),
    ],
)  # fmt: skip
def test_a_script_that_cannot_be_loaded_is_told_in_its_own_words(
    serve: Serve, script: str, message: str
) -> None:
    served = serve("".join(f"{line}\n" for line in script.split("\n")), starts=False)
    [failure] = served.shift.all(StartFailed)
    assert failure.message.startswith(message)
    assert failure.traceback
    assert "gristmill_worker" not in failure.traceback
    assert failure.traceback.strip().splitlines()[-1] in served.bench.log("error")


def test_the_line_of_a_failure_is_the_innermost_of_the_script_s_own(serve: Serve) -> None:
    served = serve(
        """
        import helping

        def run(mini_batch):
            return helping.read(mini_batch)
        """,
        beside={
            "helping.py": """\
                import json

                def read(mini_batch):
                    return [json.loads("{") for _ in mini_batch]
            """
        },
        mini_batch_size=20,
    )
    [failed] = served.shift.all(Failed)
    assert failed.message.startswith("JSONDecodeError: ")
    assert failed.message.endswith(" (helping.py:4)")


@pytest.mark.parametrize(
    ("act", "reason", "message"),
    [
        ("raise Unshowable", Reason.EXCEPTION,
         f"Unshowable: (its text cannot be shown: str() of it failed) (score.py:{FIRST + 6})"),
        ("sys.exit()", Reason.EXCEPTION,
         f"score.py ended the process with sys.exit() in run() (score.py:{FIRST + 6})"),
        ("raise KeyboardInterrupt", Reason.EXCEPTION, f"KeyboardInterrupt (score.py:{FIRST + 6})"),
        ("raise GeneratorExit", Reason.EXCEPTION, f"GeneratorExit (score.py:{FIRST + 6})"),
        ("raise MemoryError", Reason.MEMORY, f"MemoryError (score.py:{FIRST + 6})"),
        ("return run(mini_batch)", Reason.EXCEPTION, "RecursionError: maximum recursion depth exceeded"),
        ("return 'text'", Reason.BAD_RETURN,
         "run() must return a list or a pandas DataFrame; score.py returned a str"),
        ("return None", Reason.BAD_RETURN,
         "run() must return a list or a pandas DataFrame; score.py returned "),
        ("raise ValueError('one:\\n two\\nthree\\n')", Reason.EXCEPTION,
         f"ValueError: one: two … (score.py:{FIRST + 6})"),
        ("raise ValueError('all of it\\n')", Reason.EXCEPTION,
         f"ValueError: all of it (score.py:{FIRST + 6})"),
        ("return [Unshowable()]", Reason.EXCEPTION, f"RuntimeError: no text (score.py:{FIRST + 2})"),
        ("raise ValueError('x' * 100_000)", Reason.EXCEPTION, "ValueError: xxx"),
        ("os._exit(0)", Reason.WORKER_DIED, "the worker ended with status 0"),
    ],
)  # fmt: skip
def test_a_mini_batch_that_fails_is_told_in_the_script_s_own_words(
    serve: Serve, act: str, reason: Reason, message: str
) -> None:
    served = serve(
        f"""\
        class Unshowable(Exception):
            def __str__(self):
                raise RuntimeError("no text")


        def run(mini_batch):
            {act}
        """,
        mini_batch_size=20,
    )
    [failed] = served.shift.all(Failed)
    assert failed.reason is reason
    assert failed.message.startswith(message)
    assert "gristmill_worker" not in failed.traceback
    assert len(failed.message) < 2_500
    assert len(failed.traceback) < 65_000
    assert failed.log.startswith(("logs/user/error/node-0/process000.txt:", "logs/user/stderr/"))


def test_errors_of_neighbours_are_told_with_their_place_in_the_log(serve: Serve) -> None:
    served = serve(
        "def run(mini_batch):\n    print('before')\n    raise ValueError('no')", mini_batch_size=10
    )
    places = [failed.log.rpartition(":") for failed in served.shift.all(Failed)]
    assert {name for name, _, _ in places} == {os.path.join("logs/user/error/node-0", "process000.txt")}
    told = served.bench.log("error").encode()
    assert [b"ValueError: no" in told[int(at) :][:600] for _, _, at in places] == [True, True]
    assert [told[int(at) - 1 : int(at)] for _, _, at in places] == [b"", b"\n"]
