"""``gristmill tune``: a script measured on a sample, and the settings that follow, on stdout."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.start import overrides
from gristmill.cli.streams import Stderr, answer
from gristmill.service.endpoints.references import load_at
from gristmill.service.tune import TuneRequest, Tuning
from gristmill.service.tune import tune as measure
from gristmill.shown.tuning import lines
from gristmill.shown.words import harmless

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


def tune(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Measure a deployment or a script, and recommend settings.

    Parameters
    ----------
    args
        The options of ``gristmill tune``.
    jobs
        Says where the home is: it is no job, and leaves nothing there but an environment.

    Returns
    -------
    ExitStatus
        ``JOB_FAILED`` where nothing could be measured; ``CANCELED`` after Ctrl-C, with what was known.

    Raises
    ------
    RequestError
        The file, an option, the input or the interpreter is not right; nothing was started.
    KeyboardInterrupt
        It was interrupted before anything was known.
    """
    request = TuneRequest(
        deployment=load_at(jobs.home, args.deployment, overrides(args.settings)),
        input=args.input,
        budget_s=args.budget,
        may_repeat=args.yes,
    )
    tuning = measure(request, jobs.home, Stderr().say)
    if args.json:
        answer(json.dumps(tuning.to_json(), indent=2, default=str))
    else:
        typed = _typed(args, tuning) if tuning.is_bare_script else ""
        answer(*map(harmless, lines(tuning, typed)))
    if tuning.recommendation is None:
        return ExitStatus.JOB_FAILED
    return ExitStatus.CANCELED if tuning.interrupted else ExitStatus.COMPLETED


def _typed(args: Namespace, tuning: Tuning) -> str:
    """Return the command that starts a job so."""
    words = ["gristmill", "run", str(args.deployment), "--input", str(args.input)]
    for name, value in tuning.settings.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
