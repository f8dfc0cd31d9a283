"""The commands that are about one kind of thing, group by group, and their options.

Those that ``az ml`` has are in ``az``. This module imports only the standard library.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NamedTuple

from gristmill.cli.az.asset_commands import (
    COMPUTE_COMMANDS,
    DATA_COMMANDS,
    DATASTORE_COMMANDS,
    ENVIRONMENT_COMMANDS,
    MODEL_VERBS,
)
from gristmill.cli.az.endpoint_commands import DEPLOYMENT_COMMANDS, ENDPOINT_COMMANDS
from gristmill.cli.az.job_commands import ALSO_AZ, AZ_VERBS, SHARED_OPTIONS
from gristmill.cli.parser import Command, age_argument, days_argument, path_argument


def job_options(parser: argparse.ArgumentParser) -> None:
    """Add the name of a job, and ``--json``."""
    job_name(parser)
    json_option(parser)


def _env_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="DEPLOYMENT.yml|CONDA.yml|MODEL",
        type=path_argument,
        help="a deployment, an environment's file, a conda file, or the folder of an MLflow model",
    )
    parser.add_argument("--offline", action="store_true", help="fetch nothing from a network")
    json_option(parser)


def _env_show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("env", metavar="ENV", help="the key of an environment, its beginning, or its name")
    json_option(parser)


def _env_prune_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [ENV ...] [--unused-days N] [--all] [--json]"
    parser.add_argument(
        "envs", metavar="ENV", nargs="*", help="keys or names; none: those that no job has used for a while"
    )
    parser.add_argument(
        "--unused-days",
        metavar="N",
        type=days_argument,
        default=30,
        help="without ENV: how long that is, in days (default: 30)",
    )
    parser.add_argument("--all", action="store_true", help="all that no job uses just now")
    json_option(parser)


def json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _logs_options(parser: argparse.ArgumentParser) -> None:
    job_name(parser)
    parser.add_argument("--path", action="store_true", help="print only the folder of the logs")


def job_name(parser: argparse.ArgumentParser) -> None:
    """Add the name of a job."""
    parser.add_argument("job", metavar="JOB", help="the name of the job")


def _job_prune_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s --older-than AGE [--keep-outputs] [--dry-run] [--yes] [--json]"
    parser.set_defaults(workspace_name=None)
    parser.add_argument(
        "--older-than",
        metavar="AGE",
        type=age_argument,
        required=True,
        help="how long ago they ended, at least: 30d, 12h, 8w",
    )
    parser.add_argument(
        "--keep-outputs",
        action="store_true",
        help="keep outputs that are in the home, in its folder outputs/; all others are kept anyway",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask; scripts are never asked")
    json_option(parser)


def home_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be asked about the home."""
    parser.usage = "%(prog)s [repair] [--json]"
    parser.set_defaults(workspace_name=None)
    parser.add_argument(
        "what",
        metavar="repair",
        nargs="?",
        choices=("repair",),
        help="remove what crashes have left, and make a catalog anew that was lost or is damaged",
    )
    json_option(parser)


def _scoring_script_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s MODEL [--output FOLDER] [--overwrite]"
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=path_argument,
        help="the folder of an MLflow model, with a file MLmodel",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=path_argument,
        help="the folder to be written (default: ./<model>-scoring/)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


ENV_COMMANDS = {
    "build": Command(
        "build the environment of a deployment, so that its jobs start at once",
        _env_build_options,
        "gristmill.cli.environment:build",
    ),
    "list": Command("all environments", json_option, "gristmill.cli.environment:list_environments"),
    "show": Command(
        "what is in an environment, and where it is", _env_show_options, "gristmill.cli.environment:show"
    ),
    "prune": Command(
        "remove environments that nobody uses", _env_prune_options, "gristmill.cli.environment:prune"
    ),
}


def _shared(name: str, command: Command) -> Command:
    """Give a verb the options that it has in ``az``, too, and say who answers when it is asked so."""

    def add_options(parser: argparse.ArgumentParser) -> None:
        SHARED_OPTIONS[name](parser)
        parser.set_defaults(az_target=ALSO_AZ[name])

    return command._replace(add_options=add_options)


JOB_COMMANDS = {
    "show": _shared(
        "show",
        Command(
            "how a job went, and where everything is",
            job_options,
            "gristmill.cli.job:show_job",
            is_show=True,
        ),
    ),
    "list": _shared(
        "list", Command("all jobs, the newest first", json_option, "gristmill.cli.job:list_jobs")
    ),
    "logs": Command(
        "the log files of a job, and what the most telling ones say", _logs_options, "gristmill.cli.job:logs"
    ),
    "stacks": Command(
        "what every worker of a running job is doing, line by line",
        job_options,
        "gristmill.cli.stacks:stacks",
    ),
    "stream": _shared(
        "stream",
        Command("follow a job to its end, from any shell", job_name, "gristmill.cli.stream:stream"),
    ),
    "cancel": _shared(
        "cancel",
        Command("stop a running job; what is finished is kept", job_options, "gristmill.cli.job:cancel"),
    ),
    **AZ_VERBS,
    "prune": Command(
        "remove the jobs that ended long ago", _job_prune_options, "gristmill.cli.home:prune", "workspace"
    ),
}
MODEL_COMMANDS = {
    **MODEL_VERBS,
    "scoring-script": Command(
        "write the script that scores with an MLflow model where there is none, to be edited",
        _scoring_script_options,
        "gristmill.cli.model:scoring_script",
    ),
}


class Group(NamedTuple):
    """Commands that are about one kind of thing."""

    words: str
    commands: Mapping[str, Command]


GROUPS = {
    "job": Group("jobs: show, list, follow, cancel, download and delete them", JOB_COMMANDS),
    "batch-endpoint": Group(
        "endpoints: names that others invoke, with deployments behind them", ENDPOINT_COMMANDS
    ),
    "batch-deployment": Group("deployments: what an endpoint runs", DEPLOYMENT_COMMANDS),
    "model": Group("models, by name and version", MODEL_COMMANDS),
    "environment": Group("environments, by name and version", ENVIRONMENT_COMMANDS),
    "data": Group("data assets, by name and version", DATA_COMMANDS),
    "datastore": Group("datastores: where data lies", DATASTORE_COMMANDS),
    "compute": Group("computes: names for machines", COMPUTE_COMMANDS),
    "env": Group("the environments that were built for deployments: build, list, show, prune", ENV_COMMANDS),
}
