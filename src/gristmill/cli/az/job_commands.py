"""``job``: which verb has which options. Some verbs were ours before, and keep their words for people.

``gristmill job show JOB`` is answered in words, ``gristmill job show --name JOB`` as ``az ml`` does it, and
so is whatever comes with ``--query`` or ``--output``. This module imports only the standard library.
"""

from __future__ import annotations

import argparse
from functools import partial

from gristmill.cli.az.option import Option, adder, filled, one_of, whole_number
from gristmill.cli.az.options import (
    ARCHIVED_ONLY,
    COMMON,
    DOWNLOAD_PATH,
    INCLUDE_ARCHIVED,
    MOST,
    NAME,
    WEB,
    YES,
)
from gristmill.cli.parser import Command

_JOB = "gristmill.cli.az.job:"

_NAME = NAME._replace(words="the name of the job, answered as by az ml")
_WEB = WEB._replace(names=("--web", "-e"))
_PARENT = Option(
    ("--parent-job-name", "-p"), "only what belongs to this job, which is itself", "NAME", filled
)
_ALL_RESULTS = Option(("--all-results",), "true: all of them", "BOOL", one_of("true", "false"))
_MOST = MOST._replace(words="at most so many (default: 50)", kind=whole_number)


def named_job(parser: argparse.ArgumentParser, *, is_json: bool = False) -> None:
    """Add the name of a job, for those who type it without an option."""
    parser.add_argument("job", metavar="JOB", nargs="?", help="the name of the job")
    if is_json:
        _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


_SHOW = adder((_NAME, _WEB, *COMMON), also=partial(named_job, is_json=True))
_LIST = adder(
    (_MOST, _ALL_RESULTS, ARCHIVED_ONLY, INCLUDE_ARCHIVED, _PARENT, *COMMON),
    also=_json,
)
_STREAM = adder((_NAME, *COMMON), also=named_job)
_CANCEL = adder((_NAME, *COMMON), also=partial(named_job, is_json=True))

_OUTPUT_NAME = Option(("--output-name",), "only this output: score (default: only the logs)", "NAME", filled)
_ALL = Option(("--all",), "all outputs, and the logs", None)
#: Verbs that answer only as ``az`` does.
AZ_VERBS = {
    "download": Command(
        "copy the predictions or the logs of a job that has ended",
        adder((_NAME, _OUTPUT_NAME, DOWNLOAD_PATH, _ALL, *COMMON), also=named_job),
        f"{_JOB}download",
        "workspace",
    ),
    "archive": Command(
        "let lists leave a job out", adder((_NAME, *COMMON), also=named_job), f"{_JOB}archive", "workspace"
    ),
    "restore": Command(
        "let lists show a job again that was archived",
        adder((_NAME, *COMMON), also=named_job),
        f"{_JOB}restore",
        "workspace",
    ),
    "delete": Command(
        "remove a job, its logs, and its output where that is in the home",
        adder((_NAME, YES, *COMMON), also=named_job),
        f"{_JOB}delete",
        "workspace",
    ),
}

#: Verbs that answer in words, unless they are asked as ``az`` is: who answers then.
ALSO_AZ = {
    "show": f"{_JOB}show",
    "list": f"{_JOB}list_all",
    "stream": f"{_JOB}stream",
    "cancel": f"{_JOB}cancel",
}
SHARED_OPTIONS = {"show": _SHOW, "list": _LIST, "stream": _STREAM, "cancel": _CANCEL}
