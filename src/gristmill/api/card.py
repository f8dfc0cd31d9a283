"""How a job looks in a notebook: a small table. Everything in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_LINES_OF_MESSAGE = 12
_LEFT = 'style="text-align: left"'


def card(title: str, rows: Sequence[tuple[str, str | None]], message: str) -> str:
    """Write a job as HTML.

    Parameters
    ----------
    title
        What it is, and how it stands.
    rows
        Names and values; those without a value are left out.
    message
        What went wrong, in several lines; only the first ones are shown.

    Returns
    -------
    str
        A table that needs no script and no style sheet; text that is not UTF-8 is escaped.
    """
    cells = "".join(
        f"<tr><th {_LEFT}>{_safe(name)}</th><td {_LEFT}>{_safe(value)}</td></tr>"
        for name, value in rows
        if value
    )
    said = f"<pre>{_safe(_shortened(message))}</pre>" if message else ""
    return f"<div><strong>{_safe(title)}</strong><table>{cells}</table>{said}</div>"


def _shortened(message: str) -> str:
    lines = message.splitlines()
    return "\n".join(lines if len(lines) <= _LINES_OF_MESSAGE else [*lines[:_LINES_OF_MESSAGE], "…"])


def _safe(text: str) -> str:
    return escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
