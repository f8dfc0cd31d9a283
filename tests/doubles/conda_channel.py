"""A conda channel in a folder: a Python that leads to one of this machine, and packages of one module.

A conda package of Python is large and needs a network; this one is a few links and the file by which Python
finds its own library (``pyvenv.cfg``). All that solves, links and installs treats it as any other.
"""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from pathlib import Path


def channel(folder: Path, python: Path, version: str, packages: dict[str, str]) -> Path:
    """Make a channel with one Python and packages without a platform.

    Parameters
    ----------
    folder
        Where it is to be.
    python
        The interpreter that the channel's Python leads to.
    version
        The interpreter's own version.
    packages
        Name → version of packages with one module that knows its version; activated, each sets a variable
        that says where its data lies: ``GRAIN_DATA``.
    """
    from rattler.index import index_fs

    minor = ".".join(version.split(".")[:2])
    site = f"lib/python{minor}/site-packages"
    links = {"bin/python": f"python{minor}", "bin/python3": f"python{minor}"}
    links[f"bin/python{minor}"] = str(python.resolve())
    files = {f"{site}/.keep": b"", "pyvenv.cfg": _venv(python, version)}
    own = {"python_site_packages_path": site}
    _write(folder / "linux-64", "python", version, files, links, own)
    for name, one in packages.items():
        code = f"__version__ = {one!r}\n".encode()
        depends = {"depends": ["python"], "noarch": "python"}
        module = name.replace("-", "_")
        activate = f'export {module.upper()}_DATA="$CONDA_PREFIX/share/{name}"\n'.encode()
        inside = {f"site-packages/{module}.py": code, f"etc/conda/activate.d/{name}.sh": activate}
        _write(folder / "noarch", name, one, inside, {}, depends)
    asyncio.run(index_fs(folder))
    return folder


def _venv(python: Path, version: str) -> bytes:
    home = python.resolve().parent
    return f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\n".encode()


def _write(
    folder: Path,
    name: str,
    version: str,
    files: dict[str, bytes],
    links: dict[str, str],
    more: dict[str, object],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    is_noarch = "noarch" in more
    index = {
        "name": name,
        "version": version,
        "build": "stub",
        "build_number": 0,
        "subdir": "noarch" if is_noarch else "linux-64",
        "depends": [],
        **({} if is_noarch else {"arch": "x86_64", "platform": "linux"}),
        **more,
    }
    paths = [
        {"_path": path, "path_type": "softlink" if path in links else "hardlink"} for path in (*files, *links)
    ]
    inside = {
        **files,
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": paths}).encode(),
        "info/files": "\n".join([*files, *links]).encode(),
    }
    if is_noarch:
        inside["info/link.json"] = json.dumps(
            {"noarch": {"type": "python"}, "package_metadata_version": 1}
        ).encode()
    with tarfile.open(folder / f"{name}-{version}-stub.tar.bz2", "w:bz2") as archive:
        for path, content in inside.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for path, target in links.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
