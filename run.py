#!/usr/bin/env python3
"""Set up what is needed, then do one thing. Needs nothing but a python3 with venv and pip.

    python3 run.py demo [FOLDER ...]       examples/filetypes: a real model over the files of a folder
    python3 run.py test [--all] [ARGS]     every check and every test; ARGS go to pytest
    python3 run.py bench [NAMES] [ARGS]    benchmarks/NAME.py, all unless named, then docs/performance.md;
                                           ARGS: --rounds N, --quick, --only-missing, --page
    python3 run.py lock [--upgrade]        make requirements/*.lock anew from requirements/*.in

The first time, each makes an environment below .venv/ from the hashes in requirements/*.lock; later runs
start at once. This file runs under any python3 from 3.8 on, and must not import what it is there to install.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Tuple

ROOT = Path(__file__).resolve().parent
VENVS = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements"
INSTALLER = "installer"  # the environment that holds uv, and pip beside it
OLDEST, NEWEST = (3, 11), (3, 14)  # the Pythons that the locks are made for and tested with
VENV_HINT = "install it (on Debian and Ubuntu: the package python3-venv) and run this again"


def main(argv: list[str]) -> int:
    """Do what the first argument names; the value is the exit status."""
    if sys.platform != "linux":
        print(
            f"Gristmill runs on Linux, WSL2 and containers included; this is {sys.platform}", file=sys.stderr
        )
        return 2
    commands = {"demo": demo, "test": test, "bench": bench, "lock": lock}
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0
    if argv[0] not in commands:
        print(f"run.py: there is no command {argv[0]!r}; there are {', '.join(commands)}", file=sys.stderr)
        return 2
    try:
        return commands[argv[0]](argv[1:])
    except SetupError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


class SetupError(Exception):
    """The environment cannot be made; the message is one sentence and says what to do."""


# ------------------------------------------------------------------------------------------ commands


def demo(args: list[str]) -> int:
    """Hand this process over to the demo."""
    script = ROOT / "examples" / "filetypes" / "demo.py"
    venv = environment("demo")
    sys.stdout.flush()
    python = str(venv / "bin" / "python")
    os.execve(python, [python, str(script), *args], child_variables(venv))


def test(args: list[str]) -> int:
    """Run every check, then pytest; say at the end which of them failed."""
    venv = environment("dev")
    failed = [check.name for check in CHECKS if not passes(check, venv)]
    selection = ["-m", ""] if "--all" in args else []
    wanted = [arg for arg in args if arg != "--all"]
    told = any(arg.startswith(("-n", "--numprocesses", "--pdb", "no:xdist")) for arg in wanted)
    parallel = [] if told else ["-n", "2", "--dist", "loadscope"]
    status = call(venv, ["python", "-m", "pytest", *parallel, *selection, *wanted])
    if status:
        failed.append("pytest")
    if failed:
        print(f"run.py: failed: {', '.join(failed)}", file=sys.stderr)
        return status or 1
    return 0


def bench(args: list[str]) -> int:
    """Run benchmarks; what they are compared with has an environment of its own."""
    venv = environment("dev")
    try:
        environment("peers")
    except SetupError as error:
        say(f"other tools are left out of the comparison: {error}")
    return call(venv, ["python", "benchmarks/_all.py", *args])


def lock(args: list[str]) -> int:
    """Resolve every requirements/*.in into the lock beside it: hashes, no host names."""
    with one_at_a_time():
        uv = installer(suitable_python())
    if uv is None:
        raise SetupError("uv, which makes the locks, could not be installed; see above")
    for source in sorted(REQUIREMENTS.glob("*.in"), key=lambda path: (path.name != "runtime.in", path.name)):
        say(f"resolving {source.relative_to(ROOT)}")
        options = ["--universal", "-p", ".".join(map(str, OLDEST)), "--generate-hashes"]
        options += ["--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
        files = [str(source.relative_to(ROOT)), "-o", str(source.with_suffix(".lock").relative_to(ROOT))]
        command = [str(uv), "pip", "compile", *options, *files, *args]
        status = subprocess.call(command, cwd=str(ROOT), env=uv_variables())
        if status:
            return status
    return 0


class Check(NamedTuple):
    """One step of `test` before pytest."""

    name: str
    command: list[str]


GUESTS = [  # these meet a Python as old as 3.8
    "src/gristmill_worker",
    "src/azureml_user",
    "src/gristmill/mlflow/script",
    "run.py",
]
CHECKS = (
    Check("ruff check", ["ruff", "check", "--quiet", "--output-format=concise", "."]),
    Check("ruff format", ["ruff", "format", "--check", "--quiet", "--diff", "."]),
    Check("mypy", ["mypy", "--no-error-summary"]),
    Check("lint-imports", ["lint-imports"]),
    Check("vermin", ["vermin", "-t=3.8-", "--no-tips", "--violations", *GUESTS]),
)


def passes(check: Check, venv: Path) -> bool:
    """Run one check; show what it says only when it fails."""
    begun = time.monotonic()
    command = [str(venv / "bin" / check.command[0]), *check.command[1:]]
    done = subprocess.run(
        command, cwd=str(ROOT), env=child_variables(venv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    say(f"{check.name}: {'FAILED' if done.returncode else 'ok'} ({time.monotonic() - begun:.1f} s)")
    if done.returncode:
        print(done.stdout.decode(errors="replace").rstrip(), flush=True)
    return done.returncode == 0


def call(venv: Path, command: list[str]) -> int:
    """Run a program of an environment in the project's folder, with our own output."""
    sys.stdout.flush()
    return subprocess.call(
        [str(venv / "bin" / command[0]), *command[1:]], cwd=str(ROOT), env=child_variables(venv)
    )


def child_variables(venv: Path) -> dict[str, str]:
    """Return our variables as they are in the activated environment.

    PYTHONDONTWRITEBYTECODE, where it is set, would make every start compile every import again.
    """
    foreign = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX", "CONDA_DEFAULT_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    path = [str(venv / "bin"), os.environ.get("PATH", os.defpath)]
    return {**kept, "VIRTUAL_ENV": str(venv), "PATH": os.pathsep.join(path)}


# -------------------------------------------------------------------------------------- environments


def environment(group: str) -> Path:
    """Return the environment of a group, made or brought up to date where it is not."""
    venv = VENVS / group
    if is_current(venv, group):
        return venv
    with one_at_a_time():
        if not is_current(venv, group):
            begun = time.monotonic()
            build(venv, group)
            say(f"ready after {time.monotonic() - begun:.0f} s; later runs start at once")
    return venv


def build(venv: Path, group: str) -> None:
    """Make the environment hold exactly what its lock names, and the project itself; stamp it last."""
    if stamp_file(venv).exists():
        stamp_file(venv).unlink()
    base = suitable_python()
    say(f"setting up .venv/{group} with Python {version(base)}; the first time takes a minute or two")
    uv = installer(base)
    if uv is None or not fill_with_uv(uv, venv, base, group):
        fill_with_pip(venv, base, group)
    stamp_file(venv).write_text(stamp(group), encoding="ascii")


def fill_with_uv(uv: Path, venv: Path, base: str, group: str) -> bool:
    """Fill the environment with uv; False when it cannot, for whatever reason."""
    if version(str(venv / "bin" / "python")) != version(base):
        shutil.rmtree(str(venv), ignore_errors=True)
        run_quietly([base, "-m", "venv", "--without-pip", str(venv)])
    pip = [str(uv), "pip"]
    into = ["--compile-bytecode", "--python", str(venv / "bin" / "python")]
    project = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    say(f"installing requirements/{group}.lock with uv")
    try:
        lockfile = str(REQUIREMENTS / f"{group}.lock")
        run_quietly([*pip, "sync", *into, "--require-hashes", lockfile], uv_variables())
        run_quietly([*pip, "install", *into, *project], uv_variables())
    except SetupError as error:
        say(f"uv could not: {error}")
        return False
    return True


def fill_with_pip(venv: Path, base: str, group: str) -> None:
    """Fill the environment with nothing but venv and pip: the slower way."""
    say(f"installing requirements/{group}.lock with pip; this takes some minutes")
    run_quietly([base, "-m", "venv", "--clear", str(venv)])
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run_quietly([*pip, "--require-hashes", "-r", str(REQUIREMENTS / f"{group}.lock")])
    run_quietly([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])


def installer(base: str) -> Path | None:
    """Return uv, installed by pip into an environment of its own; None where it is not to be had."""
    venv = VENVS / INSTALLER
    uv = venv / "bin" / "uv"
    if is_current(venv, INSTALLER) and uv.exists():
        return uv
    say("installing uv with pip")
    run_quietly([base, "-m", "venv", "--clear", str(venv)])
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        run_quietly([*pip, "--require-hashes", "-r", str(REQUIREMENTS / f"{INSTALLER}.lock")])
    except SetupError as error:
        say(f"uv is not to be had: {error}")
        return None
    stamp_file(venv).write_text(stamp(INSTALLER), encoding="ascii")
    return uv


def uv_variables() -> dict[str, str]:
    """Return our variables with pip's settings told to uv, so that both use the same registry.

    uv never fetches a Python: where none is new enough, one sentence says so at once.
    """
    meant = {
        "index-url": ("UV_DEFAULT_INDEX", " "),
        "extra-index-url": ("UV_INDEX", " "),
        "find-links": ("UV_FIND_LINKS", ","),
        "no-index": ("UV_NO_INDEX", " "),
        "trusted-host": ("UV_INSECURE_HOST", " "),
        "cert": ("SSL_CERT_FILE", " "),
    }
    bridged = {}
    for name, value in pip_settings().items():
        if name in meant:
            variable, separator = meant[name]
            bridged[variable] = separator.join(value.split())
    # Every file has its hash in the lock, so that it does not matter which of several indexes serves it.
    fixed = {"UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return {**fixed, **bridged, **child_variables(VENVS / INSTALLER)}


def pip_settings() -> dict[str, str]:
    """Return pip's settings for an install: PIP_ variables before [install] before [global]."""
    command = [str(VENVS / INSTALLER / "bin" / "python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in sections and value:
            sections[section][name] = str(ast.literal_eval(value))
    return {**sections["global"], **sections["install"], **sections[":env:"]}


def run_quietly(command: list[str], variables: dict[str, str] | None = None) -> None:
    """Run a step of the set-up; its output is shown only when it fails."""
    variables = dict(os.environ) if variables is None else variables
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        command, cwd=str(ROOT), env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        print(done.stdout.decode(errors="replace").rstrip(), file=sys.stderr, flush=True)
        what = " ".join(command[:4])
        raise SetupError(f"`{what} …` ended with exit status {done.returncode}; what it said is above")


# -------------------------------------------------------------------------------- what is there already


def is_current(venv: Path, group: str) -> bool:
    """Tell whether the environment was made here from these very files, and its Python is still there."""
    if not (venv / "bin" / "python").exists() or not stamp_file(venv).exists():
        return False
    return stamp_file(venv).read_text(encoding="ascii") == stamp(group)


def stamp_file(venv: Path) -> Path:
    """Return the file whose presence says that the environment is complete."""
    return venv / "made-from.sha256"


def stamp(group: str) -> str:
    """Return the digest of all that an environment is made from; its place counts, since scripts name it."""
    digest = hashlib.sha256(os.fsencode(str(ROOT)))
    sources = [REQUIREMENTS / f"{group}.lock"]
    if group != INSTALLER:
        sources.append(ROOT / "pyproject.toml")
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one run.py set up at a time; the second waits, and then finds all done."""
    import fcntl  # not on every platform; main() has answered the others by now

    VENVS.mkdir(exist_ok=True)
    with open(str(VENVS / "lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run.py is setting up; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ------------------------------------------------------------------------------------- finding a Python


def suitable_python() -> str:
    """Return a Python that the locks are made for: this one, one on PATH, or one of pyenv's."""
    names = [f"python{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    candidates = [sys.executable] if OLDEST <= sys.version_info[:2] <= NEWEST else []
    candidates += [path for path in map(shutil.which, names) if path]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += [str(path) for name in names for path in sorted(pyenv.glob(f"*/bin/{name}"))]
    candidates += [sys.executable] if sys.version_info[:2] > NEWEST else []
    # Running one is the only proof: pyenv's shims stand on PATH for versions that they then refuse to start.
    running = [path for path in candidates if version(path) >= OLDEST]
    for path in running:
        if version(path, "import ensurepip, venv") >= OLDEST:
            return path
    if running:
        raise SetupError(f"{running[0]} has no venv module; {VENV_HINT}")
    here = ".".join(map(str, sys.version_info[:3]))
    raise SetupError(
        f"Gristmill needs Python 3.11 or newer, and this is {here} with none beside it; "
        "install one and run this again with it"
    )


def version(python: str, first: str = "") -> Version:
    """Return the version of an interpreter, or an empty one where it does not run (or cannot run `first`)."""
    program = f"{first}\nimport sys; print(*sys.version_info[:3])"
    try:
        done = subprocess.run([python, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return Version()
    return Version(int(part) for part in done.stdout.split()) if done.returncode == 0 else Version()


class Version(Tuple[int, ...]):
    """A Python's version, which reads as 3.11.7."""

    def __str__(self) -> str:
        return ".".join(map(str, self))


def say(what: str) -> None:
    """Tell what happens, one calm line at a time."""
    print(f"run.py: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
