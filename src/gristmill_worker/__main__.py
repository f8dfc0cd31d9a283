"""Entry of the worker process: ``python gristmill_worker.zip CONFIGURATION``.

The one argument is JSON; `engine.launch` writes it and lists its keys. Everything here happens before any
code of the user's runs: standard streams, logging, the private working directory, the channel out of reach.
"""

import faulthandler
import json
import logging
import os
import shlex
import sys
import time
from io import TextIOWrapper
from typing import Any, Callable, Dict

from gristmill_worker.channel import Channel, ChannelLost
from gristmill_worker.encoded import Encoded
from gristmill_worker.frame_settings import frame_settings
from gristmill_worker.items import ItemReader
from gristmill_worker.loop import Worker
from gristmill_worker.memory import limit_data
from gristmill_worker.outbox import Outbox
from gristmill_worker.part import Part
from gristmill_worker.provenance import Provenance
from gristmill_worker.rows import encoder
from gristmill_worker.script import ScriptError
from gristmill_worker.slot import Slot
from gristmill_worker.stacks import show_when_asked
from gristmill_worker.staging import Stage
from gristmill_worker.wire import HELLO, PROTOCOL, START_FAILED
from gristmill_worker.writes import Writes

#: The worker ends with this status when its channel is gone (EX_PROTOCOL of sysexits.h).
CHANNEL_LOST = 76


def main() -> int:
    """Serve until told to stop; return the exit status of the process."""
    configuration: Dict[str, Any] = json.loads(sys.argv[1])
    channel = set_up(configuration)
    try:
        return _serve(channel, configuration)
    except ChannelLost as lost:
        sys.stderr.write("gristmill worker: %s; nothing more can be reported, so it ends\n" % lost)
        return CHANNEL_LOST


def set_up(configuration: Dict[str, Any]) -> Channel:
    """Make the process what a script expects, and say hello; for `rehearsal` and `foreground`, too."""
    own_archive = sys.path.pop(0)
    sys.path.append(own_archive)  # last: for `azureml_user`, and in the way of nothing
    _set_up_streams()
    faulthandler.enable()
    limit_data(configuration["data_limit"])
    os.chdir(configuration["working_folder"])
    _set_up_logging(configuration["log"], configuration["logging_level"])
    channel = Channel(configuration["incoming"], configuration["outgoing"])
    os.register_at_fork(after_in_child=channel.close_in_child)
    channel.tell(
        HELLO, {"protocol": PROTOCOL, "python": "%d.%d.%d" % sys.version_info[:3], "pid": os.getpid()}
    )
    return channel


def _serve(channel: Channel, configuration: Dict[str, Any]) -> int:
    script = configuration["script"]
    try:
        encode = encoder_of(configuration)
    except ScriptError as error:
        return _refuse(channel, configuration["error_log"], str(error))
    show_when_asked(configuration["stacks"], configuration["tracer"])
    slot = Slot(configuration["slots"], configuration["slot"])
    worker = Worker(
        channel=channel,
        slot=slot,
        items=ItemReader(configuration["plan"], configuration["root"]),
        stage=stage_of(configuration),
        part=Part(configuration["part"]),
        outbox=Outbox(configuration["outbox"], configuration["aside"], _writes(configuration, slot)),
        encode=encode,
        job_name=configuration["job"],
        error_log=configuration["error_log"],
    )
    arguments = shlex.split(configuration["program_arguments"])
    if not worker.start(script, configuration["code"], arguments):
        return 1
    worker.serve()
    return 0


def encoder_of(configuration: Dict[str, Any], is_shown: bool = False) -> Callable[..., Encoded]:
    """Return what turns results into rows; those that are only ``is_shown`` are text in every format.

    Raises
    ------
    ScriptError
        The file with settings beside the script is not right.
    """
    script, output_format = configuration["script"], configuration["output_format"]
    # Only this format knows the file: elsewhere, what stands in it is of no consequence.
    frame_arguments = frame_settings(script) if output_format == "azure" else None
    return encoder(
        _AS_TEXT.get(output_format, output_format) if is_shown else output_format,
        os.path.basename(script),
        frame_arguments,
        configuration["with_header"],
        Provenance(**configuration["provenance"]),
    )


#: What stands for a format that is no text.
_AS_TEXT = {"parquet": "jsonl"}


def stage_of(configuration: Dict[str, Any]) -> Stage:
    """Return what puts the rows of large files into files of their own."""
    return Stage(os.path.join(configuration["working_folder"], ".gristmill-rows"), configuration["root"])


def _writes(configuration: Dict[str, Any], slot: Slot) -> Writes:
    notes = os.path.join(configuration["working_folder"], ".written-by-children")
    root = os.fsencode(configuration["root"].rstrip("/") + "/")

    def on_read(path: Any) -> None:
        """Keep the input file that was opened last where it survives this process."""
        raw = os.fsencode(path)
        if raw.startswith(root):
            slot.note_opened(raw)

    return Writes(configuration["outbox"], notes, configuration["working_folder"], on_read)


def _refuse(channel: Channel, error_log: str, message: str) -> int:
    """Report that the script is not even loaded, for a mistake in a file beside it."""
    try:
        with open(error_log, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write("%s %s\n" % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), message))
    except OSError:
        sys.stderr.write(message + "\n")
    channel.tell(START_FAILED, {"stage": "import", "message": message, "traceback": message + "\n"})
    return 1


class _Printed(TextIOWrapper):
    """What the script prints: every line is in the log at once, and neither a character nor a full disk
    fails.
    """

    @classmethod
    def over(cls, stream: Any) -> "_Printed":
        """Take the place of a standard stream."""
        return cls(stream.detach(), encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)  # the disk of the logs is full: that costs no result

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            pass


def _set_up_streams() -> None:
    """Every line that the script prints is in the log at once, and no character can fail."""
    for name in ("stdout", "stderr"):
        printed = _Printed.over(getattr(sys, name))
        setattr(sys, name, printed)
        setattr(sys, "__%s__" % name, printed)


class _Log(logging.FileHandler):
    """A log in which no character can fail; the parameter for it came with Python 3.9."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding="utf-8", errors="backslashreplace")


def _set_up_logging(path: str, level: str) -> None:
    """Send the root logger to a file; without a path, to standard error."""
    handler = _Log(path, encoding="utf-8", delay=True) if path else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())


if __name__ == "__main__":
    sys.exit(main())
