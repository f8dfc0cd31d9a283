"""Texts and names as they stand in a YAML file that we write for somebody."""

from __future__ import annotations

import json
import os
import re

from gristmill.errors import SpecError


def deployment_name(text: str) -> str:
    """Make a name that Azure takes: letters, digits and inner hyphens, 3 to 32 of them, a letter first."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    if len(name) < 3 or not name[0].isalpha():
        name = f"score-{name}".strip("-")
    return name[:32].strip("-")


def yaml_text(text: str) -> str:
    """Write a text as YAML.

    Raises
    ------
    SpecError
        It is not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SpecError(
            f"the path {os.fsencode(text)!r} is not UTF-8 and cannot stand in a YAML file; rename it"
        ) from None
    if re.fullmatch(r"[A-Za-z_./][\w./-]*", text, re.ASCII):
        return text
    return json.dumps(text, ensure_ascii=False)
