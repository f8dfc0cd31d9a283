"""One contest: contestants work by turns, what each wrote is compared, and who fails is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from _peers import CannotWorkError, Ran
from _results import Series
from _turns import by_turns, tell


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A contestant as it appears in a row."""

    label: str
    run: Callable[[], Ran]
    note: str = ""  # how it is set


class WrongLinesError(Exception):
    """A contestant wrote other lines than the first one did."""


class Contest:
    """Lets contestants work by turns, and keeps what came of it.

    The first is ours: where it fails, the measurement is over. Another that fails or is stopped is asked no
    more, and stands in the table with the reason.

    Raises
    ------
    CannotWorkError
        The first contestant failed.
    WrongLinesError
        One wrote other lines than the first.
    """

    def __init__(self, trials: list[Trial], rounds: int, warm_up: int = 1) -> None:
        self._trials = {trial.label: trial for trial in trials}
        self._first = trials[0].label
        self._lines: tuple[str, ...] | None = None
        self.failures: dict[str, str] = {}
        asked = {label: self._asking(trial) for label, trial in self._trials.items()}
        self._ran = by_turns(asked, rounds, warm_up)

    def figures(self, label: str, of: Callable[[Ran], float]) -> tuple[float, ...]:
        """Return a contestant's figures; none where it failed."""
        if label in self.failures:
            return ()
        return tuple(of(ran) for ran in self._ran[label] if ran is not None)

    def series(self, label: str, of: Callable[[Ran], float]) -> Series:
        """Return a contestant's series for a row."""
        note = self.failures.get(label, self._trials[label].note)
        return Series(contestant=label, figures=self.figures(label, of), note=note)

    def _asking(self, trial: Trial) -> Callable[[], Ran | None]:
        return lambda: self._ask(trial)

    def _ask(self, trial: Trial) -> Ran | None:
        if trial.label in self.failures:
            return None
        try:
            ran = trial.run()
        except CannotWorkError as error:
            if trial.label == self._first:
                raise
            tell(f"{trial.label}: {error}")
            self.failures[trial.label] = str(error)
            return None
        if self._lines is None:
            self._lines = ran.lines
        if not ran.lines or ran.lines != self._lines:
            raise WrongLinesError(
                f"{trial.label} wrote {len(ran.lines):,} lines that are not the "
                f"{len(self._lines):,} of {self._first}"
            )
        return Ran(inner_s=ran.inner_s, whole_s=ran.whole_s, lines=())
