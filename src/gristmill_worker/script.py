"""The user's scoring script: found, imported, and called by the contract's rules (section 1).

It is imported as a module named after the file's stem and stands in ``sys.modules`` under that name, so
that ``__name__ != "__main__"`` and pickling by name works. Its own folder comes first on ``sys.path``.
"""

import hashlib
import importlib.util
import os
import sys
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, Tuple

from gristmill_worker.staging import Rows, Source


class ScriptError(Exception):
    """The script cannot be used as it is; the message is for its author."""


class Context:
    """What ``run(mini_batch, context)`` gets as its second argument.

    Attributes
    ----------
    partition_key_value
        Always an empty mapping for files.
    minibatch_index
        Number of the mini-batch in plan order, from 0.
    attempt
        Number of this try, from 1.
    job_name
        Name of the job.
    input_folder
        The folder that the job's files lie in, or below.
    source
        For each path, where its rows come from: `Source`, with the ``file`` in the input folder and the
        number of its ``first_row``, from 0. Of a path that is the file itself: that path, and 0.
    """

    def __init__(self, job_name: str, input_folder: str = "") -> None:
        self.partition_key_value: dict = {}  # type: ignore[type-arg]  # Python 3.8 cannot subscript dict
        self.minibatch_index = 0
        self.attempt = 1
        self.job_name = job_name
        self.input_folder = input_folder
        self._paths: Sequence[str] = ()
        self._rows: Optional[Rows] = None

    def begin(self, mini_batch: int, attempt: int, paths: Sequence[str], rows: Optional[Rows]) -> None:
        """Tell of the next mini-batch; ``rows`` where items are rows."""
        self.minibatch_index = mini_batch
        self.attempt = attempt
        self._paths = paths
        self._rows = rows

    @property
    def source(self) -> Dict[str, Source]:
        """Where the rows of each path come from."""
        if self._rows is not None:
            return self._rows.sources
        return {path: Source(path, 0) for path in self._paths}


class Script:
    """A scoring script that has been imported."""

    def __init__(self, module: Any, path: str, code: str) -> None:
        self.file_name = os.path.basename(path)
        self.code = code
        self._module = module
        self._loaded: Dict[str, str] = {}
        self.init: Optional[Callable[[], object]] = _callable(module, "init", self.file_name)
        self.shutdown: Optional[Callable[[], object]] = _callable(module, "shutdown", self.file_name)
        run = _callable(module, "run", self.file_name)
        if run is None:
            raise ScriptError(
                "%s has no function run(mini_batch); it is called with a list of file paths and must "
                "return a list or a pandas DataFrame" % self.file_name
            )
        self.run: Callable[..., object] = run
        self.takes_context = takes_context(run)

    @classmethod
    def load(cls, path: str, code: str, arguments: Sequence[str]) -> "Script":
        """Import the script at ``path``, which lies in the folder ``code``.

        Raises
        ------
        ScriptError
            It has no ``run``, or a name of the contract is not a function.
        BaseException
            Whatever the script raises while it is imported.
        """
        folder = os.path.dirname(path)
        sys.path[:0] = [folder] if folder == code else [folder, code]
        sys.argv = [path, *arguments]
        name = os.path.splitext(os.path.basename(path))[0]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ScriptError("%s is not a Python file" % path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return cls(module, path, code)

    def modules(self) -> List[Tuple[str, str]]:
        """Return what `loaded_modules` says, and again what it said before: as it was when it was loaded."""
        self._loaded.update(loaded_modules(self.code, self._loaded))
        return sorted(self._loaded.items())

    def forget(self) -> None:
        """Drop the script's globals, as the end of the interpreter would, so that what they hold is
        closed.
        """
        self._module.__dict__.clear()


def takes_context(run: Callable[..., object]) -> bool:
    """Say whether ``run`` gets the context: its second parameter has no default, or is called so.

    ``*args`` gets one argument, the mini-batch (contract, section 1).
    """
    code = getattr(run, "__code__", None)
    if code is None or hasattr(run, "__wrapped__"):
        return _takes_context_by_signature(run)
    bound = 1 if getattr(run, "__self__", None) is not None else 0
    names = code.co_varnames[bound : code.co_argcount]
    if len(names) < 2:
        return False
    without_default = len(names) - len(getattr(run, "__defaults__", None) or ())
    return without_default >= 2 or names[1] in ("context", "mini_batch_context")


def _takes_context_by_signature(run: Callable[..., object]) -> bool:
    import inspect  # slow to import, and needed only for callables that are not plain functions

    try:
        parameters = list(inspect.signature(run).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        return False
    second = positional[1]
    return second.default is second.empty or second.name in ("context", "mini_batch_context")


def _callable(module: Any, name: str, file_name: str) -> Optional[Callable[..., object]]:
    value = getattr(module, name, None)
    if value is not None and not callable(value):
        kind = type(value).__name__
        raise ScriptError("%s: %s is of the type %s, not a function" % (file_name, name, kind))
    return value


def loaded_modules(code: str, known: Collection[str] = ()) -> List[Tuple[str, str]]:
    """Return (path below ``code``, SHA-256) of every module that was loaded from the code folder, without
    those that are ``known``.
    """
    prefix = code.rstrip("/") + "/"
    found: Dict[str, str] = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.startswith(prefix):
            continue
        if file not in found and file[len(prefix) :] not in known:
            try:
                with open(file, "rb") as stream:
                    found[file] = hashlib.sha256(stream.read()).hexdigest()
            except OSError:
                continue  # a module that removed its own file has nothing left to compare
    return sorted((path[len(prefix) :], digest) for path, digest in found.items())
