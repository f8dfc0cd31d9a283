"""A stage for scenes before an outbox: one Python, and what came of each try."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import gristmill_worker
from gristmill.engine.contract import pieces_in

SOURCE = Path(gristmill_worker.__file__).parent.parent
FAILS = "raise Fails()"


class Taken:
    """What came of a try, or of the end."""

    def __init__(self, root: Path, label: str, told: dict[str, Any]) -> None:
        self.leaving: list[str] = told.get("leaving", [])
        """Files for which the worker must be replaced after a failed try."""
        self.there: list[str] = told["there"]
        """What is in the folder afterwards."""
        self.held: bool = told.get("held", False)
        self.foreign: list[str] = told.get("foreign", [])
        self.touched: bool = told.get("touched", False)
        self.failed: bool = told.get("failed", False)
        self.whole = set_aside(root / "aside" / label)
        """Whole files, by name, with their content (links and the like in words)."""
        self.pieces: dict[str, str] = {}
        """What was added to files, by name."""
        self.starts: dict[str, int] = {}
        """Where the pieces began in the worker's own files."""
        if told.get("attached"):
            with open(root / "one.part", "rb") as part:
                read = lambda size, at: os.pread(part.fileno(), size, at)  # noqa: E731  # a closure, used once
                for piece in pieces_in(read, told["offset"], told["attached"]):
                    assert piece.name not in self.pieces
                    self.pieces[piece.name] = read(piece.length, piece.offset).decode("latin-1")
                    self.starts[piece.name] = piece.at
        assert len(self.whole) == told.get("files", 0)


def set_aside(folder: Path) -> dict[str, str]:
    found = {}
    for here, folders, files in os.walk(folder):
        for name in files + [name for name in folders if os.path.islink(os.path.join(here, name))]:
            path = os.path.join(here, name)
            found[os.path.relpath(path, folder)] = content(path)
    return found


def content(path: str) -> str:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return f"link to {os.readlink(path)}"
    if not stat.S_ISREG(mode):
        return {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}[stat.S_IFMT(mode)]
    return Path(path).read_bytes().decode("latin-1")


class Stage:
    """One Python that plays scenes."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        self._errors = open(folder / "errors", "w+")  # closed in `close`
        driver = Path(__file__).with_name("outbox_scenes.py")
        self._process = subprocess.Popen(
            [python, "-B", "-s", driver, SOURCE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, text=True,
        )  # fmt: skip

    def play(
        self, *tries: str, init: str = "", last: str | None = None, via_link: bool = False
    ) -> list[Taken]:
        """Play a scene: `init`, the tries (one that raises ``Fails`` is a failed one), and the end."""
        root = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            return self._play(root, [dedented(code) for code in tries], dedented(init), last, via_link)
        finally:
            shutil.rmtree(root)

    def _play(self, root: Path, tries: list[str], init: str, last: str | None, via_link: bool) -> list[Taken]:
        (root / "real" / "outbox").mkdir(parents=True)
        (root / "working").mkdir()
        (root / "link").symlink_to("real")
        scene = {
            "root": str(root), "folder": str(root / ("link" if via_link else "real") / "outbox"),
            "init": init, "tries": tries, "last": None if last is None else dedented(last),
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(scene) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "played\n", self.errors()
        assert (root / "told.json").exists(), self.errors()
        told = json.loads((root / "told.json").read_text())
        labels = [*(f"{number}-0-1" for number in range(len(tries))), "shutdown"]
        return [Taken(root, label, one) for label, one in zip(labels, told, strict=False)]

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def dedented(code: str) -> str:
    return textwrap.dedent(code).strip() + "\n"


def joined(taken: list[Taken], name: str) -> str:
    """Return an appended file as it is put together."""
    return "".join(one.pieces.get(name, "") for one in taken)


APPEND = """
with open(OUT + "/all.txt", "a") as file:
    file.write({!r})
"""
WRITE = """
with open(OUT + "/{}", "w") as file:
    file.write({!r})
"""
