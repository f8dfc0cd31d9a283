"""``batch-endpoint`` and ``batch-deployment``: which verb has which options.

This module imports only the standard library.
"""

from __future__ import annotations

from gristmill.cli.az.option import Option, adder, filled, number, one_of, required
from gristmill.cli.az.options import (
    CHANGES,
    COMMON,
    DEPLOYMENT,
    ENDPOINT,
    ENDPOINT_KEY,
    FILE,
    NAME,
    NAME_KEY,
    NO_WAIT,
    SET,
    YES,
)
from gristmill.cli.parser import Command

_ENDPOINT = "gristmill.cli.az.endpoint:"
_DEPLOYMENT = "gristmill.cli.az.deployment:"

_INPUT = Option(
    ("--input",),
    "a folder, a file, azureml:NAME:VERSION, azureml://datastores/STORE/paths/PATH or a URL",
    "INPUT",
    filled,
)
_OLD_INPUT = Option(
    ("--input-path", "--input-local-path", "--input-data"),
    "older names of --input; folder: or file: may stand before it",
    "INPUT",
    filled,
    is_ours=True,
)
_INPUT_TYPE = Option(
    ("--input-type",), "uri_folder or uri_file", "TYPE", one_of("uri_folder", "uri_file", "mltable")
)
_INPUTS = Option(
    ("--inputs",), "as in an inputs file: NAME.path=PATH NAME.type=uri_folder", "KEY=VALUE", is_many=True
)
_INVOKE_FILE = Option(("--file", "-f"), "a YAML file with inputs and outputs", "FILE", filled)
_OUTPUT_PATH = Option(
    ("--output-path",), "the folder for the predictions (default: the job's)", "FOLDER", filled
)
_MINI_BATCH_SIZE = Option(
    ("--mini-batch-size", "-m"), "files for one call of run()", "N", key="mini_batch_size"
)
_INSTANCE_COUNT = Option(
    ("--instance-count", "-c"), "nodes; more than this machine gives a notice", "N", key="instance_count"
)
_JOB_NAME = Option(("--job-name",), "the name of the job (default: one is made)", "NAME", filled)
_EXPERIMENT = Option(("--experiment-name",), "the experiment that it belongs to", "NAME", filled)
_PRIORITY = Option(
    ("--priority",), "which queued job comes first: the highest (default: 0)", "N", number, is_ours=True
)
_IDEMPOTENCY_KEY = Option(
    ("--idempotency-key",), "the same key again gives the same job", "KEY", filled, is_ours=True
)
_OVERWRITE = Option(("--overwrite",), "replace what is in the output folder", None, is_ours=True)
_DEFAULTS = Option(("--defaults",), "the default deployment: deployment_name=NAME, or NAME", "NAME", filled)
_SET_DEFAULT = Option(("--set-default",), "make it the endpoint's default deployment", None)
_SKIP_VALIDATION = Option(("--skip-script-validation",), "do not look at the script", None)
_WITH_ENDPOINT = (required(NAME), required(ENDPOINT))

ENDPOINT_COMMANDS = {
    "create": Command(
        "create an endpoint, or change it to what the file says",
        adder((NAME_KEY, FILE, SET, NO_WAIT, *COMMON)),
        f"{_ENDPOINT}create",
        "workspace",
    ),
    "show": Command(
        "show an endpoint", adder((required(NAME), *COMMON)), f"{_ENDPOINT}show", "workspace", is_show=True
    ),
    "list": Command(
        "show all endpoints, the newest first", adder(COMMON), f"{_ENDPOINT}list_all", "workspace"
    ),
    "update": Command(
        "change an endpoint: its default deployment, description, tags",
        adder((NAME, FILE, _DEFAULTS, *CHANGES, NO_WAIT, *COMMON)),
        f"{_ENDPOINT}update",
        "workspace",
    ),
    "delete": Command(
        "delete an endpoint and its deployments, never its jobs",
        adder((required(NAME), YES, NO_WAIT, *COMMON)),
        f"{_ENDPOINT}delete",
        "workspace",
    ),
    "invoke": Command(
        "start a job: the deployment over an input",
        adder(
            (
                required(NAME),
                DEPLOYMENT,
                _INPUT,
                _INPUT_TYPE,
                _INPUTS,
                _INVOKE_FILE,
                _OUTPUT_PATH,
                _JOB_NAME,
                _EXPERIMENT,
                _MINI_BATCH_SIZE,
                _INSTANCE_COUNT,
                SET,
                _OLD_INPUT,
                _PRIORITY,
                _IDEMPOTENCY_KEY,
                _OVERWRITE,
                *COMMON,
            )
        ),
        f"{_ENDPOINT}invoke",
        "workspace",
    ),
    "list-jobs": Command(
        "show the jobs of an endpoint, the newest first",
        adder((required(NAME), *COMMON)),
        f"{_ENDPOINT}list_jobs",
        "workspace",
    ),
}
DEPLOYMENT_COMMANDS = {
    "create": Command(
        "create a deployment, or change it to what the file says",
        adder(
            (required(FILE), NAME_KEY, ENDPOINT_KEY, SET, _SET_DEFAULT, _SKIP_VALIDATION, NO_WAIT, *COMMON)
        ),
        f"{_DEPLOYMENT}create",
        "workspace",
    ),
    "show": Command(
        "show a deployment",
        adder((*_WITH_ENDPOINT, *COMMON)),
        f"{_DEPLOYMENT}show",
        "workspace",
        is_show=True,
    ),
    "list": Command(
        "show all deployments of an endpoint, the newest first",
        adder((required(ENDPOINT), *COMMON)),
        f"{_DEPLOYMENT}list_all",
        "workspace",
    ),
    "update": Command(
        "change a deployment; jobs that are made already keep what they had",
        adder((NAME, ENDPOINT, FILE, *CHANGES, NO_WAIT, *COMMON)),
        f"{_DEPLOYMENT}update",
        "workspace",
    ),
    "delete": Command(
        "delete a deployment, never its jobs",
        adder((*_WITH_ENDPOINT, YES, NO_WAIT, *COMMON)),
        f"{_DEPLOYMENT}delete",
        "workspace",
    ),
    "list-jobs": Command(
        "show the jobs of a deployment, the newest first",
        adder((*_WITH_ENDPOINT, *COMMON)),
        f"{_DEPLOYMENT}list_jobs",
        "workspace",
    ),
}
