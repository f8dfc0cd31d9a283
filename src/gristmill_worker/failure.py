"""A failure in the user's script, in words: a message of one line and the script's own traceback."""

import os
import sys
import traceback
from types import TracebackType
from typing import Optional, Tuple

from gristmill_worker.rows import BadReturn
from gristmill_worker.script import ScriptError

#: Longer messages are cut; the traceback holds the rest.
_MESSAGE_CHARACTERS = 2000
_TRACEBACK_CHARACTERS = 60_000


def reason_of(error: BaseException) -> str:
    """Return the class of a failed try (contract, section 5.7)."""
    if isinstance(error, BadReturn):
        return "bad_return"
    if isinstance(error, MemoryError):
        return "memory"
    return "exception"


def describe(error: BaseException, script: str, stage: str) -> Tuple[str, str]:
    """Return (message, traceback text) of what the script raised in ``stage``.

    The traceback begins in the script: our own frames say nothing to its author.
    """
    if isinstance(error, (BadReturn, ScriptError)):
        return str(error), str(error) + "\n"
    name = type(error).__name__
    text = _text_of(error)
    if isinstance(error, SystemExit):
        message = "%s ended the process with sys.exit(%s) in %s" % (script, text, _called(stage))
    else:
        message = "%s: %s" % (name, text) if text else name
    message += _misplaced(error)
    trace = _own_part(error.__traceback__)
    lines = traceback.format_exception(type(error), error, trace)
    where = _place(trace)
    if where:
        message = "%s (%s)" % (message, where)
    return _shortened(message, _MESSAGE_CHARACTERS), _shortened("".join(lines), _TRACEBACK_CHARACTERS)


def _misplaced(error: BaseException) -> str:
    """Say where a file lies that was looked for in the private working folder, and lies beside the script."""
    name = getattr(error, "filename", None)
    if not isinstance(error, FileNotFoundError) or not isinstance(name, str) or os.path.isabs(name):
        return ""
    if not os.path.exists(os.path.join(sys.path[0], name)):
        return ""
    hint = "; it lies beside the script, but each worker has a working folder of its own: "
    return hint + "open Path(__file__).parent / %r" % (name,)


def _called(stage: str) -> str:
    return "its top level" if stage == "import" else "%s()" % stage


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # an exception whose str() raises must still be told
        return "(its text cannot be shown: str() of it failed)"


def _own_part(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """Leave out the frames at the top that are ours or the import system's."""
    ours = os.path.dirname(_own_part.__code__.co_filename)
    current = trace
    while current is not None:
        file = current.tb_frame.f_code.co_filename
        if not file.startswith(ours) and not file.startswith("<frozen importlib"):
            return current
        current = current.tb_next
    return None


def _place(trace: Optional[TracebackType]) -> str:
    """Return ``file:line`` of the first frame: the script's own line."""
    if trace is None:
        return ""
    return "%s:%d" % (os.path.basename(trace.tb_frame.f_code.co_filename), trace.tb_lineno)


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n… %d characters left out …\n%s" % (text[:half], len(text) - 2 * half, text[-half:])
