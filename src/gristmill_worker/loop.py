"""The worker's loop: load the script, then serve mini-batches one after the other until told to stop."""

import json
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

from gristmill_worker import slot as slots
from gristmill_worker import wire
from gristmill_worker.channel import Channel, tasks_of
from gristmill_worker.encoded import NOTICES
from gristmill_worker.error_log import ErrorLog
from gristmill_worker.failure import blamed_files, describe, reason_of
from gristmill_worker.faults import reach
from gristmill_worker.items import ItemReader
from gristmill_worker.outbox import Outbox, Takings
from gristmill_worker.part import Part
from gristmill_worker.parting import farewell, missed
from gristmill_worker.row_ranges import MARK
from gristmill_worker.script import Context, Script
from gristmill_worker.staging import Rows, Stage

if TYPE_CHECKING:
    from gristmill_worker.keeping import Keeping

#: Finished mini-batches are reported at the latest after this long.
REPORT_EVERY_NS = 5_000_000

_NOTHING_TAKEN = Takings(0, [], False)
_HELD = (
    "{script}: {names} in the output folder is kept open by a library that may hold back what is written; it "
    "is taken when it is closed, at the latest after shutdown(), and what was scored since it was opened "
    "counts only then. Close it before run() returns, or write one file for each mini-batch"
)
_NEVER = "it was not started for that"
_LEAVING = "it held {} open after a failed try, and what the try wrote there cannot be taken back"

Encoder = Callable[..., Any]
Task = Tuple[int, int, int, int, int]


class Worker:
    """One incarnation: one script, one channel, one part."""

    def __init__(
        self,
        *,
        channel: Channel,
        slot: slots.Slot,
        items: ItemReader,
        stage: Stage,
        part: Part,
        outbox: Outbox,
        encode: Encoder,
        job_name: str,
        error_log: str,
        keeping: Optional["Keeping"] = None,
    ) -> None:
        self._channel = channel
        self._slot = slot
        self._items = items
        self._stage = stage
        self._part = part
        self._outbox = outbox
        self._encode = encode
        self._error_log = ErrorLog(error_log)
        self._keeping = keeping
        self._context = Context(job_name, items.root)
        self._process = os.getpid()
        self._queue: Deque[Task] = deque()
        self._ordinal = 0
        self.script: Script
        self._headers: dict = {}  # type: ignore[type-arg]  # Python 3.8 cannot subscript dict
        self._noticed: set = set()  # type: ignore[type-arg]
        self._reported_ns = time.monotonic_ns()
        self._pending = slots.NOTHING_PENDING
        self._activity = slots.RESTING
        self._has_scored = False

    def start(self, path: str, code: str, arguments: Sequence[str]) -> bool:
        """Import the script and call ``init()``; report READY or START_FAILED and return which."""
        began = time.monotonic()
        stage = "import"
        self._slot.publish(slots.LOADING, 0, time.monotonic_ns(), 0, 0, 0, 0, slots.NOTHING_PENDING)
        try:
            self.script = Script.load(path, code, arguments)
            stage = "init"
            if self.script.init is not None:
                self.script.init()
        except BaseException as error:  # whatever it is, it is reported and ends this worker
            self._leave_if_forked()
            message, text = describe(error, os.path.basename(path), stage, code)
            self._error_log.note(text)
            self._channel.tell(wire.START_FAILED, {"stage": stage, "message": message, "traceback": text})
            return False
        self._leave_if_forked()
        self._outbox.begin()
        if self._keeping is not None:
            self._keeping.begin(self.script, self._outbox)
        self._tell_ready(0, time.monotonic() - began)
        return True

    def go_on(self, script: Script, binding: int) -> None:
        """Serve another job with a script that has been loaded."""
        self.script = script
        self._outbox.begin()
        self._tell_ready(binding, 0.0)

    def _tell_ready(self, binding: int, init_s: float) -> None:
        if self.script.init is None:
            self._notice("no_init", "%s has no init(); that is allowed" % self.script.file_name)
        self._publish_idle()
        unfit = _NEVER if self._keeping is None else self._keeping.never
        told = {"init_s": init_s, "modules": self.script.modules(), "binding": binding, "unfit": unfit}
        self._channel.tell(wire.READY, told)

    def close(self) -> None:
        """Give back the files of this job; the script stays loaded."""
        self._items.close()
        self._part.close()

    def serve(self) -> Optional[Dict[str, Any]]:
        """Run mini-batches until STOP, then say goodbye; or until there is another job: return its terms.

        Raises
        ------
        ChannelLost
            The coordinator is gone.
        """
        while True:
            if not self._queue:
                self._report()
                kind, payload = self._channel.read()
                if kind == wire.STOP:
                    break
                if kind == wire.REBIND:
                    terms: Dict[str, Any] = json.loads(payload)
                    return terms
                if kind == wire.REST:
                    self._rest()
                else:
                    self._queue.extend(tasks_of(payload))
                continue
            task = self._queue.popleft()
            if self._slot.recalled():
                self._drop(task[1])
            else:
                self._serve_task(*task)
        self._shut_down()
        return None

    def _serve_task(self, first: int, batches: int, first_item: int, items: int, attempt: int) -> None:
        slot, read = self._slot, self._items.names
        for index, raw in enumerate(self._items.read(first, batches)):
            batch = first + index
            now = time.monotonic_ns()
            self._activity = (slots.RUNNING, self._ordinal, now, batch, first_item, items, attempt)
            slot.publish(*self._activity, self._pending)
            if slot.recalled():
                self._drop(batches - index)
                return
            if MARK in raw:
                self._run_rows(batch, first_item, items, attempt, raw)
            else:
                names, paths = read(raw, first_item, items)
                self._run(batch, first_item, items, attempt, names, paths, now)
            self._ordinal += 1

    def _run_rows(self, batch: int, first_item: int, items: int, attempt: int, raw: bytes) -> None:
        """Stage the pieces of files and run them; the time that this takes is not the script's."""
        began_ns = time.monotonic_ns()
        try:
            rows = self._stage.prepare(raw, first_item, items)
        except BaseException as error:  # whatever it is, it is reported, as what run() raises is
            self._stage.clear()
            ours = isinstance(error, OSError) and error.errno is not None
            reason = "infrastructure" if ours else None
            self._fail(batch, first_item, items, attempt, error, began_ns, reason, is_staging=True)
            return
        try:
            now = time.monotonic_ns()
            self._activity = (slots.RUNNING, self._ordinal, now, batch, first_item, items, attempt)
            self._slot.publish(*self._activity, self._pending)
            self._run(batch, first_item, items, attempt, rows.names, rows.paths, now, rows)
        finally:
            self._stage.clear()

    def _run(
        self,
        batch: int,
        first_item: int,
        items: int,
        attempt: int,
        names: List[str],
        paths: List[str],
        began_ns: int,
        rows: Optional[Rows] = None,
    ) -> None:
        total = len(paths) if rows is None else rows.total
        script = self.script
        try:
            if script.takes_context:
                self._context.begin(batch, attempt, paths, rows)
                result = script.run(paths, self._context)
            else:
                result = script.run(paths)
            if rows is None:
                encoded = self._encode(result, names, batch)
            else:
                encoded = self._encode(result, *rows.inputs_of(result, batch))
                encoded = encoded._replace(results=rows.succeeded(encoded.results))
        except BaseException as error:  # the try failed, whatever it was; the loop goes on
            self._leave_if_forked()
            self._fail(batch, first_item, items, attempt, error, began_ns)
            return
        self._leave_if_forked()
        try:
            self._finish(batch, first_item, items, attempt, total, encoded, began_ns)
        except BaseException as error:
            if self._pending[1] and self._pending[0] + self._pending[1] > batch:
                raise  # it is recorded; whatever came of saying so ends this worker
            # A full disk has a number; what a signal handler of the script's raised here is the script's.
            ours = isinstance(error, OSError) and error.errno is not None
            self._fail(batch, first_item, items, attempt, error, began_ns, "infrastructure" if ours else None)

    def _finish(
        self, batch: int, first_item: int, items: int, attempt: int, total: int, encoded: Any, began_ns: int
    ) -> None:
        """Write the rows of a mini-batch that returned and add it to the pending record."""
        if encoded.notices:
            for key in encoded.notices:
                self._notice(key, NOTICES[key].format(script=self.script.file_name))
        header = self._header_id(encoded) if encoded.header else 0
        takings = _NOTHING_TAKEN
        if self._outbox.is_touched():
            takings = self._outbox.take(batch, first_item, attempt)
            if takings.held:
                self._tell_held()
        succeeded = encoded.results if encoded.results < total else total
        alone = bool(items or takings is not _NOTHING_TAKEN or succeeded < total)
        pending = self._pending
        follows = batch == pending[0] + pending[1] and pending[4] == attempt and pending[5] == header
        if pending[1] and (alone or not follows):
            self._report()
            pending = self._pending
        if not pending[1]:
            offset = self._part.offset
            pending = (batch, 0, first_item, items, attempt, header, 0, 0, offset, 0, 0, 0, 0.0, 0, 0, 0)
        data, crc = encoded.data, pending[10]
        if data:
            reach("worker.part.before_write")
            crc = self._part.append(data, crc)
            reach("worker.part.after_write")
        attached = attached_crc = 0
        if takings is not _NOTHING_TAKEN:
            reach("worker.files.taken")
            attached, attached_crc = self._part.attach(self._outbox.folder, takings.pieces)
            self._outbox.settle()
        ended_ns = time.monotonic_ns()
        first, batches, _, _, _, _, all_items, results, offset, length, _, _, seconds = pending[:13]
        self._pending = (
            first,
            batches + 1,
            first_item,
            items,
            attempt,
            header,
            all_items + total,
            results + succeeded,
            offset,
            length + len(data),
            crc,
            takings.files,
            seconds + (ended_ns - began_ns) / 1e9,
            attached,
            attached_crc,
            1 if takings.held else 0,
        )
        self._activity = slots.RESTING
        self._has_scored = True
        if alone or ended_ns - self._reported_ns > REPORT_EVERY_NS:
            self._report()

    def _report(self) -> None:
        """Send the pending record, if there is one."""
        pending = self._pending
        if pending[1]:
            payload = wire.RECORD_STRUCT.pack(*pending)
            reach("worker.outcome.before_send")
            self._channel.write(wire.frame(wire.DONE, payload))
            reach("worker.outcome.after_send")
            self._pending = slots.NOTHING_PENDING
            self._slot.publish(*self._activity, slots.NOTHING_PENDING)
            self._reported_ns = time.monotonic_ns()

    def _publish_idle(self) -> None:
        """Say that nothing is running, so that nobody looks at its deadline."""
        self._activity = slots.RESTING
        self._slot.publish(*self._activity, self._pending)

    def _fail(
        self,
        batch: int,
        first_item: int,
        items: int,
        attempt: int,
        error: BaseException,
        began_ns: int,
        reason: Optional[str] = None,
        is_staging: bool = False,
    ) -> None:
        self._report()
        held = self._outbox.put_back()
        message, text = describe(error, self.script.file_name, "run", self.script.code)
        position = self._error_log.note("mini-batch %d, try %d\n%s" % (batch, attempt, text))
        self._channel.tell(
            wire.FAILED,
            {
                "first": batch,
                "first_item": first_item,
                "items": items,
                "attempt": attempt,
                "reason": reason or reason_of(error),
                "message": message,
                "traceback": text,
                "seconds": (time.monotonic_ns() - began_ns) / 1e9,
                "log_offset": position,
                "opened": os.fsdecode(self._slot.opened()),
                "blamed": [] if reason or is_staging else blamed_files(error),
                "leaving": _LEAVING.format(", ".join(held)) if held else None,
                "is_staging": is_staging,
            },
        )
        self._publish_idle()
        if held:
            os._exit(0)  # the files are open, and nothing may flush more into them

    def _drop(self, batches: int) -> None:
        """Answer a recall: everything up to here has been run or is dropped."""
        self._report()
        self._publish_idle()
        self._ordinal += batches
        self._channel.write(wire.frame(wire.DROPPED, wire.DROPPED_STRUCT.pack(self._ordinal)))

    def _shut_down(self) -> None:
        self._slot.publish(
            slots.STOPPING, self._ordinal, time.monotonic_ns(), 0, 0, 0, 0, slots.NOTHING_PENDING
        )
        problem = None
        if self.script.shutdown is not None:
            try:
                self.script.shutdown()
            except BaseException as error:  # logged; it never fails the job (contract, section 1)
                problem, text = describe(error, self.script.file_name, "shutdown", self.script.code)
                self._error_log.note(text)
        self._leave_if_forked()
        self._notice("missed", missed(self._outbox))
        told = farewell(self.script, self._outbox, self._part, self._has_scored)
        told["shutdown_error"] = told["shutdown_error"] or problem
        self._channel.tell(wire.BYE, told)

    def _rest(self) -> None:
        """The job is over: leave this process as the next one may find it, or say why that cannot be."""
        keeping = self._keeping
        told = {"unfit": _NEVER if keeping is None else keeping.why_not(self._outbox)}
        if keeping is not None and not told["unfit"]:
            self._notice("missed", missed(self._outbox))
            told.update(farewell(self.script, self._outbox, self._part, self._has_scored))
            self.close()  # the rows of a job are large, and somebody removes them now
            try:
                keeping.tidy(self._outbox)
            except OSError as error:
                told["unfit"] = "what it has left cannot be removed: %s" % error
        self._channel.tell(wire.RESTED, told)

    def _tell_held(self) -> None:
        names = ", ".join(self._outbox.foreign[:3])
        self._notice("held_open", _HELD.format(script=self.script.file_name, names=names))

    def _header_id(self, encoded: Any) -> int:
        """Return the id of the columns of some rows, telling the coordinator about new ones."""
        columns = (encoded.header, encoded.types)
        number = self._headers.get(columns)
        if number is None:
            number = self._headers[columns] = len(self._headers) + 1
            line = encoded.line.decode("utf-8", "surrogateescape")
            told = {"id": number, "columns": encoded.header, "line": line, "types": encoded.types}
            self._channel.tell(wire.HEADER, told)
        return int(number)

    def _notice(self, key: str, text: str) -> None:
        if text and key not in self._noticed:
            self._noticed.add(key)
            self._channel.tell(wire.NOTICE, {"key": key, "text": text})

    def _leave_if_forked(self) -> None:
        """End here if this is a child that the script forked and that came back: it is no worker."""
        if os.getpid() != self._process:
            os._exit(0)
