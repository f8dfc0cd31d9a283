"""Numbers, time spans and paths, as people write them. This module imports only the standard library."""

from __future__ import annotations

import os


def counted(number: int, noun: str, between: str = "") -> str:
    """Write a number with its noun: ``1 item``, ``1,797 items``."""
    return f"{number:,}{between} {noun}{'' if number == 1 and not between else 's'}"


def duration(seconds: float) -> str:
    """Write a time span: ``41 s``, ``3 min 05 s``, ``2 h 07 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def near(path: str) -> str:
    """Write a path below the current folder from there, and any other in full."""
    below = os.path.relpath(path)
    return path if below == os.pardir or below.startswith(os.pardir + os.sep) else below


def harmless(text: str) -> str:
    """Escape what would steer a terminal; line breaks and tabs stay."""
    return text.translate(_STEERING)


_STEERING = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F) if chr(code) not in "\n\t"}
