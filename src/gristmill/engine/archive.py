"""The archive that workers run: our few modules of theirs in one zip file, which installs nothing."""

from __future__ import annotations

import importlib.util
import io
import marshal
import sys
from hashlib import sha256
from pathlib import Path

import azureml_user
import gristmill_worker
from gristmill.storage.publish import publish_bytes


def worker_archive(cache: Path) -> Path:
    """Return the zip file that the workers run, made once per release of its content.

    It carries the sources, and for our own version of Python also the compiled files: a
    worker that has to compile starts some 20 ms later.

    Raises
    ------
    OSError
        The cache folder cannot be written.
    """
    sources = _sources()
    digest = sha256()
    for name, text in sources:
        digest.update(name.encode() + b"\0" + text + b"\0")
    path = cache / f"worker-{digest.hexdigest()[:16]}-{sys.implementation.cache_tag}.zip"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        publish_bytes(path, _zipped(sources))
    return path


def _sources() -> list[tuple[str, bytes]]:
    found = []
    for package in (gristmill_worker, azureml_user):
        folder = Path(package.__path__[0])
        found += [(f"{folder.name}/{p.name}", p.read_bytes()) for p in sorted(folder.glob("*.py"))]
    return [*found, ("__main__.py", _ENTRY)]


_ENTRY = b"""import sys
if sys.argv[2:] and sys.argv[2] == "foreground":
    from gristmill_worker.foreground import main
elif sys.argv[2:] and sys.argv[2] == "trial":
    from gristmill_worker.trial import main
elif sys.argv[2:]:
    from gristmill_worker.rehearsal import main
else:
    from gristmill_worker.__main__ import main
sys.exit(main())
"""


def _zipped(sources: list[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    import zipfile  # it is made once for all jobs

    with zipfile.ZipFile(target, "w") as archive:
        for name, text in sources:
            archive.writestr(zipfile.ZipInfo(name), text)
            if name != "__main__.py":
                archive.writestr(zipfile.ZipInfo(name + "c"), _compiled(name, text))
    return target.getvalue()


def _compiled(name: str, text: bytes) -> bytes:
    """Return an unchecked hash-based .pyc: other versions of Python pass it over by its magic number."""
    code = compile(text, name, "exec", dont_inherit=True, optimize=0)

    flags = (0b01).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(text) + marshal.dumps(code)
