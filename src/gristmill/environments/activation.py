"""The variables that packages of conda set when their environment is activated: where their data lies, say.

Their scripts are run once, when the environment is built; workers get what they have set.
"""

from __future__ import annotations

import json
import os
import shutil

from gristmill.environments.site import Site

_SCRIPTS = "etc/conda/activate.d"
_STATE = "conda-meta/state"
#: Of the shell that runs the scripts, or set for each worker anyway.
_NOT_KEPT = {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "PS1", "CONDA_PREFIX", "BASH_FUNC_which%%"}
_PROGRAM = """set +u
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$script" >&2; done
"$1" -I -S -c 'import json, os; print("variables " + json.dumps(dict(os.environ)))'
"""


def activation_variables(site: Site) -> dict[str, str]:
    """Return what the scripts of an environment set, beside what was set before.

    Raises
    ------
    CommandFailedError
        A script ended the shell.
    """
    own: dict[str, str] = {}
    state = site.prefix / _STATE
    if state.is_file():
        own = {str(k): str(v) for k, v in json.loads(state.read_bytes()).get("env_vars", {}).items()}
    bash = shutil.which("bash", path=site.variables.get("PATH", os.defpath))
    if bash is None or not (site.prefix / _SCRIPTS).is_dir():
        return own
    path = os.pathsep.join([str(site.prefix / "bin"), site.variables.get("PATH", os.defpath)])
    before = {**site.variables, "CONDA_PREFIX": str(site.prefix), "PATH": path}
    said = site.run([bash, "-c", _PROGRAM, "bash", site.python], before)
    line = next(line for line in reversed(said) if line.startswith("variables "))
    after = json.loads(line.partition(" ")[2])
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return {**{name: value for name, value in changed.items() if name not in _NOT_KEPT}, **own}
