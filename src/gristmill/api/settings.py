"""Settings as arguments from Python: where each belongs in a deployment, and how messages name it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.overrides import Override

StrPath = str | os.PathLike[str]

#: Where each argument belongs in a deployment; the command's options stand for the same places.
PLACES = {
    "model": "model",
    "python": "gristmill.python",
    "workers": "gristmill.workers",
    "mini_batch_size": "settings.mini_batch_size",
    "timeout": "settings.retry_settings.timeout",
    "max_retries": "settings.retry_settings.max_retries",
    "error_threshold": "settings.error_threshold",
    "format": "gristmill.output_format",
    "provenance": "gristmill.provenance",
    "include": "gristmill.include",
    "exclude": "gristmill.exclude",
    "input_list": "gristmill.input_list",
    "limit": "gristmill.limit",
}
_MOST_SHOWN = 60


def overrides(given: Mapping[str, object], settings: Mapping[str, object]) -> list[Override]:
    """Turn arguments into settings that stand above those of the deployment.

    Parameters
    ----------
    given
        Values by the names in `PLACES`; None: not given.
    settings
        Values by their key in a deployment.

    Returns
    -------
    list of Override
        What messages name is the argument as it could have been written: ``mini_batch_size=0``.
    """
    arguments = [
        Override(path=PLACES[name], value=plain(value), origin=f"{name}={shown(value)}")
        for name, value in given.items()
        if value is not None
    ]
    others = [
        Override(path=key, value=plain(value), origin=f"settings={{{key!r}: {shown(value)}}}")
        for key, value in settings.items()
    ]
    return [*arguments, *others]


def mapping(settings: object) -> Mapping[str, object]:
    """Take what was given as ``settings``: a notebook has no types, and it may be anything.

    Raises
    ------
    SpecError
        It is no mapping.
    """
    if settings is None:
        return {}
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise SpecError(f"settings={shown(settings)}: must be a mapping of keys, as texts, to values")
    return settings


def path_argument(name: str, value: object) -> Path:
    """Take a path; an empty one is an unset variable, and must not mean this folder.

    Raises
    ------
    SpecError
        It is none.
    """
    path = plain(value)
    if not isinstance(path, str):
        raise SpecError(f"{name}={shown(value)}: must be a path, as a text or a pathlib.Path")
    if not path:
        raise SpecError(f"{name}={value!r}: is empty; give a path")
    return Path(path)


def patterns_argument(name: str, patterns: object) -> tuple[str, ...] | None:
    """Take a pattern, or several; None where there is none.

    Raises
    ------
    SpecError
        It is something else.
    """
    if patterns is None:
        return None
    if isinstance(patterns, bytes) or not isinstance(patterns, Iterable):
        raise SpecError(f"{name}={shown(patterns)}: must be a pattern such as '*.jpg', or a list of them")
    return ((patterns,) if isinstance(patterns, str) else tuple(patterns)) or None


def plain(value: object) -> object:
    """Turn a path into a text, and leave everything else."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def shown(value: object) -> str:
    """Return a value as it could have been written, cut short where it is long."""
    text = repr(plain(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
