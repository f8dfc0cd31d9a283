"""The settings that may be typed: where each belongs in a deployment, and what it is called.

An option for a setting is a `Given`: a path into the deployment with a value, which is checked with the file
and by the same rules. So this module must not check values. It imports only the standard library.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple


class Given(NamedTuple):
    """A setting, as it was typed."""

    path: str | None
    """Its place in a deployment; None: ``value`` is KEY=VALUE and holds it."""
    value: str | bool | tuple[str, ...]
    """A tuple: all values of an option that may be repeated."""
    origin: str
    """The option and its value, for messages."""


class _Setting(NamedTuple):
    name: str
    path: str
    value: str | bool
    """The word for the value in the help; true and false: what the option alone stands for."""
    words: str
    repeatable: bool = False
    may_change: bool = False
    """Whether the help shows it for a job that goes on; the others are refused there, with the reason."""


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
    _Setting("--offline", "gristmill.offline", True, "fetch nothing from a network for an environment"),
    _Setting(
        "--workers", "gristmill.workers", "N|auto", "worker processes; auto: as many as fit", may_change=True
    ),
    _Setting("--mini-batch-size", "settings.mini_batch_size", "N", "files for one call of run()"),
    _Setting(
        "--mini-batch-bytes",
        "gristmill.mini_batch_bytes",
        "SIZE",
        "bytes of files for one call of run(), such as 64MB; a larger file is alone",
    ),
    _Setting(
        "--split-rows",
        "gristmill.split_rows",
        "N",
        "split csv, jsonl and parquet files of more rows; one row is one item then",
    ),
    _Setting(
        "--split-bytes",
        "gristmill.split_bytes",
        "SIZE",
        "split csv, jsonl and parquet files that are larger, such as 64MB; one row is one item then",
    ),
    _Setting(
        "--timeout", "settings.retry_settings.timeout", "S", "seconds for one call of run()", may_change=True
    ),
    _Setting(
        "--memory-per-worker",
        "gristmill.memory_per_worker",
        "SIZE",
        "the most memory for one worker and what it starts, such as 2GB; one that takes more is stopped",
        may_change=True,
    ),
    _Setting(
        "--init-timeout", "gristmill.init_timeout", "S", "seconds for one call of init()", may_change=True
    ),
    _Setting(
        "--max-retries",
        "settings.retry_settings.max_retries",
        "N",
        "tries after the first one",
        may_change=True,
    ),
    _Setting(
        "--error-threshold",
        "settings.error_threshold",
        "N|N%",
        "stop the job when more items than this have failed; -1: never",
        may_change=True,
    ),
    _Setting(
        "--canary",
        "gristmill.canary",
        "N",
        "score N files from all over the input first, and stop if they fail",
        may_change=True,
    ),
    _Setting(
        "--format", "gristmill.output_format", "csv|jsonl|parquet|azure", "how the predictions are written"
    ),
    _Setting(
        "--provenance",
        "gristmill.provenance",
        "COLUMNS",
        "say in each row where it comes from: input_file, row, mini_batch, deployment, model_version, with"
        " commas between them",
    ),
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
    _Setting(
        "--limit",
        "gristmill.limit",
        "N",
        "try it out: score only N files, spread over the input, and say what all of it would take",
    ),
    _Setting("--logging-level", "settings.logging_level", "LEVEL", "debug, info or warning", may_change=True),
)


def add_settings(parser: argparse.ArgumentParser, *, is_for_rest: bool = False) -> None:
    """Add the options for settings, and ``--set`` for every other key.

    Parameters
    ----------
    parser
        The command's.
    is_for_rest
        Whether they are for the rest of a job: the help shows those that may change then.
    """
    title = "settings, for the rest of the job" if is_for_rest else "settings, above those of the file"
    group = parser.add_argument_group(title)
    for option in _SETTINGS:
        _add_one(group, option, is_shown=option.may_change or not is_for_rest)
    group.add_argument(
        "--set",
        action=_Settle,
        nargs="+",
        metavar="KEY=VALUE",
        help="any key of a deployment that does not change results: gristmill.gpus_per_worker=0"
        if is_for_rest
        else "any key of a deployment: settings.mini_batch_size=5 tags.team=forest (takes all words up to the"
        " next option)",
    )


def _add_one(group: Any, option: _Setting, *, is_shown: bool) -> None:
    words = option.words.replace("%", "%%") if is_shown else argparse.SUPPRESS
    if isinstance(option.value, bool):
        group.add_argument(
            option.name, action=_Settle, path=option.path, nargs=0, const=option.value, help=words
        )
    else:
        group.add_argument(
            option.name,
            action=_Settle,
            path=option.path,
            repeatable=option.repeatable,
            metavar=option.value,
            help=words,
        )


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
        self.repeatable = repeatable or path is None
        """Whether it may come again: with more values, or as ``--set`` with other keys."""

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
        if self.repeatable and self.path is not None:
            given = [self._joined(namespace, given[0])]
        namespace.settings = (*namespace.settings, *given)

    def _joined(self, namespace: argparse.Namespace, given: Given) -> Given:
        """Take back what the same option said before, and say it again with the new value."""
        before = [one for one in namespace.settings if one.path == self.path]
        namespace.settings = tuple(one for one in namespace.settings if one.path != self.path)
        values = [value for one in before for value in one.value]
        origin = " ".join([*(one.origin for one in before), given.origin])
        return Given(given.path, (*values, str(given.value)), origin)
