"""Settings that are given to a job when it goes on, checked by the same rules as those of its deployment.

What may change is marked at the fields of `Settings`: nothing that says what the plan is or how the output
looks; what may change rows only where that is forced; everything else freely. This module must not know jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gristmill.errors import SpecError
from gristmill.spec.check import checked
from gristmill.spec.deployment import settings_of
from gristmill.spec.layout import canonical_names
from gristmill.spec.overrides import Override, lay_over
from gristmill.spec.problems import Problem, lines
from gristmill.spec.schema import DeploymentFile, Extensions, SettingsOnly, SettingsSection
from gristmill.spec.sections import Section
from gristmill.spec.switches import output_header
from gristmill.spec.tree import Mapping as Node
from gristmill.spec.tree import Place, tree
from gristmill.spec.values import Settings

_MARKS = {one.name: one.metadata for one in fields(Settings)}
_SECTIONS = ("settings", "gristmill")
_WITH_KEYS = (("settings",), ("gristmill",), ("settings", "retry_settings"))
_CALLED = {"max_concurrency_per_instance": "workers"}


def changed_settings(
    settings: Settings, overrides: Sequence[Override], *, may_change_rows: bool = False
) -> Settings:
    """Lay settings over those that a job has.

    Parameters
    ----------
    settings
        What the job has.
    overrides
        What was given, in its order: the later of two wins. A value that the job has already is no change.
    may_change_rows
        Whether settings may change that affect rows, though neither the plan nor the form of the output.

    Returns
    -------
    Settings
        What the job goes on with.

    Raises
    ------
    SpecError
        A value is wrong, or a setting cannot change: one line for each.
    """
    place = Place(origin="", folder=Path.cwd())
    base = tree({"settings": {"environment_variables": dict(settings.environment_variables)}}, place, "")
    assert isinstance(base, Node)
    given = [one for override in overrides for one in _leaves(override)]
    owners: dict[str, Override] = {}
    problems: list[Problem] = []
    for override in given:
        name = field_of(override.path)
        if name is None:
            problems += _no_setting(base, override)
        else:
            owners[name] = override
    root, misplaced = lay_over(base, [one for one in given if field_of(one.path)], Path.cwd())
    file, wrong = checked(root, SettingsOnly)
    header, contradictions = output_header(root)
    problems += [*misplaced, *wrong, *contradictions]
    if problems or file is None:
        raise SpecError(*lines(problems))
    new = replace(settings_of(file.settings, file.gristmill), include_output_header=header)
    values = {name: getattr(new, name) for name in owners if getattr(new, name) != getattr(settings, name)}
    refused = [_refusal(owners[name], name, may_change_rows=may_change_rows) for name in values]
    if any(refused):
        raise SpecError(*lines(one for one in refused if one is not None))
    return replace(settings, **values)


def differences_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Say what is different between two sets of settings, in the form of `affecting_results`.

    Parameters
    ----------
    before, now
        By field name; what only one of them knows belongs to another release, and is no difference.

    Returns
    -------
    dict
        By field name: ``10 → 20``; of variables, which may be secrets, their names alone.
    """
    found = {}
    for name in sorted(before.keys() & now.keys()):
        old, new = before[name], now[name]
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found[name] = ", ".join(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))
        else:
            found[name] = f"{old} → {new}"
    return found


def is_fixed(name: str) -> bool:
    """Say whether a field of `Settings` can never change within a job."""
    return bool(_MARKS[name]["is_fixed"])


def field_of(path: str) -> str | None:
    """Return the field of `Settings` that a key of a deployment decides; None where it decides none.

    Parameters
    ----------
    path
        As a user writes it: ``settings.retry_settings.timeout``, ``timeout_s`` is its field.
    """
    names = canonical_names(path)
    if names[0] in ("properties", "tags"):
        return "include_output_header" if names[1:] == ("include_output_header",) else None
    if names[0] not in _SECTIONS or len(names) < 2:
        return None
    key = names[2] if names[:2] == ("settings", "retry_settings") and len(names) > 2 else names[1]
    known = (_CALLED.get(key, key), f"{key}_s", f"{key}_bytes")
    return next((name for name in known if name in _MARKS), None)


def _leaves(override: Override) -> Iterator[Override]:
    """Take a mapping of settings apart: each of them is one."""
    if isinstance(override.value, Mapping) and canonical_names(override.path) in _WITH_KEYS:
        for key, value in override.value.items():
            yield from _leaves(replace(override, path=f"{override.path}.{key}", value=value, text=None))
    else:
        yield override


def _refusal(override: Override, name: str, *, may_change_rows: bool) -> Problem | None:
    place = Place(origin=override.origin, folder=Path.cwd())
    if is_fixed(name):
        what = (
            "cannot change within a job: it says what the plan is, or what the output looks like; start a "
            "new job with it"
        )
        return Problem(place=place, path=override.path, what=what)
    if _MARKS[name]["affects_result"] and not may_change_rows:
        what = (
            "may change results, which would not fit those that the job has; start a new job with it, or "
            "go on all the same with --force"
        )
        return Problem(place=place, path=override.path, what=what)
    return None


def _no_setting(base: Node, override: Override) -> list[Problem]:
    """Say why a key is none of a job that goes on: nobody knows it, or the job is made from it."""
    names = canonical_names(override.path)
    sections: dict[str, type[Section]] = {"settings": SettingsSection, "gristmill": Extensions}
    keys = sections[names[0]].model_fields if names[0] in sections else {}
    if names[0] not in DeploymentFile.model_fields or (len(names) > 1 and keys and names[1] not in keys):
        root, misplaced = lay_over(base, [override], Path.cwd())
        _, wrong = checked(root, DeploymentFile)
        return [one for one in (*misplaced, *wrong) if one.place.origin == override.origin]
    what = "cannot change within a job: the job was made from it; start a new job with it"
    return [Problem(place=Place(origin=override.origin, folder=Path.cwd()), path=override.path, what=what)]
