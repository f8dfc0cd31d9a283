"""A failure in the user's script, in words: a message of one line and the script's own traceback."""

import os
import re
import sys
import traceback
from types import TracebackType
from typing import List, Optional, Tuple

from gristmill_worker.encoded import BadReturn
from gristmill_worker.memory import data_limit
from gristmill_worker.script import ScriptError
from gristmill_worker.staging import StagingError

#: Longer messages are cut; the traceback holds the rest.
_MESSAGE_CHARACTERS = 2000
_TRACEBACK_CHARACTERS = 60_000
#: More files of a model are counted, not named.
_MOST_FILES = 10
_MODEL_VARIABLES = ("AZUREML_MODEL_DIR", "GRISTMILL_MODEL_PATH")


def reason_of(error: BaseException) -> str:
    """Return the class of a failed try (contract, section 5.7)."""
    if isinstance(error, BadReturn):
        return "bad_return"
    if isinstance(error, MemoryError):
        return "memory"
    return "exception"


def blamed_files(error: BaseException) -> List[str]:
    """Return the files of its mini-batch that an exception blames, in its attribute ``failed_files``."""
    try:
        named = getattr(error, "failed_files", None)
        return [os.fspath(path) for path in named] if isinstance(named, (list, tuple)) else []
    except Exception:  # not what was meant by it: the whole mini-batch has failed, as without it
        return []


def describe(error: BaseException, script: str, stage: str, code: str = "") -> Tuple[str, str]:
    """Return (message, traceback text) of what the script raised in ``stage``; ``code`` is its folder.

    The traceback begins in the script: our own frames say nothing to its author. The message names the line
    of its author's that raised, or called what did; of a text of many lines it has the first.
    """
    if isinstance(error, (BadReturn, ScriptError, StagingError)):
        return str(error), str(error) + "\n"
    name = type(error).__name__
    text = _first_line(_text_of(error))
    if isinstance(error, SystemExit):
        message = "%s ended the process with sys.exit(%s) in %s" % (script, text, _called(stage))
    else:
        message = "%s: %s" % (name, text) if text else name
    trace = own_part(error.__traceback__)
    lines = traceback.format_exception(type(error), error, trace)
    where = _place(trace, code)
    if where:
        message = "%s (%s)" % (message, where)
    message = _shortened(message, _MESSAGE_CHARACTERS) + _remedy(error, code)
    return message, _shortened("".join(lines), _TRACEBACK_CHARACTERS)


def _remedy(error: BaseException, code: str) -> str:
    """Say what to do, where that is known; it begins with a semicolon."""
    known = (
        _of_memory(error)
        or _of_argparse(error)
        or _misplaced(error)
        or _without_model(error)
        or _not_in_the_model(error)
    )
    return known or _not_installed(error, code)


def _of_memory(error: BaseException) -> str:
    """Say what limits the memory, where something of ours does."""
    limit = data_limit()
    if not isinstance(error, MemoryError) or limit is None:
        return ""
    hint = "; the worker may ask for %.1f GB at most, which memory_per_worker sets (RLIMIT_DATA): raise it"
    return hint % (limit / 1e9) + ", or make mini-batches smaller"


def _first_line(text: str) -> str:
    """Return the first line of a text that says something; the traceback holds all of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    said = lines.pop(0)
    while lines and said.endswith(":"):
        said = "%s %s" % (said, lines.pop(0))
    return said + " …" if lines else said


def _of_argparse(error: BaseException) -> str:
    """Say what ``argparse`` said on standard error before it ended the process."""
    trace = error.__traceback__ if isinstance(error, SystemExit) else None
    while trace is not None:
        frame = trace.tb_frame
        said = frame.f_locals.get("message")
        if frame.f_globals.get("__name__") == "argparse" and isinstance(said, str) and said:
            return "; argparse said: %s. Give the script its arguments with " % said.strip() + _ARGUMENTS
        trace = trace.tb_next
    return ""


_ARGUMENTS = '--set gristmill.program_arguments="...", or give them defaults'


def _misplaced(error: BaseException) -> str:
    """Say where a file lies that was looked for in the private working folder, and lies beside the script."""
    name = getattr(error, "filename", None)
    if not isinstance(error, FileNotFoundError) or not isinstance(name, str) or os.path.isabs(name):
        return ""
    if not os.path.exists(os.path.join(sys.path[0], name)):
        return ""
    hint = "; it lies beside the script, but each worker has a working folder of its own: "
    return hint + "open Path(__file__).parent / %r" % (name,)


def _without_model(error: BaseException) -> str:
    """Say how a model is given, where its variable is read and not set."""
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    if not isinstance(name, str) or name not in _MODEL_VARIABLES or name in os.environ:
        return ""
    return "; there is no model: name one with --model PATH, or with model: {path: ...} in a deployment"


def _not_in_the_model(error: BaseException) -> str:
    """Say what the model's folder holds, where a file was looked for in it that is not there."""
    folder = os.environ.get("AZUREML_MODEL_DIR", "")
    name = getattr(error, "filename", None) if isinstance(error, FileNotFoundError) else None
    if folder and not isinstance(name, str):  # many a library says it with an exception of its own
        found = re.search(re.escape(folder) + r"/[^\s'\",:;)]+", _text_of(error))
        name = found.group() if found else None
    if not folder or name is None or not name.startswith(folder) or os.path.lexists(name):
        return ""
    held = sorted(
        os.path.relpath(os.path.join(here, one), folder)
        for here, _, files in os.walk(folder, followlinks=True)
        for one in files
    )
    more = " and %d more" % (len(held) - _MOST_FILES) if len(held) > _MOST_FILES else ""
    return "; AZUREML_MODEL_DIR holds: %s%s" % (", ".join(held[:_MOST_FILES]) or "no files", more)


def _not_installed(error: BaseException, code: str) -> str:
    """Say which Python it is that lacks a package; one of the script's own folder is nobody's to install."""
    if not isinstance(error, ModuleNotFoundError) or not isinstance(error.name, str):
        return ""
    package = error.name.partition(".")[0]
    beside = os.path.join(code, package)
    if package in sys.modules or os.path.exists(beside) or os.path.exists(beside + ".py"):
        return ""
    what = "; the package %r is not in the Python that runs the script (%s)" % (package, sys.executable)
    if os.environ.get("GRISTMILL_ENVIRONMENT"):  # one that jobs share, and nobody should install into
        return what + ": list it in the conda file of the deployment, or name another with --python"
    return what + ": install it there, or name another with --python"


def _called(stage: str) -> str:
    return "its top level" if stage == "import" else "%s()" % stage


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # an exception whose str() raises must still be told
        return "(its text cannot be shown: str() of it failed)"


def own_part(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """Leave out the frames at the top that are ours or the import system's; None: there are no others."""
    ours = os.path.dirname(own_part.__code__.co_filename)
    current = trace
    while current is not None:
        file = current.tb_frame.f_code.co_filename
        if not file.startswith(ours) and not file.startswith("<frozen importlib"):
            return current
        current = current.tb_next
    return None


def _place(trace: Optional[TracebackType], code: str) -> str:
    """Return ``file:line`` of the innermost frame in the user's own code; the first one, if none is."""
    found = trace
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if code and file.startswith(code.rstrip("/") + "/") and "/site-packages/" not in file:
            found = trace
        trace = trace.tb_next
    if found is None:
        return ""
    return "%s:%d" % (os.path.basename(found.tb_frame.f_code.co_filename), found.tb_lineno)


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n… %d characters left out …\n%s" % (text[:half], len(text) - 2 * half, text[-half:])
