"""``gristmill replay``: a file of a job on this terminal, as it ran in the job; what comes of it on stderr.

stdin and stdout are the script's alone: `breakpoint()` and `print` are to work as if it were run by hand.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.check import written
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr
from gristmill.service.replay_part import Wanted
from gristmill.service.replaying import Replayed
from gristmill.shown.words import counted

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs

#: As shells do: the status of what was ended by a signal is this and the signal's number.
_BY_SIGNAL = 128


def replay(args: Namespace, jobs: Jobs) -> int:
    """Replay a file of a job, or its mini-batch.

    Parameters
    ----------
    args
        The options of ``gristmill replay``.
    jobs
        The service.

    Returns
    -------
    int
        ``COMPLETED`` where ``run()`` returned a result for every file, else ``JOB_FAILED``; of what was ended
        by a signal 128 and its number.

    Raises
    ------
    RequestError
        There is no such job or file, or what it ran with is gone; nothing was run.
    """
    stderr = Stderr()
    wanted = Wanted(item=args.item, mini_batch=args.mini_batch, post_mortem=args.pdb)
    replayed = jobs.replay(args.job, wanted, stderr.say)
    stderr.say(*_lines(replayed))
    if replayed.ended_by:
        return _BY_SIGNAL + replayed.ended_by
    return ExitStatus.COMPLETED if replayed.is_good else ExitStatus.JOB_FAILED


def _lines(replayed: Replayed) -> list[str]:
    lines = [f"failed      {problem}" for problem in replayed.problems]
    preview = replayed.preview
    if preview is not None:
        files, results = counted(preview.files, "file"), counted(preview.results, "result")
        lines.append(f"returned    {results} of type {replayed.kind} for {files}, in {preview.seconds:.3f} s")
        lines += written(preview)
    if replayed.peak_bytes is not None:
        lines.append(f"memory      {show.size(replayed.peak_bytes)} at most")
    lines += [f"notice: {notice}" for notice in replayed.notices]
    return [*lines, replayed.advice] if replayed.advice else lines
