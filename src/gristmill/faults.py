"""Named points at which a test may stop a process of ours, to kill it (or another) exactly there.

With ``GRISTMILL_FAULT_POINT=name:count`` in its environment a process stops itself with SIGSTOP when it
reaches the point ``name`` for the count-th time. Without that variable nothing happens. The kill suite in
`tests/faults` walks through all of these; the worker has its own copy of this module, since it
imports nothing of ours.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "job.created",
    "plan.complete",
    "start.before_record",
    "start.after_record",
    "journal.before_write",
    "journal.after_write",
    "sync.before_parts",
    "sync.after_parts",
    "sync.after_mark",
    "sync.after_journal",
    "files.before_move",
    "files.after_move",
    "publish.before_write",
    "publish.after_write",
    "publish.before_files",
    "publish.after_file",
    "publish.before_sync",
    "publish.after_sync",
    "publish.before_rename",
    "publish.after_rename",
    "publish.before_record",
    "publish.after_record",
    "publish.before_parts_removed",
    "publish.after_parts_removed",
    "job.before_ending",
    "job.after_ending",
)
"""The points of the coordinator, in the order in which a job meets them."""

EXTENSION_POINTS = ("plan.before_extension", "plan.after_extension")
"""The points that only ``resume --new`` meets."""

RERUN_POINTS = (
    "replace.before_record",
    "replace.after_record",
    "replace.before_rename",
    "replace.after_rename",
)
"""Those that only a rerun meets."""

ENVIRONMENT_POINTS = ("environment.before_record",)
"""Those that only the building of an environment meets."""

REMOVAL_POINTS = ("content.taken_out",)
"""Those that only the removal of a content meets."""

CONTENT_POINTS = (
    "content.before_copy",
    "content.after_file",
    "content.before_sync",
    "content.before_rename",
    "content.after_rename",
)
"""Those that only the keeping of a model, or of code, meets."""

CATALOG_POINTS = ("catalog.before_commit",)
"""Those that only the making of the catalog's tables meets."""

QUEUE_POINTS = (
    "submit.made",
    "submit.keyed",
    "submit.marked",
    "submit.accepted",
    "submit.indexed",
)
"""The points of a command that queues a job."""

RUNNER_POINTS = ("runner.dealt", "runner.idle", "runner.unlocked", "slot.done")
"""Those of the runner of a home, and of its slots."""

ASSET_POINTS = ("asset.before_row", "asset.after_row")
"""Those that only the naming of a model, an environment or data meets, after its content is kept."""

ENDPOINT_POINTS = ("endpoint.before_row", "endpoint.after_row")
"""Those that only an endpoint or a deployment meets that is created or changed."""

JOB_REMOVAL_POINTS = ("delete.after_row", "delete.after_output", "delete.after_parts", "delete.after_name")
"""Those that only a job that is deleted or pruned meets."""

WORKER_POINTS = (
    "worker.files.taken",
    "worker.part.before_write",
    "worker.part.after_write",
    "worker.outcome.before_send",
    "worker.outcome.after_send",
)
"""The points of a worker."""

_NAME, _, _COUNT = os.environ.get("GRISTMILL_FAULT_POINT", "").partition(":")
_reached = 0


def reach(name: str) -> None:
    """Stop this process if this is the point that a test asked for."""
    if name == _NAME:
        global _reached
        _reached += 1
        if _reached == int(_COUNT or 1):
            os.kill(os.getpid(), signal.SIGSTOP)
