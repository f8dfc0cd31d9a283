"""The ``az`` that a script finds under ``gristmill az``: it serves ``az ml``, and answers harmlessly what
such scripts ask beside it. Everything else is refused: what is not done must not look as if it were.

``az ml workspace`` and ``az group`` are answered as if what is named were there: names are all that it needs.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gristmill import __version__
from gristmill.cli.az.option import one_of
from gristmill.cli.az.options import FORMS
from gristmill.cli.exit_status import ExitStatus

#: Names the file that holds what is to be remembered until the script ends.
REMEMBERED = "GRISTMILL_AZ_REMEMBERED"
_NOBODY = "00000000-0000-0000-0000-000000000000"
_LOCATION = "local"
#: Options that have no value.
_FLAGS = frozenset(
    {"--yes", "-y", "--only-show-errors", "--verbose", "--debug", "--all", "--upgrade", "--no-wait"}
)
_SHORT = {
    "-n": "--name",
    "-g": "--resource-group",
    "-o": "--output",
    "-s": "--subscription",
    "-d": "--defaults",
    "-w": "--workspace-name",
    "-q": "--query",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was typed behind ``az``.

    Parameters
    ----------
    argv
        The words; None: what this process was started with.

    Returns
    -------
    int
        The exit status; 2 for what there is not.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["ml"] and words[1:2] != ["workspace"]:
        return _ml(words[1:])
    if words[:1] in (["--version"], ["-v"]):
        words = ["version"]
    group = next((words[:n] for n in (3, 2, 1) if " ".join(words[:n]) in _ANSWERS), None)
    if group is None or len(words) < len(group):
        return _refused(words)
    return _answered(_ANSWERS[" ".join(group)], words[len(group) :])


def _ml(words: list[str]) -> int:
    from gristmill.cli.main import main as gristmill

    defaults = _remembered().get("defaults", {})
    if "workspace" in defaults:
        os.environ["GRISTMILL_WORKSPACE"] = defaults["workspace"]
    return gristmill(words, is_az=True)


def _refused(words: Sequence[str]) -> int:
    typed = " ".join(["az", *words])
    known = ", ".join(f"az {name}" for name in ("ml", *_ANSWERS))
    print(
        f"gristmill: error: {typed}: there is no cloud behind this az, and this was not done\n"
        f"(it knows {known})",
        file=sys.stderr,
    )
    return ExitStatus.NOTHING_STARTED


def _answered(answer: Callable[[Mapping[str, list[str]]], Any], words: Sequence[str]) -> int:
    """Answer in the form that is asked for."""
    from gristmill.cli.az.answer import Answer
    from gristmill.cli.streams import Stderr
    from gristmill.errors import GristmillError

    options = _options(words)
    try:
        shown = Answer(
            Namespace(
                query=_one(options, "--query"),
                output=_form(_one(options, "--output")),
                only_show_errors=True,
                ignored=(),
            )
        )
        value = answer(options)
        return int(shown.nothing() if value is None else shown.value(value))
    except GristmillError as error:
        Stderr().say(f"gristmill: error: {error}")
        return ExitStatus.NOTHING_STARTED


def _form(text: str | None) -> str | None:
    from gristmill.errors import SpecError

    try:
        return None if text is None else one_of(*FORMS)(text)
    except ArgumentTypeError as error:
        raise SpecError(f"--output: {error}") from error


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    """Read options without knowing them: of each, all words up to the next one."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("-") and word != "-":
            name, value = _name_and_value(word)
            values = found.setdefault(name, [])
            if value is not None:
                values.append(value)
            if name in _FLAGS:
                values = []
        else:
            values.append(word)
    return found


def _name_and_value(word: str) -> tuple[str, str | None]:
    """Take apart ``--name``, ``--name=value`` and ``-nvalue``; a long name may be cut short."""
    if not word.startswith("--"):
        return _SHORT.get(word[:2], word[:2]), word[2:] or None
    name, equals, value = word.partition("=")
    meant = [one for one in _SHORT.values() if one.startswith(name)]
    return meant[0] if len(meant) == 1 else name, value if equals else None


def _one(options: Mapping[str, list[str]], name: str) -> str | None:
    values = options.get(name)
    return values[-1] if values else None


def _remembered() -> dict[str, Any]:
    path = os.environ.get(REMEMBERED)
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _remember(**values: Any) -> None:
    path = os.environ.get(REMEMBERED)
    if path:
        Path(path).write_text(json.dumps({**_remembered(), **values}), encoding="utf-8")


def _account(_: Mapping[str, list[str]]) -> dict[str, Any]:
    named = _remembered().get("subscription") or _NOBODY
    return {
        "name": named if named != _NOBODY else "gristmill",
        "id": named,
        "tenantId": _NOBODY,
        "state": "Enabled",
        "isDefault": True,
        "environmentName": "AzureCloud",
        "user": {"name": "gristmill", "type": "user"},
    }


def _set_account(options: Mapping[str, list[str]]) -> None:
    _remember(subscription=_one(options, "--subscription") or _one(options, "--name"))


def _configure(options: Mapping[str, list[str]]) -> None:
    defaults = dict(_remembered().get("defaults", {}))
    for word in options.get("--defaults", []):
        key, _, value = word.partition("=")
        defaults = {**defaults, key: value} if value else {k: v for k, v in defaults.items() if k != key}
    _remember(defaults=defaults)


def _version(_: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "azure-cli": "2.60.0",
        "azure-cli-core": "2.60.0",
        "extensions": {"ml": "2.30.0"},
        "gristmill": __version__,
    }


def _extension(_: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "name": "ml",
        "version": "2.30.0",
        "extensionType": "whl",
        "experimental": False,
        "preview": False,
    }


def _group(options: Mapping[str, list[str]]) -> dict[str, Any]:
    name = _one(options, "--name") or _one(options, "--resource-group") or _default("group")
    return {"name": name, "location": _LOCATION, "properties": {"provisioningState": "Succeeded"}, "tags": {}}


def _workspace(options: Mapping[str, list[str]]) -> dict[str, Any]:
    name = _one(options, "--name") or _one(options, "--workspace-name") or _default("workspace")
    return {
        "name": name,
        "display_name": name,
        "location": _LOCATION,
        "resource_group": _one(options, "--resource-group") or _default("group"),
        "provisioning_state": "Succeeded",
        "tags": {},
    }


def _default(key: str) -> str:
    return str(
        _remembered().get("defaults", {}).get(key) or os.environ.get("GRISTMILL_WORKSPACE") or "default"
    )


def _nothing(_: Mapping[str, list[str]]) -> None:
    return None


_ANSWERS: dict[str, Callable[[Mapping[str, list[str]]], Any]] = {
    "account show": _account,
    "account list": lambda options: [_account(options)],
    "account set": _set_account,
    "configure": _configure,
    "config set": _nothing,
    "version": _version,
    "extension add": _nothing,
    "extension update": _nothing,
    "extension remove": _nothing,
    "extension show": _extension,
    "extension list": lambda options: [_extension(options)],
    "login": lambda options: [_account(options)],
    "logout": _nothing,
    "group create": _group,
    "group show": _group,
    "group exists": lambda _: True,
    "ml workspace create": _workspace,
    "ml workspace show": _workspace,
    "ml workspace list": lambda options: [_workspace(options)],
}

if __name__ == "__main__":
    sys.exit(main())
