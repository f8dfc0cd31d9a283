"""``--query``: what of an answer is wanted, in JMESPath. This module must not know what is asked about.

The library is loaded only for what is more than a path of names, since ``job show --query status`` stands
in the loops of shell scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from gristmill.errors import GristmillError, SpecError

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)


class QueryError(GristmillError):
    """A query does not fit what was answered; what was asked for is done."""


def compiled(text: str | None) -> Callable[[Any], Any]:
    """Return what takes from an answer what a query asks for.

    Parameters
    ----------
    text
        The expression; None: everything.

    Returns
    -------
    callable
        It takes an answer and returns a part of it, None where there is no such thing. It raises `QueryError`
        where the answer is of another kind than the query expects.

    Raises
    ------
    SpecError
        It is no JMESPath; the message says where.
    """
    if text is None:
        return _everything
    if _PATH.fullmatch(text):
        return partial(_followed, tuple(text.split(".")))
    from jmespath import compile as compile_query  # only for what needs it: it takes its time
    from jmespath.exceptions import JMESPathError

    try:
        expression = compile_query(text)
    except (JMESPathError, KeyError, ValueError) as error:
        said = "; ".join(line.strip() for line in str(error).splitlines() if line.strip(" ^"))
        raise SpecError(f"--query {text}: is no JMESPath: {said}") from error
    return partial(_searched, text, expression)


def _everything(answer: Any) -> Any:
    return answer


def _followed(names: tuple[str, ...], answer: Any) -> Any:
    for name in names:
        if not isinstance(answer, dict):
            return None
        answer = answer.get(name)
    return answer


def _searched(text: str, expression: Any, answer: Any) -> Any:
    from jmespath.exceptions import JMESPathError

    try:
        return expression.search(answer)
    except JMESPathError as error:
        raise QueryError(
            f"--query {text}: does not fit the answer: {error}; what was asked for is done"
        ) from error
