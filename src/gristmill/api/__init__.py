"""Gristmill from Python: ``gristmill.run(...)`` and what it returns.

`start` begins a job, `follow` works on it until it has ended, `handle` is what came of it, `frame` and
`failed` read its results, `notebook` and `card` are how a notebook shows it; `tuned` measures a script before
there is a job. It is a door like the command line: what was asked goes to the service, and messages come back
in the words of Python. Everything here is reached as ``gristmill.<name>``, which loads it at first use.
"""

from gristmill.api.failed import FailedItem
from gristmill.api.handle import Job, job, jobs, resume
from gristmill.api.start import run
from gristmill.api.tuned import Tuned, tune

__all__ = ["FailedItem", "Job", "Tuned", "job", "jobs", "resume", "run", "tune"]
