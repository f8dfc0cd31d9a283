"""Entry of the worker process: ``python gristmill_worker.zip CONFIGURATION``.

The one argument is JSON; `engine.launch` writes it and lists its keys. Everything here happens before any
code of the user's runs: standard streams, logging, the private working directory, the channel out of reach.
"""

import faulthandler
import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from gristmill_worker.channel import Channel, ChannelLost
from gristmill_worker.encoded import Encoded
from gristmill_worker.error_log import ErrorLog
from gristmill_worker.frame_settings import frame_settings
from gristmill_worker.items import ItemReader
from gristmill_worker.logs import set_up_logging, set_up_streams
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

if TYPE_CHECKING:
    from gristmill_worker.keeping import Keeping

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
    set_up_streams()
    faulthandler.enable()
    limit_data(configuration["data_limit"])
    os.chdir(configuration["working_folder"])
    set_up_logging(configuration["log"], configuration["logging_level"])
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
    keeping = None
    if configuration["is_kept"]:
        from gristmill_worker.keeping import Keeping  # other workers start without it

        keeping = Keeping(configuration["working_folder"], configuration["tracking_store"])
    process = _Process(channel, slot, _writes(configuration, slot), keeping)
    worker = process.worker(configuration, encode)
    arguments = shlex.split(configuration["program_arguments"])
    if not worker.start(script, configuration["code"], arguments):
        return 1
    terms = worker.serve()
    while terms is not None:
        worker = process.next_worker(worker, {**configuration, **terms})
        terms = worker.serve()
    return 0


class _Process:
    """What stays the same whatever job this process works on."""

    def __init__(self, channel: Channel, slot: Slot, writes: Writes, keeping: Optional["Keeping"]) -> None:
        self._channel = channel
        self._slot = slot
        self._writes = writes
        self._keeping = keeping

    def worker(self, configuration: Dict[str, Any], encode: Callable[..., Encoded]) -> Worker:
        """Return what serves one job."""
        return Worker(
            channel=self._channel,
            slot=self._slot,
            items=ItemReader(configuration["plan"], configuration["root"]),
            stage=stage_of(configuration),
            part=Part(configuration["part"]),
            outbox=Outbox(configuration["outbox"], configuration["aside"], self._writes),
            encode=encode,
            job_name=configuration["job"],
            error_log=configuration["error_log"],
            keeping=self._keeping,
        )

    def next_worker(self, before: Worker, configuration: Dict[str, Any]) -> Worker:
        """Return what serves the next job, with the script that has been loaded.

        Raises
        ------
        OSError
            A file of the job cannot be opened; this process is of no more use.
        """
        assert self._keeping is not None, "a worker that is not kept has no other job"
        before.close()
        self._keeping.move(configuration)
        self._writes.on_read = _note_of(configuration["root"], self._slot)
        worker = self.worker(configuration, encoder_of(configuration))
        worker.go_on(before.script, configuration["binding"])
        return worker


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
    on_read = _note_of(configuration["root"], slot)
    return Writes(configuration["outbox"], notes, configuration["working_folder"], on_read)


def _note_of(input_folder: str, slot: Slot) -> Callable[[Any], None]:
    """Return what keeps the input file that was opened last where it survives this process."""
    root = os.fsencode(input_folder.rstrip("/") + "/")

    def on_read(path: Any) -> None:
        raw = os.fsencode(path)
        if raw.startswith(root):
            slot.note_opened(raw)

    return on_read


def _refuse(channel: Channel, error_log: str, message: str) -> int:
    """Report that the script is not even loaded, for a mistake in a file beside it."""
    ErrorLog(error_log).note(message)
    channel.tell(START_FAILED, {"stage": "import", "message": message, "traceback": message + "\n"})
    return 1


if __name__ == "__main__":
    sys.exit(main())
