"""Another entry of the worker process: the script is tried out, and what happens is told as it happens.

``python gristmill_worker.zip CONFIGURATION rehearsal TERMS``: the configuration is that of `__main__`; the
terms are JSON, ``{"files", "calls", "seconds", "timeout_s", "init_timeout_s", "stack", "stdout"}``: whether
there is a mini-batch (number 0 of the plan), how often and how long it may be run at most, the limits of one
``run()`` and of the start in seconds, the file for the stack of what takes longer, and the log of standard
output.

Frames of the kind `OBSERVED` go to the coordinator, JSON with an ``event``:

    stage     ``stage`` begins: import, init, run (with ``call``), shutdown
    ready     ``init_s``, ``import_s``, ``has_init``, ``peak_bytes``
    failed    in ``stage`` (and ``call``): ``kind`` (the exception's type), ``message``, ``traceback``,
              ``module`` (that could not be imported), ``printed``
    called    the first ``run()``: ``seconds``, ``results``, ``files``, ``kind`` (the result's type),
              ``notices``, ``header``, ``rows`` (some), ``bytes``, ``left`` ([name, size] in the output
              folder), ``printed`` (lines on stdout), ``peak_bytes``
    repeated  the same files once more: ``same``, ``results``, ``rows`` (the first that differ: before, now)
    reversed  the same files in reverse order, likewise
    trend     after many calls: ``calls`` (after how many), ``usage`` (what the process held then)
    traces    what is different in the process (`traces.Traces.changes`), and after which ``stage``
    ended     all is done
"""

import faulthandler
import gc
import json
import math
import os
import re
import shlex
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional

from gristmill_worker.__main__ import CHANNEL_LOST, encoder_of, set_up
from gristmill_worker.channel import Channel, ChannelLost
from gristmill_worker.descriptors import out_of_reach
from gristmill_worker.encoded import Encoded
from gristmill_worker.failure import describe
from gristmill_worker.items import ItemReader
from gristmill_worker.memory import peak_bytes
from gristmill_worker.observed import OBSERVED, emptied, in_short, preview
from gristmill_worker.script import Context, Script
from gristmill_worker.traces import Traces, usage

#: Fewer calls than this show no trend of the memory.
_FEWEST_CALLS = 12
_QUARTERS = 4


class _Call(NamedTuple):
    """A call of ``run()`` that returned."""

    result: Any
    encoded: Encoded
    seconds: float


def main() -> int:
    """Try the script out; return the exit status of the process."""
    configuration: Dict[str, Any] = json.loads(sys.argv[1])
    terms: Dict[str, Any] = json.loads(sys.argv[3])
    channel = set_up(configuration)
    try:
        Rehearsal(channel, configuration, terms).perform()
    except ChannelLost:
        return CHANNEL_LOST
    return 0


class Rehearsal:
    """One script, tried out once."""

    def __init__(self, channel: Channel, configuration: Dict[str, Any], terms: Dict[str, Any]) -> None:
        self._channel = channel
        self._configuration = configuration
        self._terms = terms
        self._process = os.getpid()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._stack = out_of_reach(os.open(terms["stack"], flags, 0o600))
        self._context = Context(configuration["job"], configuration["root"])
        self._script: Script
        self._calls = 0

    def perform(self) -> None:
        """Do all of it, and tell what is seen."""
        traces = Traces()
        if self._start():
            self._tell("traces", stage="init", **traces.changes())
            if self._terms["files"]:
                self._rehearse()
                self._tell("traces", stage="run", **traces.changes())
            self._shut_down()
        self._tell("ended")

    def _start(self) -> bool:
        configuration, began = self._configuration, time.monotonic()
        self._begin("import", self._terms["init_timeout_s"])
        try:
            self._encode = encoder_of(configuration, is_shown=True)
            arguments = shlex.split(configuration["program_arguments"])
            self._script = Script.load(configuration["script"], configuration["code"], arguments)
            imported = time.monotonic()
            if self._script.init is not None:
                self._tell("stage", stage="init")
                self._stage = "init"
                self._script.init()
        except BaseException as error:  # whatever it is, it is told
            self._failed(error)
            return False
        finally:
            self._leave_if_forked()
            faulthandler.cancel_dump_traceback_later()
        self._tell(
            "ready",
            import_s=imported - began,
            init_s=time.monotonic() - imported,
            has_init=self._script.init is not None,
            peak_bytes=peak_bytes(),
        )
        return True

    def _rehearse(self) -> None:
        items = ItemReader(self._configuration["plan"], self._configuration["root"])
        names, paths = items.names(items.read(0, 1)[0], 0, 0)
        printed = self._printed()
        first = self._call(names, paths)
        if first is None:
            return
        self._tell_first(first, len(paths), self._printed() - printed)
        emptied(self._configuration["outbox"])
        held = [usage(os.environ["TMPDIR"])]
        again = self._call(names, paths)
        if again is None:
            return
        is_same = self._compare("repeated", first, again.encoded.data, again.encoded.results)
        emptied(self._configuration["outbox"])
        if is_same and len(paths) > 1 and first.encoded.results == len(paths):
            if not self._turn_around(first, names, paths):
                return
        else:
            if self._call(names, paths) is None:
                return
        emptied(self._configuration["outbox"])
        held.append(usage(os.environ["TMPDIR"]))
        self._repeat(names, paths, [1, 3], held)

    def _turn_around(self, first: _Call, names: List[str], paths: List[str]) -> bool:
        turned = self._call(names[::-1], paths[::-1])
        if turned is None:
            return False
        try:
            encoded = self._encode(_turned(turned.result), names)
        except BaseException:  # an odd type of the user's: nothing can be said of it
            return True
        if _alike(_sorted_lines(encoded.data), _sorted_lines(first.encoded.data)) and all(
            os.path.basename(name).encode("utf-8", "surrogateescape") in encoded.data for name in names
        ):
            return True  # in an order of the script's own, and every row says whose it is
        self._compare("reversed", first, encoded.data, encoded.results)
        return True

    def _repeat(self, names: List[str], paths: List[str], calls: List[int], held: List[Any]) -> None:
        """Call again and again, as often as the terms allow, and tell what piles up."""
        began = time.monotonic()
        if self._call(names, paths) is None:
            return
        seconds = max(time.monotonic() - began, 1e-6)
        more = min(self._terms["calls"] - self._calls, int(self._terms["seconds"] / seconds))
        if more >= _FEWEST_CALLS:
            for _quarter in range(_QUARTERS):
                for _ in range(more // _QUARTERS):
                    if self._call(names, paths) is None:
                        return
                    emptied(self._configuration["outbox"])
                    if time.monotonic() - began > 2 * self._terms["seconds"]:
                        break
                gc.collect()
                calls.append(self._calls)
                held.append(usage(os.environ["TMPDIR"]))
        self._tell("trend", calls=calls, usage=[list(one) for one in held])

    def _call(self, names: List[str], paths: List[str]) -> Optional[_Call]:
        self._calls += 1
        self._begin("run", self._terms["timeout_s"], call=self._calls)
        printed = self._printed()
        began = time.monotonic()
        try:
            script, files = self._script, list(paths)
            result = script.run(files, self._context) if script.takes_context else script.run(files)
            seconds = time.monotonic() - began
            return _Call(result, self._encode(result, names), seconds)
        except BaseException as error:  # the try failed, whatever it was
            self._leave_if_forked()
            self._failed(error, call=self._calls, printed=self._printed() - printed)
            return None
        finally:
            self._leave_if_forked()
            faulthandler.cancel_dump_traceback_later()

    def _tell_first(self, call: _Call, files: int, printed: int) -> None:
        self._tell(
            "called",
            seconds=call.seconds,
            files=files,
            printed=printed,
            peak_bytes=peak_bytes(),
            **preview(call.result, call.encoded, self._script.file_name, self._configuration["outbox"]),
        )

    def _compare(self, event: str, first: _Call, data: bytes, results: int) -> bool:
        """Tell whether rows are what the first call gave; numbers may differ in their last digits."""
        before = first.encoded.data
        is_same = results == first.encoded.results and _alike(before, data)
        rows: List[str] = []
        if not is_same:
            pairs = zip(before.split(b"\n"), data.split(b"\n"))
            rows = next(([in_short(a), in_short(b)] for a, b in pairs if not _alike(a, b)), [])
        self._tell(event, same=is_same, results=results, rows=rows)
        return is_same

    def _shut_down(self) -> None:
        if self._script.shutdown is None:
            return
        self._begin("shutdown", self._terms["timeout_s"])
        try:
            self._script.shutdown()
        except BaseException as error:  # it never fails a job, but its author should know
            self._failed(error)
        finally:
            self._leave_if_forked()
            faulthandler.cancel_dump_traceback_later()

    def _printed(self) -> int:
        """Count the lines in the log of standard output."""
        try:
            with open(self._terms["stdout"], "rb") as file:
                return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        except OSError:
            return 0

    def _begin(self, stage: str, limit_s: float, **more: Any) -> None:
        self._stage = stage
        self._tell("stage", stage=stage, **more)
        faulthandler.dump_traceback_later(limit_s, file=self._stack)

    def _failed(self, error: BaseException, **more: Any) -> None:
        self._leave_if_forked()
        script, code = os.path.basename(self._configuration["script"]), self._configuration["code"]
        message, text = describe(error, script, self._stage, code)
        name = type(error).__name__
        module = getattr(error, "name", None) if isinstance(error, ImportError) else None
        self._tell(
            "failed", stage=self._stage, kind=name, message=message, traceback=text, module=module, **more
        )

    def _leave_if_forked(self) -> None:
        """End here if this is a child that the script forked and that came back: it is no worker."""
        if os.getpid() != self._process:
            os._exit(0)

    def _tell(self, event: str, **values: Any) -> None:
        self._channel.tell(OBSERVED, {"event": event, **values})


def _turned(result: Any) -> Any:
    """Return the result in the reverse order."""
    return result.iloc[::-1] if hasattr(result, "iloc") else result[::-1]


_NUMBER = re.compile(rb"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")


def _alike(one: bytes, other: bytes) -> bool:
    """Say whether rows are equal but for the last digits of numbers: they may depend on the neighbours."""
    if one == other:
        return True
    ours, theirs = _NUMBER.split(one), _NUMBER.split(other)
    if len(ours) != len(theirs):
        return False
    pairs = enumerate(zip(ours, theirs))
    return all(a == b or (index % 2 and _near(a, b)) for index, (a, b) in pairs)


def _near(one: bytes, other: bytes) -> bool:
    if not (set(one) | set(other)) & set(b".eE"):
        return False  # whole numbers count
    return math.isclose(float(one), float(other), rel_tol=1e-3, abs_tol=1e-6)


def _sorted_lines(data: bytes) -> bytes:
    return b"\n".join(sorted(data.split(b"\n")))
