"""The fourth entry of the worker process: the script is measured, call by call, as the coordinator asks.

``python gristmill_worker.zip CONFIGURATION trial TERMS``: the configuration is that of `__main__`; the terms
are JSON, ``{"stack"}``: the file for the stack of a call that takes too long.

Frames of the kind `TASK` hold JSON here, ``{"calls", "limit_s"}``: calls of ``run()``, each a list of paths
relative to the input's root, and the most seconds for one of them. `STOP` asks for ``shutdown()`` and the
end.

Frames of the kind `OBSERVED` go to the coordinator, JSON with an ``event``:

    ready     ``import_s``, ``init_s``, ``peak_bytes`` (at most, up to here), ``held_bytes`` (now)
    failed    in ``stage`` (import, init, run): ``message``, ``traceback``; after run, the next call follows
    called    a call that returned: ``files``, ``results``, ``began`` and ``ended`` (monotonic, in seconds),
              ``cpu_s``, ``stalled_s``, ``read_bytes``, ``written_s``, ``written_bytes``, ``peak_bytes``
    ended     all is done

Rows are encoded and written as in a job, and taken away again, and so are files in the output folder: nothing
piles up.
"""

import faulthandler
import json
import os
import shlex
import sys
import time
from typing import Any, Dict, List

from gristmill_worker.__main__ import CHANNEL_LOST, encoder_of, set_up
from gristmill_worker.channel import Channel, ChannelLost
from gristmill_worker.descriptors import out_of_reach
from gristmill_worker.effort import Effort
from gristmill_worker.failure import describe
from gristmill_worker.memory import forget_peak, private_bytes, private_peak_bytes
from gristmill_worker.observed import OBSERVED, below, emptied
from gristmill_worker.script import Context, Script
from gristmill_worker.wire import TASK


def main() -> int:
    """Serve until told to stop; return the exit status of the process."""
    configuration: Dict[str, Any] = json.loads(sys.argv[1])
    terms: Dict[str, Any] = json.loads(sys.argv[3])
    channel = set_up(configuration)
    try:
        Trial(channel, configuration, terms).perform()
    except ChannelLost:
        return CHANNEL_LOST
    return 0


class Trial:
    """One script, measured."""

    def __init__(self, channel: Channel, configuration: Dict[str, Any], terms: Dict[str, Any]) -> None:
        self._channel = channel
        self._configuration = configuration
        self._process = os.getpid()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._stack = out_of_reach(os.open(terms["stack"], flags, 0o600))
        self._rows = out_of_reach(os.open(configuration["part"], flags, 0o600))
        self._prefix = configuration["root"].rstrip("/") + "/"
        self._context = Context(configuration["job"], configuration["root"])
        self._stage = "import"
        self._calls = 0
        self._script: Script

    def perform(self) -> None:
        """Start, call what is asked for, shut down."""
        if not self._start():
            return
        while True:
            kind, payload = self._channel.read()
            if kind != TASK:
                break
            task = json.loads(payload)
            for names in task["calls"]:
                self._call(names, task["limit_s"])
        self._shut_down()
        self._tell("ended")

    def _start(self) -> bool:
        configuration, began = self._configuration, time.monotonic()
        try:
            self._encode = encoder_of(configuration)
            arguments = shlex.split(configuration["program_arguments"])
            self._script = Script.load(configuration["script"], configuration["code"], arguments)
            imported = time.monotonic()
            self._stage = "init"
            if self._script.init is not None:
                self._script.init()
        except BaseException as error:  # whatever it is, it is told
            self._failed(error)
            return False
        self._leave_if_forked()
        self._tell(
            "ready",
            import_s=imported - began,
            init_s=time.monotonic() - imported,
            peak_bytes=private_peak_bytes(),
            held_bytes=private_bytes(),
        )
        return True

    def _call(self, names: List[str], limit_s: float) -> None:
        self._stage = "run"
        script, context = self._script, self._context
        paths = [self._prefix + name for name in names]
        context.begin(self._calls, 1, paths, None)
        self._calls += 1
        forget_peak()
        faulthandler.dump_traceback_later(limit_s, file=self._stack)
        before = Effort.now()
        try:
            result = script.run(paths, context) if script.takes_context else script.run(paths)
            used = Effort.now().since(before)
            encoded = self._encode(result, names)
            self._write(encoded.data)
            written_s = time.monotonic() - before.at - used.at
            results = encoded.results
        except BaseException as error:  # the call failed, whatever it was
            self._failed(error)
            return
        finally:
            self._leave_if_forked()
            faulthandler.cancel_dump_traceback_later()
        outbox = self._configuration["outbox"]
        left = below(outbox)
        self._tell(
            "called",
            files=len(names),
            results=results,
            began=before.at,
            ended=before.at + used.at + written_s,
            cpu_s=used.cpu_s,
            stalled_s=used.stalled_s,
            read_bytes=used.read_bytes,
            written_s=written_s,
            written_bytes=len(encoded.data) + sum(size for _, size in left),
            peak_bytes=private_peak_bytes(),
        )
        if left:
            emptied(outbox)

    def _write(self, data: bytes) -> None:
        """Write rows where a job has them until they are put together."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._rows, view) :]
        os.ftruncate(self._rows, 0)

    def _shut_down(self) -> None:
        if self._script.shutdown is not None:
            try:
                self._script.shutdown()
            except BaseException as error:  # it fails no job, and is no part of what is measured
                sys.stderr.write("shutdown(): %r\n" % error)
            self._leave_if_forked()

    def _failed(self, error: BaseException) -> None:
        self._leave_if_forked()
        script, code = os.path.basename(self._configuration["script"]), self._configuration["code"]
        message, text = describe(error, script, self._stage, code)
        self._tell("failed", stage=self._stage, message=message, traceback=text)
        emptied(self._configuration["outbox"])

    def _leave_if_forked(self) -> None:
        """End here if this is a child that the script forked and that came back: it is no worker."""
        if os.getpid() != self._process:
            os._exit(0)

    def _tell(self, event: str, **values: Any) -> None:
        self._channel.tell(OBSERVED, {"event": event, **values})
