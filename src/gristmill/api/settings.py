"""Settings as arguments from Python: where each belongs in a deployment, and how messages name it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gristmill.errors import SpecError
from gristmill.spec.overrides import Override

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


def plain(value: object) -> object:
    """Turn a path into a text, and leave everything else."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def shown(value: object) -> str:
    """Return a value as it could have been written, cut short where it is long."""
    text = repr(plain(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
