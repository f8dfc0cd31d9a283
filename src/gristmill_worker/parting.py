"""What a worker says at the end of a job: what lies in its output folder, and the memory that it has had."""

import gc
from typing import Any, Dict

from gristmill_worker.memory import peak_bytes
from gristmill_worker.outbox import Outbox
from gristmill_worker.part import Part
from gristmill_worker.script import Script
from gristmill_worker.writes import flush_libraries

_MISSED = (
    "run() left {names} in its working folder, which is removed: write to the folder in "
    "AZUREML_BI_OUTPUT_PATH"
)


def farewell(script: Script, outbox: Outbox, part: Part, has_scored: bool) -> Dict[str, Any]:
    """Return the fields of BYE: what is left in the output folder is taken, if any mini-batch was scored."""
    told: Dict[str, Any] = {"shutdown_error": None, "files": 0, "offset": 0, "attached": 0, "attached_crc": 0}
    told["peak_bytes"] = peak_bytes()
    if has_scored and outbox.is_touched():
        try:
            told.update(_last_takings(script, outbox, part))
        except OSError as error:
            told["shutdown_error"] = "what it left in the output folder is lost: %s" % error
    return told


def _last_takings(script: Script, outbox: Outbox, part: Part) -> Dict[str, int]:
    """Take what lies in the output folder, with what only the end of a script closes."""
    if outbox.has_open():
        script.forget()
        gc.collect()
        flush_libraries()
    takings = outbox.take_last()
    offset = part.offset
    attached, crc = part.attach(outbox.folder, takings.pieces)
    return {"files": takings.files, "offset": offset, "attached": attached, "attached_crc": crc}


def missed(outbox: Outbox) -> str:
    """Say what the script wrote where it is lost; empty where it did not."""
    names = outbox.missed()
    if not names:
        return ""
    others = " and %d more" % (len(names) - 1) if len(names) > 1 else ""
    return _MISSED.format(names=names[0] + others)
