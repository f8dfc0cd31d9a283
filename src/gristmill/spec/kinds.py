"""What a single value of a deployment may be: one function for each kind of value, node in, value out.

Each refuses with one sentence that says what is wanted and what was given. The functions take both what YAML
makes of a text and the text itself, since options and ``properties`` hold texts only.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar

from gristmill.spec.patterns import PatternError, expression
from gristmill.spec.problems import did_you_mean
from gristmill.spec.sections import WrongValueError
from gristmill.spec.tree import Entry, Mapping, Node, Plain, Scalar, Sequence, got, is_null, meaning
from gristmill.spec.values import ErrorThreshold

LARGEST_NUMBER = 2**31 - 1
MOST_WORKERS = 1024
"""Worker processes on one machine; more is a slip of the finger."""
LEAST_MEMORY = 32_000_000
"""Bytes for one worker; with less, hardly a Python with a library starts."""
LEAST_MINI_BATCH = 1000
"""Bytes for one mini-batch; less is a unit that was forgotten."""
_FORBIDDEN_IN_FILE_NAMES = '~"#%&*:<>?/\\{|}'
_REGISTRY = re.compile(r"azureml://registries/", re.IGNORECASE)
_REFERENCE = re.compile(r"azureml:", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*%\s*")
_SPAN = re.compile(
    r"\s*([0-9]{1,9}(?:\.[0-9]+)?)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\s*", re.IGNORECASE
)
_SIZE = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([kmgt]?)(i?)(b?)\s*", re.IGNORECASE)
_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_NAME = re.compile(r"[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
Choice = TypeVar("Choice", bound=Enum)


def wrong(what: str) -> WrongValueError:
    """Make the refusal of a value; ``what`` is the whole message."""
    return WrongValueError(what)


def as_only_key(key: str, node: Node) -> Node:
    """Turn a single value into a mapping that holds it under the key."""
    if not isinstance(node, Scalar):
        return node
    return Mapping(place=node.place, entries={key: Entry(path=key, place=node.place, node=node)})


def text(node: Any) -> str:
    """Take any single value as the text that stands there."""
    if not isinstance(node, Scalar):
        raise wrong(f"must be a text {got(node)}")
    return "" if is_null(node) else node.text


def entries(node: Any) -> dict[str, Node]:
    """Take a mapping with any keys."""
    if not isinstance(node, Mapping):
        raise wrong(f"must be a mapping of texts {got(node)}")
    return {key: entry.node for key, entry in node.entries.items()}


def variables(found: dict[str, str]) -> dict[str, str]:
    """Take a mapping of environment variables."""
    for one in found:
        if not one or "=" in one:
            raise wrong(f"{one!r} cannot be the name of an environment variable")
    return found


def name(node: Any) -> str:
    """Take the name of an endpoint or a deployment."""
    given = text(node)
    if not 3 <= len(given) <= 32:
        raise wrong(f"must have 3 to 32 characters {got(node)}")
    if not _NAME.fullmatch(given):
        raise wrong(f"must be letters, digits and '-', begin with a letter and not end with '-' {got(node)}")
    return given


def whole_number(least: int) -> Callable[[Any], int]:
    """Take a whole number of at least ``least``."""

    def take(node: Any) -> int:
        given = _number(node)
        if given is None or given != given // 1 or given < least:
            raise wrong(f"must be a whole number of at least {least} {got(node)}")
        if given > LARGEST_NUMBER:
            raise wrong(f"must be at most {LARGEST_NUMBER} {got(node)}")
        return int(given)

    return take


def seconds(node: Any) -> float:
    """Take a time span in seconds."""
    given = _number(node)
    if given is None or not 0 < given <= LARGEST_NUMBER:
        raise wrong(f"must be a number of seconds greater than 0 {got(node)}{_in_seconds(node)}")
    return float(given)


def seconds_or_none(node: Any) -> float:
    """Take a time span in seconds, or 0 for none."""
    return 0.0 if _number(node) == 0 else seconds(node)


def _in_seconds(node: Any) -> str:
    """End a message about a time span with a unit by the same in seconds."""
    found = _SPAN.fullmatch(node.text) if isinstance(node, Scalar) else None
    return f"; did you mean '{float(found[1]) * _UNITS_S[found[2][0].lower()]:g}'?" if found else ""


def flag(node: Any) -> bool:
    """Take true or false; YAML 1.2 reads ``yes`` and ``no`` as texts."""
    given = text(node).lower()
    if given in ("true", "false"):
        return given == "true"
    raise wrong(f"must be true or false {got(node)}{_meant_flag(given)}")


def flag_or_auto(node: Any) -> bool | Literal["auto"]:
    """Take true, false or ``auto``."""
    given = text(node).strip().lower()
    if given == "auto":
        return "auto"
    if given in ("true", "false"):
        return given == "true"
    raise wrong(f"must be auto, true or false {got(node)}{_meant_flag(given)}")


def _meant_flag(given: str) -> str:
    meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}.get(given)
    return f"; did you mean {meant!r}?" if meant else did_you_mean(given, ("true", "false"))


def word(*known: str) -> Callable[[Any], str]:
    """Take one of the known words, in any case, with or without its ``_``."""
    by_form = {_form(one): one for one in known}

    def take(node: Any) -> str:
        given = text(node) if isinstance(node, Scalar) else ""
        if _form(given) not in by_form:
            listed = f"{', '.join(known[:-1])} or {known[-1]}"
            raise wrong(f"must be {listed} {got(node)}{did_you_mean(given, known)}")
        return by_form[_form(given)]

    return take


def choice(kind: type[Choice]) -> Callable[[Any], Choice]:
    """Take the value of one member of an enumeration."""
    take = word(*(str(member.value) for member in kind))
    return lambda node: kind(take(node))


def workers(node: Any) -> int | Literal["auto"]:
    """Take a number of worker processes, or ``auto``."""
    if isinstance(node, Scalar) and node.text.strip().lower() == "auto":
        return "auto"
    given = _number(node)
    if given is not None and given > MOST_WORKERS:
        raise wrong(f"must be at most {MOST_WORKERS} {got(node)}; auto takes as many as there are cores")
    if given is None or given != given // 1 or given < 1:
        hint = did_you_mean(node.text, ("auto",)) if isinstance(node, Scalar) else ""
        raise wrong(f"must be a whole number of at least 1, or auto {got(node)}{hint}")
    return int(given)


def gpus(node: Any) -> float:
    """Take a number of GPUs for one worker: none, some, or a share of one."""
    given = _number(node)
    if given is None or not 0 <= given <= MOST_WORKERS or (given > 1 and given != given // 1):
        raise wrong(
            "must be 0 (none), a whole number of GPUs, or the share of one that each worker takes,"
            f" such as 0.5 {got(node)}"
        )
    if 0 < given < 1 / MOST_WORKERS:
        raise wrong(f"must be at least {1 / MOST_WORKERS:.3f}, or 0 for none {got(node)}")
    return float(given)


def memory_of_a_worker(node: Any) -> int:
    """Take the memory for one worker."""
    given = size(node, "2GB or 512MiB")
    if given < LEAST_MEMORY:
        hint = f"; did you mean '{given:g}GB'?" if 0 < given < 1000 else ""
        raise wrong(f"must be at least 32MB, which Python takes for itself {got(node)}{hint}")
    return given


def size_of_a_mini_batch(node: Any) -> int:
    """Take the most bytes for one mini-batch."""
    given = size(node, "64MB or 512KiB")
    if given < LEAST_MINI_BATCH:
        hint = f"; did you mean '{given:g}MB'?" if given else ""
        raise wrong(f"must be at least 1kB {got(node)}{hint}")
    return given


def size(node: Any, examples: str) -> int:
    """Take a size in bytes: a whole number, or a number with its unit, such as 2GB or 512MiB."""
    found = _SIZE.fullmatch(node.text) if isinstance(node, Scalar) else None
    given = _number(node)
    if given is None and found and found[4]:
        step = 1024 if found[3] else 1000
        given = int(float(found[1]) * step ** " kmgt".index(found[2].lower() or " "))
    if given is None or given != given // 1 or given < 0:
        hint = f"; did you mean '{node.text.strip()}B'?" if found and not found[4] and found[2] else ""
        raise wrong(f"must be a size such as {examples}, or a number of bytes {got(node)}{hint}")
    return int(given)


def error_threshold(node: Any) -> ErrorThreshold:
    """Take a number of items, -1 for never, or a share of the items as a percentage."""
    percent = _PERCENT.fullmatch(node.text) if isinstance(node, Scalar) else None
    if percent and float(percent[1]) <= 100:
        return ErrorThreshold(items=None, fraction=float(percent[1]) / 100)
    given = _number(node)
    if given is None or percent or given != given // 1 or not -1 <= given <= LARGEST_NUMBER:
        hint = f"; did you mean '{given * 100:g}%'?" if given is not None and 0 < given < 1 else ""
        if percent:
            hint = "; a share is at most 100%, and -1 lets the job go on whatever fails"
        raise wrong(f"must be a number of items, -1 (never), or a share such as 20% {got(node)}{hint}")
    return ErrorThreshold(items=int(given), fraction=None)


def file_name(node: Any) -> str:
    """Take the name of the predictions file."""
    given = text(node)
    bad = sorted({c for c in given if c in _FORBIDDEN_IN_FILE_NAMES or not c.isprintable()})
    if bad:
        raise wrong(f"a file name must not hold {' '.join(map(_shown, bad))} {got(node)}")
    if given.strip() in ("", ".", ".."):
        raise wrong(f"must be the name of a file {got(node)}")
    if len(os.fsencode(given)) > 200:
        raise wrong(f"must not be longer than 200 bytes {got(node)}")
    return given


def folder(node: Any) -> Path:
    """Take a folder that exists."""
    path = local_path(node)
    if not os.path.isdir(path):
        if os.path.exists(path):
            raise wrong(f"is not a folder: {path} {got(node)}")
        raise wrong(f"no such folder: {path} {got(node)}{neighbour(path)}")
    return path


def model_path(node: Any) -> Path:
    """Take a model's file or folder that exists; a reference to a catalog or a registry is refused."""
    refuse_registry(node)
    if isinstance(node, Scalar) and _REFERENCE.match(node.text):
        raise wrong(f"is registered elsewhere {got(node)}; give the model's path, here or with --model")
    path = local_path(node)
    if not os.path.exists(path):
        raise wrong(f"no such file or folder: {path} {got(node)}{neighbour(path)}")
    if not os.path.isfile(path) and not os.path.isdir(path):
        raise wrong(f"is neither a file nor a folder {got(node)}; give the model's file or folder")
    return path


def arguments(node: Any) -> str:
    """Take arguments of a program, as a shell would read them."""
    given = text(node)
    try:
        shlex.split(given)
    except ValueError as error:
        raise wrong(f"cannot be read as arguments ({error}) {got(node)}; close each quote") from None
    return given


def conda_file(node: Any) -> Path:
    """Take a conda file that exists."""
    path = local_path(node)
    if not os.path.isfile(path):
        if os.path.exists(path):
            raise wrong(f"is no file: {path} {got(node)}; give the conda file itself")
        raise wrong(f"no such file: {path} {got(node)}{neighbour(path)}")
    return path


def is_in_registry(reference: str) -> bool:
    """Say whether a reference leads to a registry of the original."""
    return bool(_REGISTRY.match(reference))


def refuse_registry(node: Any) -> None:
    """Refuse what lies in a registry of the original."""
    if isinstance(node, Scalar) and _REGISTRY.match(node.text):
        raise wrong(
            f"lies in a registry in the cloud {got(node)}, which is not reached from here; download it, and"
            " give its path or register it under a name of your own"
        )


def patterns(node: Any) -> tuple[str, ...]:
    """Take a list of patterns for paths, or one pattern alone."""
    found = []
    for one in node.items if isinstance(node, Sequence) else (node,):
        if not isinstance(one, Scalar):
            raise wrong(f"must be a list of patterns such as '*.jpg' {got(one)}")
        try:
            expression(text(one))
        except PatternError as error:
            raise wrong(f"the pattern {error} {got(one)}") from None
        found.append(text(one))
    return tuple(found)


def several(*known: str) -> Callable[[Any], tuple[str, ...]]:
    """Take a list of known words, or one text with commas between them; each once."""
    take = word(*known)

    def take_all(node: Any) -> tuple[str, ...]:
        if isinstance(node, Sequence):
            return tuple(dict.fromkeys(map(take, node.items)))
        names = [one.strip() for one in text(node).split(",")] if isinstance(node, Scalar) else [""]
        return tuple(
            dict.fromkeys(take(Scalar(place=node.place, text=name, value=name)) for name in names if name)
        )

    return take_all


def input_list(node: Any) -> Path:
    """Take a file that exists, which lists the inputs."""
    path = local_path(node)
    if not os.path.isfile(path):
        if os.path.exists(path):
            raise wrong(f"is no file: {path} {got(node)}; give a text file with one path a line")
        raise wrong(f"no such file: {path} {got(node)}{neighbour(path)}")
    return path


def interpreter(node: Any) -> Path:
    """Take a Python interpreter: its file, the folder of its environment, or a command's name."""
    path = local_path(node)
    if os.path.isfile(path / "bin" / "python"):
        return path / "bin" / "python"
    if os.path.isfile(path):
        return path
    found = shutil.which(node.text) if "/" not in node.text else None
    if found:
        return Path(os.path.abspath(found))
    what = "is a folder without bin/python" if os.path.isdir(path) else "no such file"
    raise wrong(f"{what}: {path} {got(node)}; give the path of a Python interpreter or of its environment")


def neighbour(path: Path) -> str:
    """End a message with the name beside the path that is nearest to it, if one is near."""
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except (OSError, ValueError):
        return ""


def local_path(node: Any) -> Path:
    """Take a path of this machine, relative to the folder of what names it; nothing need be there."""
    given = text(node)
    if not given.strip():
        raise wrong(f"must be a path {got(node)}")
    if _REFERENCE.match(given) or _ADDRESS.match(given):
        raise wrong(f"must be a path on this machine {got(node)}")
    path = Path(os.path.abspath(node.place.folder / given))
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise wrong(f"cannot be looked up: {getattr(error, 'strerror', None) or error} {got(node)}") from None
    return path


def _number(node: Any) -> int | float | None:
    """Give the finite number that the node stands for, quoted or not; None for anything else."""
    if not isinstance(node, Scalar) or isinstance(node.value, bool):
        return None
    value: Plain = meaning(node.value.strip()) if isinstance(node.value, str) else node.value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _form(given: str) -> str:
    return given.strip().lower().replace("_", "").replace("-", "")


def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
