"""Run a model over a pile of files: every input accounted for, one bad file costs one file.

From Python: `run` scores a folder and returns the `Job`; `resume` goes on with one; `job` and `jobs` find
them; `tune` measures a script and recommends settings. They are loaded at first use, so that
``gristmill --help`` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gristmill.api import FailedItem, Job, Tuned, job, jobs, resume, run, tune
    from gristmill.errors import GristmillError, JobFailedError

__version__ = "0.1.0"
__all__ = [
    "FailedItem",
    "GristmillError",
    "Job",
    "JobFailedError",
    "Tuned",
    "job",
    "jobs",
    "resume",
    "run",
    "tune",
]

_LOADED_FROM = {
    "FailedItem": "gristmill.api",
    "GristmillError": "gristmill.errors",
    "Job": "gristmill.api",
    "JobFailedError": "gristmill.errors",
    "Tuned": "gristmill.api",
    "job": "gristmill.api",
    "jobs": "gristmill.api",
    "resume": "gristmill.api",
    "run": "gristmill.api",
    "tune": "gristmill.api",
}


class _Package(ModuleType):
    """Loads names at first use, and keeps ``gristmill.run`` the function.

    There is a package of that name below this one, and Python would put it in the function's place as soon
    as it is imported. It is reached as ``from gristmill.run import …``.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _LOADED_FROM:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=self)
        if sys.platform != "linux":
            raise ImportError(
                f"gristmill runs on Linux, WSL2 and containers included; this is {sys.platform}"
            )
        return getattr(importlib.import_module(_LOADED_FROM[name]), name)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *__all__})

    @property
    def run(self) -> Any:
        return vars(self).get("run") or self.__getattr__("run")

    @run.setter
    def run(self, value: Any) -> None:
        if not isinstance(value, ModuleType):  # else the import system says where the package is
            vars(self)["run"] = value

    @run.deleter
    def run(self) -> None:
        vars(self).pop("run", None)


sys.modules[__name__].__class__ = _Package
