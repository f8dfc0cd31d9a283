"""``gristmill.tune``: a script measured on a sample, and the settings that follow, as arguments of `run`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from gristmill.api.settings import StrPath, mapping, overrides, path_argument, patterns_argument, shown
from gristmill.api.words import in_python, speaking_python
from gristmill.errors import RequestError, SpecError
from gristmill.service.endpoints.references import load_at
from gristmill.service.tune import TuneRequest, Tuning
from gristmill.service.tune import tune as measure
from gristmill.settings import Home
from gristmill.shown.stream import Stream
from gristmill.shown.tuning import lines

_LONGEST_S = 86400


class Tuned:
    """What was measured, and what is recommended; ``print`` shows all of it."""

    def __init__(self, tuning: Tuning, words: str) -> None:
        self._tuning = tuning
        self._words = words

    @property
    def settings(self) -> dict[str, int]:
        """``mini_batch_size``, ``workers`` and ``timeout``, for ``run(…, **tuned.settings)``; empty where
        nothing could be measured.
        """
        return self._tuning.settings

    @property
    def binds(self) -> str | None:
        """What keeps it from being faster: ``CPU``, ``memory``, ``reading``, ``waiting``, ``GPU``,
        ``start`` or ``input``; None where nothing could be measured.
        """
        recommended = self._tuning.recommendation
        return recommended.binds.value if recommended is not None else None

    @property
    def problem(self) -> str | None:
        """Why nothing could be measured; None: it could."""
        problem = self._tuning.problem
        return problem.message if problem is not None else None

    def to_json(self) -> dict[str, Any]:
        """Return everything that was measured, as ``gristmill tune --json`` prints it."""
        return self._tuning.to_json()

    def __str__(self) -> str:
        return self._words

    def __repr__(self) -> str:
        return f"<Tuned {self.settings or self.problem}>"


def tune(
    script_or_deployment: StrPath,
    *,
    input: StrPath,
    budget: float = 60.0,
    model: StrPath | None = None,
    python: StrPath | None = None,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    input_list: StrPath | None = None,
    settings: Mapping[str, object] | None = None,
    yes: bool = False,
    progress: bool = True,
) -> Tuned:
    """Measure a script on a sample of its input, as ``gristmill tune`` does, and recommend settings.

    Files of the input are run several times. It is no job: what the script writes to its output folder is
    removed.

    Parameters
    ----------
    script_or_deployment
        A scoring script (``.py``), a deployment (``.yml``, ``.yaml`` or ``.json``), or the folder of an
        MLflow model.
    input
        A folder of files, or one file.
    budget
        Seconds for measuring, once the script has started.
    model, python, include, exclude, input_list, settings
        As for `run`.
    yes
        Whether files may be run several times although ``max_retries`` is 0.
    progress
        Whether it is told on stderr what is going to take a while.

    Returns
    -------
    Tuned
        Also after an interrupt, if anything was known by then.

    Raises
    ------
    RequestError
        The deployment, an argument or the input is not right; nothing was started.
    KeyboardInterrupt
        It was interrupted before anything was known.
    """
    seconds = _seconds(budget)
    given = {
        "model": model,
        "python": python,
        "include": patterns_argument("include", include),
        "exclude": patterns_argument("exclude", exclude),
        "input_list": input_list,
    }
    script, where = path_argument("script_or_deployment", script_or_deployment), path_argument("input", input)
    stream = Stream(sys.stderr)
    home = Home.from_environment()
    try:
        request = TuneRequest(
            deployment=load_at(home, script, overrides(given, mapping(settings))),
            input=where,
            budget_s=seconds,
            may_repeat=yes,
        )
        say = (lambda text: stream.say(in_python(text))) if progress else (lambda _: None)
        tuning = measure(request, home, say)
    except RequestError as error:
        raise speaking_python(error) from error.__cause__
    arguments = "".join(f", {name}={value}" for name, value in tuning.settings.items())
    typed = f"gristmill.run({str(script)!r}, input={str(where)!r}{arguments})"
    return Tuned(tuning, "\n".join(lines(tuning, typed)))


def _seconds(budget: object) -> float:
    """Take a number of seconds; a notebook has no types, and it may be anything."""
    is_number = isinstance(budget, (int, float)) and not isinstance(budget, bool)
    if not is_number or not 1 <= float(str(budget)) <= _LONGEST_S:
        raise SpecError(f"budget={shown(budget)}: must be a number of seconds from 1 to {_LONGEST_S}")
    return float(str(budget))
