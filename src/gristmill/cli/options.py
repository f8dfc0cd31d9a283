"""What may be typed: the commands and their options.

A command is imported only once it is asked for: here stands where it is. The settings that `run` takes are in
`settings_options`. This module imports only the standard library.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gristmill import __version__
from gristmill.cli.az import absent
from gristmill.cli.az.options import behind
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.groups import (
    ENV_COMMANDS,
    GROUPS,
    JOB_COMMANDS,
    MODEL_COMMANDS,
    home_options,
    job_name,
    job_options,
    json_option,
)
from gristmill.cli.parser import (
    Command,
    Parser,
    checked_words,
    name_argument,
    path_argument,
    seconds_argument,
)
from gristmill.cli.settings_options import add_settings

__all__ = ["COMMANDS", "ENV_COMMANDS", "GROUPS", "JOB_COMMANDS", "MODEL_COMMANDS", "parse"]

_DESCRIPTION = "Run a model over a pile of files: every input accounted for."
_REPLAY_STATUSES = (
    "Exit status: 0 run() returned a result for every file; 1 it did not; 2 nothing was run; 128 + N if"
    " signal N ended it (130: Ctrl-C). The job is not touched."
)
_ELSEWHERE = {
    "version": "gristmill --version",
    "help": "gristmill --help",
    "jobs": "gristmill job list",
    "logs": "gristmill job logs",
    "status": "gristmill job show",
    "start": "gristmill run",
    "score": "gristmill run",
    "stop": "gristmill job cancel",
    "debug": "gristmill replay",
    "endpoint": "gristmill batch-endpoint",
    "endpoints": "gristmill batch-endpoint list",
    "deployment": "gristmill batch-deployment",
    "invoke": "gristmill batch-endpoint invoke",
    "envs": "gristmill env list",
}
_STATUSES = (
    "Exit status: 0 completed, 1 the job failed, 2 nothing was started, 3 cancelled, 4 completed with failed"
    " items under --strict."
)
_CHECK_STATUSES = (
    "Exit status: 0 nothing is wrong, or there are only warnings; 1 something cannot work; 2 the deployment,"
    " the input or the interpreter cannot be read. A run refuses by itself what the script's text shows."
)

_TUNE_STATUSES = (
    "Exit status: 0 something is recommended; 1 nothing could be measured; 2 nothing was started; 3 Ctrl-C,"
    " with what was known by then. Files of the input are run several times; no job is made, and what the"
    " script writes to its output folder is removed."
)


def parse(argv: Sequence[str], *, is_az: bool = False) -> argparse.Namespace:
    """Read a command line.

    Parameters
    ----------
    argv
        What stands behind ``gristmill``.
    is_az
        Whether it was typed behind ``az ml``, so that nothing is answered in words.

    Returns
    -------
    argparse.Namespace
        ``target`` (the function that does it, as ``module:function``), ``service`` (what it needs),
        ``is_show`` and the options of the command.

    Raises
    ------
    SystemExit
        Help or the version was asked for and is printed (status 0), or something is wrong and said (2).
    """
    parser = Parser(prog="gristmill", description=_DESCRIPTION)
    parser.add_argument(
        "--version", action="version", version=f"gristmill {__version__}", help="print the version"
    )
    parser.add_commands(COMMANDS)
    for name, group in GROUPS.items():
        parser.add_group(name, group.words, group.commands, absent.VERBS.get(name, {}))
    parser.absent = absent.GROUPS
    parser.elsewhere = {**_ELSEWHERE, **{name: f"gristmill job {name}" for name in JOB_COMMANDS}}
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(ExitStatus.NOTHING_STARTED)
    checked = checked_words(parser, behind(argv))
    args, rest = parser.parse_known_args(checked.words)
    if rest:
        if rest[0].startswith("-"):
            checked.parser.error(f"there is no option {rest[0]}")
        checked.parser.error(f"there is no place for {rest[0]}")
    return _answerer(args, checked.parser, is_az=is_az)


def _answerer(args: argparse.Namespace, parser: Parser, *, is_az: bool) -> argparse.Namespace:
    """Choose who answers a verb that ``az`` has and that we had before."""
    if hasattr(args, "az_target") and (is_az or args.is_az):
        args.target, args.service = args.az_target, "workspace"
    elif hasattr(args, "az_target") and getattr(args, "job", "") is None:
        parser.error(f"which job? Type {parser.prog} JOB")
    elif getattr(args, "detach", False):
        args.target, args.service = "gristmill.cli.detach:detach", "workspace"
    return args


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s DEPLOYMENT.yml|SCRIPT.py|MODEL --input PATH [options]"
    parser.add_argument(
        "deployment",
        metavar="DEPLOYMENT.yml|SCRIPT.py|MODEL",
        type=path_argument,
        help="a deployment, a scoring script alone, or the folder of an MLflow model",
    )
    data = parser.add_argument_group("what goes in and out")
    data.add_argument(
        "--input", metavar="PATH", type=path_argument, required=True, help="a folder of files, or one file"
    )
    data.add_argument(
        "--output-path",
        "--output",
        metavar="DIR",
        type=path_argument,
        help="the folder for the predictions (default: ./<job name>/)",
    )
    data.add_argument("--overwrite", action="store_true", help="replace what is in the output folder")
    data.add_argument(
        "--job-name", metavar="NAME", type=name_argument, help="the name of the job (default: one is made)"
    )
    data.add_argument(
        "--detach",
        action="store_true",
        help="queue the job, print its name and leave: it runs in its turn, whatever becomes of this shell",
    )
    add_settings(parser)
    _ending_options(parser)


def _new_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s SCRIPT.py [--model FILE|FOLDER] [options]"
    parser.add_argument("script", metavar="SCRIPT.py", type=path_argument, help="the file to be written")
    parser.add_argument(
        "--model",
        metavar="FILE|FOLDER",
        type=path_argument,
        help="the model to write it for: ONNX, scikit-learn, PyTorch, MLflow (default: none)",
    )
    parser.add_argument(
        "--deployment", action="store_true", help="write a deployment.yml of the script beside it, too"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s DEPLOYMENT.yml|SCRIPT.py|MODEL [--input PATH] [options]"
    parser.add_argument(
        "deployment",
        metavar="DEPLOYMENT.yml|SCRIPT.py|MODEL",
        type=path_argument,
        help="a deployment, a scoring script alone, or the folder of an MLflow model",
    )
    parser.add_argument(
        "--input",
        metavar="PATH",
        type=path_argument,
        help="a folder of files, or one file: its first mini-batch is run, up to 200 times in about 10 s"
        " (default: only the script's import and init() are tried)",
    )
    add_settings(parser)
    json_option(parser)
    parser.epilog = _CHECK_STATUSES


def _tune_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s DEPLOYMENT.yml|SCRIPT.py|MODEL --input PATH [--budget S] [options]"
    parser.add_argument(
        "deployment",
        metavar="DEPLOYMENT.yml|SCRIPT.py|MODEL",
        type=path_argument,
        help="a deployment, a scoring script alone, or the folder of an MLflow model",
    )
    parser.add_argument(
        "--input", metavar="PATH", type=path_argument, required=True, help="a folder of files, or one file"
    )
    parser.add_argument(
        "--budget",
        metavar="S",
        type=seconds_argument,
        default=60.0,
        help="seconds for measuring, once the script has started (default: 60)",
    )
    parser.add_argument(
        "--yes", action="store_true", help="run files several times although max_retries is 0"
    )
    add_settings(parser)
    json_option(parser)
    parser.epilog = _TUNE_STATUSES


def _resume_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s JOB [--force] [--new] [options]"
    job_name(parser)
    changed = _change_options(parser)
    changed.add_argument(
        "--new",
        action="store_true",
        help="score the files, too, that came to the input folder since the job was listed",
    )
    add_settings(parser, is_for_rest=True)
    _ending_options(parser)


def _replay_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s JOB ITEM [--mini-batch] [--pdb]"
    job_name(parser)
    parser.add_argument(
        "item",
        metavar="ITEM",
        type=name_argument,
        help="an input file, as it stands in failures.jsonl, or its path",
    )
    parser.add_argument(
        "--mini-batch",
        action="store_true",
        help="the whole mini-batch that holds it; ITEM may be the number of one, too",
    )
    parser.add_argument("--pdb", action="store_true", help="open a debugger where the script raises")
    parser.epilog = _REPLAY_STATUSES


def _change_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    changed = parser.add_argument_group("what has changed")
    changed.add_argument(
        "--force",
        action="store_true",
        help="go on though code, model or settings have changed, with the code as it is now; what is scored"
        " already stays",
    )
    return changed


def _rerun_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s JOB --failed [--force] [options]"
    job_name(parser)
    parser.add_argument(
        "--failed", action="store_true", required=True, help="score again what failed, and nothing else"
    )
    _change_options(parser)
    add_settings(parser, is_for_rest=True)
    _ending_options(parser)


def _ending_options(parser: argparse.ArgumentParser) -> None:
    ending = parser.add_argument_group("how it ends")
    ending.add_argument(
        "--strict", action="store_true", help="exit with status 4 when the job completes with failed items"
    )
    ending.add_argument("--json", action="store_true", help="print how the job ended as JSON on stdout")
    parser.epilog = _STATUSES


def _script_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s -- COMMAND [ARGUMENT ...]"
    parser.add_argument(
        "command",
        metavar="COMMAND",
        nargs=argparse.REMAINDER,
        help="what is run, with an az on its PATH that serves az ml from here: bash deploy-and-run.sh",
    )
    parser.epilog = "Exit status: that of the command; 128 + N if signal N ended it; 2 nothing was run."


COMMANDS = {
    "new": Command(
        "write a scoring script to start from, for the model that you have",
        _new_options,
        "gristmill.cli.new:new",
    ),
    "check": Command(
        "say what is wrong with a deployment or a script, before a job",
        _check_options,
        "gristmill.cli.check:check",
    ),
    "tune": Command(
        "measure a sample, and recommend mini-batch size, workers and timeout",
        _tune_options,
        "gristmill.cli.tune:tune",
    ),
    "run": Command(
        "score the files of a folder with a scoring script", _run_options, "gristmill.cli.start:run"
    ),
    "resume": Command(
        "go on with a job that was interrupted, cancelled, killed or failed",
        _resume_options,
        "gristmill.cli.resume:resume",
    ),
    "rerun": Command(
        "score again what failed in a completed job, into the same output",
        _rerun_options,
        "gristmill.cli.rerun:rerun",
    ),
    "replay": Command(
        "run a file of a job again on this terminal, with breakpoints and a debugger",
        _replay_options,
        "gristmill.cli.replay:replay",
    ),
    "az": Command(
        "run a script that was written for az ml, unchanged",
        _script_options,
        "gristmill.cli.az.scripts:run_script",
        "nothing",
    ),
    "verify": Command(
        "prove from its files that a job lost nothing and has nothing twice",
        job_options,
        "gristmill.cli.job:verify",
    ),
    "home": Command(
        "what takes the space of the home, and putting it in order",
        home_options,
        "gristmill.cli.home:home",
        "workspace",
    ),
}
