"""What the service says in the words of the command line, said in those of Python.

Refusals and notices name what to change. This is the one table of what an option is called here.
"""

from __future__ import annotations

import re

from gristmill.errors import RequestError, SpecError

_IN_PYTHON = {
    "--output-path": "output=",
    "--overwrite": "overwrite=True",
    "--job-name": "name=",
    "--input-list": "input_list=",
    "--input": "input=",
    "--model": "model=",
    "--python": "python=",
    "--use-current-python": "settings={'gristmill.use_current_python': True}",
    "--offline": "settings={'gristmill.offline': True}",
    "--workers": "workers=",
    "--mini-batch-size": "mini_batch_size=",
    "--mini-batch-bytes": "settings={'gristmill.mini_batch_bytes': …}",
    "--split-rows": "settings={'gristmill.split_rows': …}",
    "--split-bytes": "settings={'gristmill.split_bytes': …}",
    "--timeout": "timeout=",
    "--init-timeout": "settings={'gristmill.init_timeout': …}",
    "--memory-per-worker": "settings={'gristmill.memory_per_worker': …}",
    "--max-retries": "max_retries=",
    "--error-threshold": "error_threshold=",
    "--provenance": "provenance=",
    "--format": "format=",
    "--canary": "settings={'gristmill.canary': …}",
    "--limit": "limit=",
    "--include-hidden": "settings={'gristmill.include_hidden': True}",
    "--no-recursive": "settings={'gristmill.recursive': False}",
    "--include": "include=",
    "--exclude": "exclude=",
    "--output-file-name": "settings={'settings.output_file_name': …}",
    "--output-action": "settings={'settings.output_action': …}",
    "--logging-level": "settings={'settings.logging_level': …}",
    "--set": "settings=",
}
_OF_RESUME = {"--force": "force=True", "--new": "new=True"}
_OF_TUNE = {"--budget": "budget=", "--yes": "yes=True"}
#: Commands that messages send people to, and what does the same here.
_COMMANDS = {
    "job list": "gristmill.jobs()",
    "resume": "gristmill.resume({!r})",
    "verify": "gristmill.job({!r}).verify()",
    "job show": "gristmill.job({!r})",
    "job cancel": "gristmill.job({!r}).cancel()",
}
_COMMAND = re.compile(
    r"\bgristmill (?:(job list)\b|(resume|verify|job show|job cancel) (\w(?:[\w.-]*\w)?)"
    r"((?: --(?:force|new)\b)*))"
)
_SET = re.compile(r"--set ([\w.]+)=([^\s,;]+)")
_OPTION = re.compile(
    r"(?<![\w/.-])(--[a-z]+(?:-[a-z]+)*)(?![\w-])(?: (auto|csv|jsonl|parquet|azure)\b| (?=[A-Z]+\b))?"
)
_FIRST_OPTION = re.compile(r"(--[a-z]+(?:-[a-z]+)*)[ ](?=[^\n]*: )")


def in_python(text: str) -> str:
    """Say a message of the service in the words of Python.

    Parameters
    ----------
    text
        A refusal or a notice, which may name options of the command line, and other commands.

    Returns
    -------
    str
        The same, with the arguments of `run` and the other functions instead; what is no known option stays.
    """
    text = _COMMAND.sub(_call, text)
    text = _FIRST_OPTION.sub(_assigned, text, count=1) if text.startswith("--") else text
    return _OPTION.sub(_argument, _SET.sub(r"settings={'\1': \2}", text))


def speaking_python(error: RequestError) -> RequestError:
    """Put the message of a refusal into the words of Python, and return the refusal."""
    if isinstance(error, SpecError):
        error.problems = tuple(map(in_python, error.problems))
    error.args = (in_python(str(error)),)
    return error


def _call(found: re.Match[str]) -> str:
    call = _COMMANDS[found[1] or found[2]].format(found[3])
    options = "".join(f", {option}=True" for option in (found[4] or "").replace("--", "").split())
    return f"{call[:-1]}{options})" if options else call


def _argument(found: re.Match[str]) -> str:
    option, value = found.groups()
    argument = _IN_PYTHON.get(option) or _OF_RESUME.get(option) or _OF_TUNE.get(option)
    if argument is None:
        return found[0]
    return f"{argument}{value!r}" if value else argument


def _assigned(found: re.Match[str]) -> str:
    """A message may begin with the option as it was typed: ``--job-name a b: …``."""
    argument = _IN_PYTHON.get(found[1], "")
    return argument if argument.endswith("=") else found[0]
