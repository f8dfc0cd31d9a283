"""What may be typed: the commands, their options, and where each setting belongs in a deployment.

An option for a setting is a `Given`: a path into the deployment with a value, which is checked with the file
and by the same rules. So this module must not check values. It imports only the standard library.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from gristmill import __version__
from gristmill.cli.exit_status import ExitStatus


def _path(text: str) -> Path:
    """Take a path; an empty one is an unset variable of a shell, and must not mean this folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a path")
    return Path(text)


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name, or leave the option out")
    return text


class Given(NamedTuple):
    """A setting, as it was typed."""

    path: str | None
    """Its place in a deployment; None: ``value`` is KEY=VALUE and holds it."""
    value: str | bool | tuple[str, ...]
    """A tuple: all values of an option that may be repeated."""
    origin: str
    """The option and its value, for messages."""


class Command(NamedTuple):
    """One thing that can be asked for."""

    words: str
    """What it does; the line in the list of commands."""
    add_options: Callable[[argparse.ArgumentParser], None]
    target: str
    """The function that does it, as ``module:function``."""


class _Setting(NamedTuple):
    name: str
    path: str
    value: str | bool
    """The word for the value in the help; true and false: what the option alone stands for."""
    words: str
    repeatable: bool = False


_DESCRIPTION = "Run a model over a pile of files: every input accounted for."
_STATUSES = (
    "Exit status: 0 completed, 1 the job failed, 2 nothing was started, 3 cancelled, 4 completed with failed"
    " items under --strict."
)
_SETTINGS = (
    _Setting("--model", "model", "PATH", "the model's file or folder"),
    _Setting(
        "--python", "gristmill.python", "PATH", "the Python that runs the script, or its environment's folder"
    ),
    _Setting(
        "--use-current-python",
        "gristmill.use_current_python",
        True,
        "run the script in the active environment, whatever the file says of one",
    ),
    _Setting("--workers", "gristmill.workers", "N|auto", "worker processes; auto: as many as fit"),
    _Setting("--mini-batch-size", "settings.mini_batch_size", "N", "files for one call of run()"),
    _Setting("--timeout", "settings.retry_settings.timeout", "S", "seconds for one call of run()"),
    _Setting("--init-timeout", "gristmill.init_timeout", "S", "seconds for one call of init()"),
    _Setting("--max-retries", "settings.retry_settings.max_retries", "N", "tries after the first one"),
    _Setting(
        "--error-threshold",
        "settings.error_threshold",
        "N|N%",
        "stop the job when more items than this have failed; -1: never",
    ),
    _Setting("--format", "gristmill.output_format", "azure|csv", "how the predictions are written"),
    _Setting("--output-file-name", "settings.output_file_name", "NAME", "the name of the predictions file"),
    _Setting("--output-action", "settings.output_action", "ACTION", "append_row or summary_only"),
    _Setting("--no-recursive", "gristmill.recursive", False, "leave out the folders below the input folder"),
    _Setting("--include-hidden", "gristmill.include_hidden", True, "score hidden files and marker files too"),
    _Setting(
        "--include",
        "gristmill.include",
        "PATTERN",
        "only files that match, such as '*.jpg' (at any depth), 'photos/' (a folder) or '2024/**/*.jpg' (from"
        " the input folder), as in a .gitignore; may be repeated: one of them has to match",
        repeatable=True,
    ),
    _Setting(
        "--exclude",
        "gristmill.exclude",
        "PATTERN",
        "leave out files and whole folders that match, in the same form; stronger than --include; may be"
        " repeated",
        repeatable=True,
    ),
    _Setting(
        "--input-list",
        "gristmill.input_list",
        "FILE",
        "score only the files named in a text file, one path a line, relative to the input folder or absolute"
        " below it (separated by NUL characters, where it holds any)",
    ),
    _Setting("--logging-level", "settings.logging_level", "LEVEL", "debug, info or warning"),
)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Parameters
    ----------
    argv
        What stands behind ``gristmill``.

    Returns
    -------
    argparse.Namespace
        ``target`` (the function that does it, as ``module:function``) and the options of the command.

    Raises
    ------
    SystemExit
        Help or the version was asked for and is printed (status 0), or something is wrong and said (2).
    """
    parser = _Parser(prog="gristmill", description=_DESCRIPTION)
    parser.add_argument(
        "--version", action="version", version=f"gristmill {__version__}", help="print the version"
    )
    parser.add_commands(COMMANDS)
    job = parser.add_command("job", "look at the jobs, or cancel one: show, list, logs, cancel")
    job.add_commands(JOB_COMMANDS)
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(ExitStatus.NOTHING_STARTED)
    _check_words(parser, argv)
    return parser.parse_args(argv)


class _Parser(argparse.ArgumentParser):
    """A parser that knows its commands, and says calmly what is wrong."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: dict[str, _Parser] = {}
        self._below: Any = None

    def add_commands(self, commands: Mapping[str, Command]) -> None:
        for name, command in commands.items():
            parser = self.add_command(name, command.words)
            parser.set_defaults(target=command.target)
            command.add_options(parser)

    def add_command(self, name: str, words: str) -> _Parser:
        if self._below is None:
            self._below = self.add_subparsers(metavar="COMMAND", required=True, title="commands")
        parser: _Parser = self._below.add_parser(
            name, help=words, description=f"{words[0].upper()}{words[1:]}."
        )
        self.commands[name] = parser
        return parser

    def error(self, message: str) -> NoReturn:
        self.exit(ExitStatus.NOTHING_STARTED, f"gristmill: error: {message}\n(more: {self.prog} --help)\n")


def _check_words(parser: _Parser, argv: Sequence[str]) -> None:
    """Answer a command or an option that does not exist with the nearest that does."""
    for word in argv:
        if word == "--":
            return
        if word.startswith("--") and " " not in word:
            option = word.partition("=")[0]
            known = [name for name in parser._option_string_actions if name.startswith("--")]
            if not any(name.startswith(option) for name in known):
                parser.error(f"there is no option {option}{_meant(option, known)}")
        elif parser.commands and not word.startswith("-"):
            if word not in parser.commands:
                parser.error(f"there is no command {word!r}{_meant(word, parser.commands)}")
            parser = parser.commands[word]


def _meant(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"


class _Settle(argparse.Action):
    """Collects settings in the order in which they were typed, since the later of two wins."""

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        path: str | None = None,
        repeatable: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(option_strings, "settings", default=(), **options)
        self.path = path
        self.repeatable = repeatable

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        name: str | None = None,
    ) -> None:
        option = self.option_strings[0]
        if self.nargs == 0:
            given = [Given(self.path, self.const, option)]
        elif self.path is None:
            given = [Given(None, value, f"{option} {value}") for value in values]
        else:
            given = [Given(self.path, values, f"{option} {values}")]
        if self.repeatable:
            given = [self._joined(namespace, given[0])]
        namespace.settings = (*namespace.settings, *given)

    def _joined(self, namespace: argparse.Namespace, given: Given) -> Given:
        """Take back what the same option said before, and say it again with the new value."""
        before = [one for one in namespace.settings if one.path == self.path]
        namespace.settings = tuple(one for one in namespace.settings if one.path != self.path)
        values = [value for one in before for value in one.value]
        origin = " ".join([*(one.origin for one in before), given.origin])
        return Given(given.path, (*values, str(given.value)), origin)


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s DEPLOYMENT.yml|SCRIPT.py --input PATH [options]"
    parser.add_argument(
        "deployment",
        metavar="DEPLOYMENT.yml|SCRIPT.py",
        type=_path,
        help="a deployment, or a scoring script alone",
    )
    data = parser.add_argument_group("what goes in and out")
    data.add_argument(
        "--input", metavar="PATH", type=_path, required=True, help="a folder of files, or one file"
    )
    data.add_argument(
        "--output-path",
        "--output",
        metavar="DIR",
        type=_path,
        help="the folder for the predictions (default: ./<job name>/)",
    )
    data.add_argument("--overwrite", action="store_true", help="replace what is in the output folder")
    data.add_argument(
        "--job-name", metavar="NAME", type=_name, help="the name of the job (default: one is made)"
    )
    settings = parser.add_argument_group("settings, above those of the file")
    for option in _SETTINGS:
        _add_setting(settings, option)
    settings.add_argument(
        "--set",
        action=_Settle,
        nargs="+",
        metavar="KEY=VALUE",
        help="any key of a deployment: settings.mini_batch_size=5 tags.team=forest (takes all words up to the"
        " next option)",
    )
    _ending_options(parser)


def _add_setting(group: Any, option: _Setting) -> None:
    if isinstance(option.value, bool):
        group.add_argument(
            option.name, action=_Settle, path=option.path, nargs=0, const=option.value, help=option.words
        )
    else:
        words = option.words.replace("%", "%%")
        group.add_argument(
            option.name,
            action=_Settle,
            path=option.path,
            repeatable=option.repeatable,
            metavar=option.value,
            help=words,
        )


def _resume_options(parser: argparse.ArgumentParser) -> None:
    _job_name(parser)
    _ending_options(parser)


def _ending_options(parser: argparse.ArgumentParser) -> None:
    ending = parser.add_argument_group("how it ends")
    ending.add_argument(
        "--strict", action="store_true", help="exit with status 4 when the job completes with failed items"
    )
    ending.add_argument("--json", action="store_true", help="print how the job ended as JSON on stdout")
    parser.epilog = _STATUSES


def _job_options(parser: argparse.ArgumentParser) -> None:
    _job_name(parser)
    _list_options(parser)


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _logs_options(parser: argparse.ArgumentParser) -> None:
    _job_name(parser)
    parser.add_argument("--path", action="store_true", help="print only the folder of the logs")


def _job_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the name of the job")


COMMANDS = {
    "run": Command(
        "score the files of a folder with a scoring script", _run_options, "gristmill.cli.start:run"
    ),
    "resume": Command(
        "go on with a job that was interrupted, cancelled, killed or failed",
        _resume_options,
        "gristmill.cli.follow:resume",
    ),
    "verify": Command(
        "prove from its files that a job lost nothing and has nothing twice",
        _job_options,
        "gristmill.cli.job:verify",
    ),
}
JOB_COMMANDS = {
    "show": Command("how a job went, and where everything is", _job_options, "gristmill.cli.job:show_job"),
    "list": Command("all jobs, the newest first", _list_options, "gristmill.cli.job:list_jobs"),
    "logs": Command(
        "the log files of a job, and what the most telling ones say", _logs_options, "gristmill.cli.job:logs"
    ),
    "cancel": Command(
        "stop a running job; what is finished is kept", _job_options, "gristmill.cli.job:cancel"
    ),
}
