"""pip's settings on this machine, told to uv, so that both use the same registry, constraints and folders.

They are read as pip reads them: its configuration files from the most general to the most special, sections
``[global]`` and ``[install]``, and ``PIP_`` variables above all. What is said to uv itself (``UV_``
variables) stands above that.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

#: pip's setting → uv's variable, and what separates several values there.
_MEANT = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
_NO = ("", "0", "false", "no", "off")


def uv_variables(variables: Mapping[str, str], *, several_indexes: bool = False) -> dict[str, str]:
    """Return the variables of the process around us with pip's settings told to uv.

    Parameters
    ----------
    variables
        Of the process around us.
    several_indexes
        Whether what is to be installed names another index beside the usual one.

    Returns
    -------
    dict
        uv never fetches a Python by itself. Of several indexes it looks at all for the best match, as pip
        does; of one it can tell better why something is not there.
    """
    bridged = {}
    for name, value in pip_settings(variables).items():
        if name not in _MEANT or (name == "no-index" and value.strip().lower() in _NO):
            continue
        variable, separator = _MEANT[name]
        bridged[variable] = separator.join(value.split())
    is_several = several_indexes or bool({"UV_INDEX", "UV_EXTRA_INDEX_URL"} & {*bridged, *variables})
    preset = {"UV_INDEX_STRATEGY": "unsafe-best-match"} if is_several else {}
    fixed = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    foreign = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "UV_SYSTEM_PYTHON")
    kept = {name: value for name, value in variables.items() if name not in foreign}
    return {**preset, **bridged, **kept, **fixed}


def pip_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings for an install, by the names of its long options."""
    general: dict[str, str] = {}
    special: dict[str, str] = {}
    for path in _files(variables):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself says what is wrong with it, whenever it is used
        for section, settings in (("global", general), ("install", special)):
            if parser.has_section(section):
                settings.update((_form(name), value) for name, value in parser.items(section))
    named = {
        _form(name[len("PIP_") :]): value
        for name, value in variables.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    }
    return {**general, **special, **named}


def constraints(variables: Mapping[str, str]) -> list[Path]:
    """Return the files that limit the versions of whatever is installed on this machine."""
    said = uv_variables(variables).get("UV_CONSTRAINT", "")
    return [Path(word) for word in said.split() if "://" not in word]


def _files(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield the configuration files, the most general first; they need not exist."""
    named = variables.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path(variables.get("HOME") or Path.home())
    for folder in reversed((variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    if prefix := variables.get("VIRTUAL_ENV"):
        yield Path(prefix) / "pip.conf"
    if named:
        yield Path(named)


def _form(name: str) -> str:
    return name.lower().replace("_", "-")
