"""The third entry of the worker process: a mini-batch, or a part of it, run once before a person's eyes.

``python gristmill_worker.zip CONFIGURATION foreground TERMS``: the configuration is that of `__main__`; the
terms are JSON, ``{"mini_batch", "first_item", "items", "attempt", "post_mortem"}``: what is run (0 items: all
of the mini-batch), the number of the try that the script is told, and whether a debugger opens where the
script raises. Standard streams are those of the person: nothing is cut off, nothing has a limit.

Frames of the kind `OBSERVED` go to the coordinator, JSON with an ``event``:

    stage     ``stage`` begins: import, init, run, shutdown
    failed    in ``stage``: ``kind`` (the exception's type), ``message``, ``left_debugger``; its traceback
              stands on standard error already
    returned  ``seconds``, ``files``, ``peak_bytes``, and what `observed.preview` says
    ended     all is done: ``peak_bytes``
"""

import json
import os
import shlex
import sys
import time
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple

from gristmill_worker.__main__ import CHANNEL_LOST, encoder_of, set_up, stage_of
from gristmill_worker.channel import Channel, ChannelLost
from gristmill_worker.failure import describe, own_part
from gristmill_worker.items import ItemReader
from gristmill_worker.memory import peak_bytes
from gristmill_worker.observed import OBSERVED, preview
from gristmill_worker.row_ranges import MARK
from gristmill_worker.script import Context, Script
from gristmill_worker.staging import Rows

#: Where an exception comes from that ends a debugger's session.
_DEBUGGERS = ("bdb.py", "pdb.py")


def main() -> int:
    """Run it; return the exit status of the process."""
    configuration: Dict[str, Any] = json.loads(sys.argv[1])
    terms: Dict[str, Any] = json.loads(sys.argv[3])
    configuration["log"] = ""  # what the script logs is for the person, too
    channel = set_up(configuration)
    try:
        Foreground(channel, configuration, terms).perform()
    except ChannelLost:
        return CHANNEL_LOST
    return 0


class Foreground:
    """One call of ``run()`` that a person watches."""

    def __init__(self, channel: Channel, configuration: Dict[str, Any], terms: Dict[str, Any]) -> None:
        self._channel = channel
        self._configuration = configuration
        self._terms = terms
        self._process = os.getpid()
        self._stage = "import"
        self._script: Script

    def perform(self) -> None:
        """Import, ``init()``, ``run()``, ``shutdown()``; whatever fails is told. As in a job, what has
        started is shut down, too.
        """
        if self._passes("import", self._load) and self._passes("init", self._script.init):
            self._passes("run", self._run)
            self._passes("shutdown", self._script.shutdown)
        self._tell("ended", peak_bytes=peak_bytes())

    def _passes(self, stage: str, step: Optional[Callable[[], object]]) -> bool:
        """Take a step, and say whether it went well; what it raises is told."""
        if step is None:
            return True
        self._stage = stage
        self._tell("stage", stage=stage)
        try:
            step()
        except ChannelLost:
            raise
        except BaseException as error:  # whatever it is, it is told
            self._leave_if_forked()
            self._failed(error)
            return False
        self._leave_if_forked()
        return True

    def _load(self) -> None:
        configuration = self._configuration
        self._encode = encoder_of(configuration, is_shown=True)
        arguments = shlex.split(configuration["program_arguments"])
        self._script = Script.load(configuration["script"], configuration["code"], arguments)

    def _run(self) -> None:
        script, terms = self._script, self._terms
        names, paths, rows = self._items()
        context = Context(self._configuration["job"], self._configuration["root"])
        context.begin(terms["mini_batch"], terms["attempt"], paths, rows)
        items, began = len(paths) if rows is None else rows.total, time.monotonic()
        result = script.run(paths, context) if script.takes_context else script.run(paths)
        self._leave_if_forked()
        seconds = time.monotonic() - began
        encoded = self._encode(result, *((names,) if rows is None else rows.inputs_of(result, 0)))
        if rows is not None:
            encoded = encoded._replace(results=rows.succeeded(encoded.results))
        self._tell(
            "returned",
            seconds=seconds,
            files=items,
            peak_bytes=peak_bytes(),
            **preview(result, encoded, script.file_name, self._configuration["outbox"]),
        )

    def _items(self) -> Tuple[List[str], List[str], Optional[Rows]]:
        terms = self._terms
        items = ItemReader(self._configuration["plan"], self._configuration["root"])
        raw = items.read(terms["mini_batch"], 1)[0]
        if MARK in raw:
            rows = stage_of(self._configuration).prepare(raw, terms["first_item"], terms["items"])
            return rows.names, rows.paths, rows
        return (*items.names(raw, terms["first_item"], terms["items"]), None)

    def _failed(self, error: BaseException) -> None:
        code = self._configuration["code"]
        script = os.path.basename(self._configuration["script"])
        message, text = describe(error, script, self._stage, code)
        has_left = _is_of_a_debugger(error)
        if not has_left:
            sys.stderr.write(text)
            self._open_debugger(error, code)
        name = type(error).__name__
        self._tell("failed", stage=self._stage, kind=name, message=message, left_debugger=has_left)

    def _open_debugger(self, error: BaseException, code: str) -> None:
        """Open a debugger where the script raised: at the innermost line of its author's."""
        trace = own_part(error.__traceback__)
        if not self._terms["post_mortem"] or trace is None:
            return
        import pdb  # slow to import, and rarely asked for

        debugger = pdb.Pdb()
        above = _frames_below_the_author(trace, code)
        if above:
            debugger.rcLines.append("up %d" % above)
        debugger.reset()
        debugger.interaction(None, trace)

    def _leave_if_forked(self) -> None:
        """End here if this is a child that the script forked and that came back: it is no worker."""
        if os.getpid() != self._process:
            os._exit(0)

    def _tell(self, event: str, **values: Any) -> None:
        sys.stdout.flush()
        self._channel.tell(OBSERVED, {"event": event, **values})


def _is_of_a_debugger(error: BaseException) -> bool:
    """Say whether a person left a debugger, which ends what it looked at."""
    if type(error).__name__ not in ("BdbQuit", "SystemExit"):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and os.path.basename(trace.tb_frame.f_code.co_filename) in _DEBUGGERS


def _frames_below_the_author(trace: TracebackType, code: str) -> int:
    """Count the frames of libraries below the innermost one of the author's own code; 0 if none is theirs."""
    below, found = 0, False
    current: Optional[TracebackType] = trace
    while current is not None:
        file = current.tb_frame.f_code.co_filename
        if file.startswith(code.rstrip("/") + "/") and "/site-packages/" not in file:
            below, found = 0, True
        else:
            below += 1
        current = current.tb_next
    return below if found else 0
