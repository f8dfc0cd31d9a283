"""The protocol between the coordinator and a worker; this text is its specification.

Two pipes, one each way, carry *frames*: a header (length of the payload as u32, kind as one byte,
little-endian) and the payload. The worker's ends of the pipes are duplicated to high descriptors that
close on exec and are closed in forked children, so that 0, 1 and 2 belong to the user's script.

Coordinator to worker
    ``TASK``     one or more `TASK_STRUCT`: the range (first mini-batch, number of mini-batches, first
                 item, items; items = 0 means whole mini-batches) and the number of this try, from 1.
                 The paths themselves are read by the worker from the manifest.
    ``STOP``     no payload: there is no more work; call ``shutdown()`` and end.
    ``REST``     no payload: the job is over; answer with RESTED, and wait for REBIND or STOP.
    ``REBIND``   JSON ``{"binding", "job", "plan", "root", "part", "aside", "log", "error_log", "stdout",
                 "stderr", "tracking_store", "variables"}``: go on with another job, as if the script had
                 just been loaded; answer with READY.

Worker to coordinator
    ``HELLO``    JSON ``{"protocol", "python", "pid"}``, before the script is loaded.
    ``READY``    JSON ``{"init_s", "modules", "binding", "unfit"}``, after ``init()``; modules are
                 ``[path below the code folder, sha256]``; the binding is 0, or that of the REBIND that is
                 answered; ``unfit`` says in words why the worker cannot stay for another job, and is empty
                 where it can, as far as that is known.
    ``START_FAILED`` JSON ``{"stage", "message", "traceback"}``: the script could not be imported or
                 ``init()`` failed; the worker ends.
    ``DONE``     one or more `RECORD_STRUCT`: a run of consecutive mini-batches that returned.
    ``FAILED``   JSON, one mini-batch (or part of one) whose try failed: ``first``, ``first_item``,
                 ``items``, ``attempt``, ``reason``, ``message``, ``traceback``, ``seconds``, and
                 ``log_offset``, where the error log tells of it; ``opened``, the input file that
                 the script opened last; ``blamed``, the files that its exception names (``failed_files``);
                 ``leaving`` says in words why the worker must be replaced after it, and is null where it
                 need not; ``is_staging`` says that ``run()`` was not called, since rows could not be staged.
    ``HEADER``   JSON ``{"id", "columns", "line", "types"}``: the columns that records with this header id
                 have, the line that stands above such rows, empty unless the output begins with one,
                 and the columns' types, none unless the output has types.
    ``NOTICE``   JSON ``{"key", "text"}``: to be told once per job.
    ``DROPPED``  u64: every mini-batch handed to this worker before this ordinal (counted from 0) has
                 been run or dropped; sent while the slot's recall flag is set.
    ``RESTED``   JSON ``{"unfit"}``, in words, where the worker cannot stay, and nothing was taken or put in
                 order; else ``{"unfit": "", …}`` and the fields of BYE.
    ``BYE``      JSON ``{"shutdown_error", "files", "offset", "attached", "attached_crc",
                 "peak_bytes"}``: the answer to STOP, with what was left in the output folder after
                 ``shutdown()``, and the most memory that the process had.

Every mini-batch of a task is answered exactly once: by a record, a failure, or by being dropped. What
a worker that died had finished but not yet sent stands in its slot (see `slot`).
"""

import struct

PROTOCOL = 3

FRAME = struct.Struct("<IB")

TASK, STOP, REST, REBIND = 1, 2, 3, 4
HELLO, READY, START_FAILED, DONE, FAILED, HEADER, NOTICE, DROPPED, BYE = 16, 17, 18, 19, 20, 21, 22, 23, 24
RESTED = 25

#: first mini-batch, mini-batches, first item, items (0: all), try
TASK_STRUCT = struct.Struct("<QIIIH")

#: first mini-batch, mini-batches, first item, items (0: all), try, header id (0: none), items in all,
#: results, offset and length of the rows in the part, CRC-32 of these bytes, whole files set aside, seconds,
#: length and CRC-32 of the pieces that follow the rows in the part, whether the outcome is held
RECORD_STRUCT = struct.Struct("<QIIIHHQQQQIIdQIB")

#: In the part, in front of each piece of a file and its name: length of the name, length of the piece, and
#: where the piece begins in the worker's own file, all in bytes.
PIECE_STRUCT = struct.Struct("<IQQ")

DROPPED_STRUCT = struct.Struct("<Q")


def frame(kind: int, payload: bytes = b"") -> bytes:
    """Return one frame, ready to be written."""
    return FRAME.pack(len(payload), kind) + payload
