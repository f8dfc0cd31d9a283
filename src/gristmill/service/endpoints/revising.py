"""A revision of a deployment: made of its file, of another file, or of some settings that change.

What it needs of its user's files is kept before there is a row of it; a kill in between leaves contents and
assets that the same command finds again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import DeploymentRecord
from gristmill.engine.environment import choose_interpreter
from gristmill.errors import SpecError
from gristmill.service.assets.git import git_state
from gristmill.service.code_files import keep_code
from gristmill.service.endpoints.kept_document import INPUT_LIST, kept_document, load_kept
from gristmill.service.endpoints.records import put_deployment
from gristmill.service.endpoints.references import References
from gristmill.service.endpoints.registering import register_inline
from gristmill.service.endpoints.views import CODE, RECORDED
from gristmill.service.script_reading import warnings_of_script
from gristmill.spec.deployment import Loaded, read_deployment
from gristmill.spec.overrides import Override
from gristmill.spec.values import Deployment
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

Revision = tuple[DeploymentRecord, tuple[str, ...]]
"""The row, and what the user should know."""
#: Newer than any: what ours cannot read, the deployment's own, which is not there yet, may.
_ANY_PYTHON = (3, 99, 0)
_NAMES = (("name", "--name"), ("endpoint_name", "--endpoint-name"))


def created(
    workspace: Workspace, file: Path, overrides: Sequence[Override], *, check_script: bool
) -> Revision:
    """Make a deployment of a file, or a revision of one; see `Deployments.create`."""
    loaded = read_deployment(file, overrides, References(lambda: workspace))
    endpoint, _ = _named(loaded.deployment)
    workspace.endpoints.record(endpoint)
    return _put(workspace, loaded, check_script=check_script)


def replaced(
    workspace: Workspace,
    file: Path,
    overrides: Sequence[Override],
    *,
    endpoint: str | None,
    name: str | None,
) -> Revision:
    """Make a revision of a file, of a deployment that is there; see `Deployments.update`."""
    names = [
        Override(path=key, value=given, origin=f"{option} {given}")
        for (key, option), given in zip(_NAMES, (name, endpoint), strict=True)
        if given is not None
    ]
    loaded = read_deployment(file, [*overrides, *names], References(lambda: workspace))
    workspace.deployments.record(*_named(loaded.deployment))
    return _put(workspace, loaded)


def updated(workspace: Workspace, record: DeploymentRecord, overrides: Sequence[Override]) -> Revision:
    """Make a revision in which some settings are others; see `Deployments.update`."""
    renamed = [one.origin for one in overrides if one.path in ("name", "endpoint_name")]
    if renamed:
        raise SpecError(f"{renamed[0]}: a deployment keeps its name; create another one with that name")
    return _put(workspace, load_kept(workspace, record, overrides), record)


def _named(deployment: Deployment) -> tuple[str, str]:
    """Return the names of the endpoint and the deployment.

    Raises
    ------
    SpecError
        One is missing.
    """
    missing = [
        f"{deployment.source}: {key}: is missing; give it, here or with {option}"
        for key, option in _NAMES
        if getattr(deployment, key) is None
    ]
    if missing:
        raise SpecError(*missing)
    return str(deployment.endpoint_name), str(deployment.name)


def _put(
    workspace: Workspace,
    loaded: Loaded,
    before: DeploymentRecord | None = None,
    *,
    check_script: bool = True,
) -> Revision:
    """Make a row of what was loaded, unless it is there already."""
    deployment = loaded.deployment
    endpoint, name = _named(deployment)
    warned = _warnings(deployment) if check_script else ()
    contents, told = _keep_files(workspace, deployment, before)
    document = kept_document(loaded, register_inline(workspace, loaded))
    notices = (*deployment.notices, *warned, *told)
    there = workspace.catalog.deployment(endpoint, name)
    if there is not None and _is_same(there, document, contents):
        return there, (*notices, f"nothing has changed in revision {there.revision}")
    is_old_code = before is not None and before.contents.get(CODE) == contents.get(CODE)
    recorded = before.document.get(RECORDED) if before is not None and is_old_code else None
    document[RECORDED] = recorded or _recorded(deployment)
    record = DeploymentRecord(endpoint=endpoint, name=name, document=document, contents=contents)
    return put_deployment(workspace, record), notices


def _warnings(deployment: Deployment) -> tuple[str, ...]:
    """Refuse a script that is sure to fail (contract, section 8), and tell what looks wrong."""
    is_built = deployment.packages is not None
    python = _ANY_PYTHON if is_built else choose_interpreter(deployment.python).version
    return warnings_of_script(deployment, python)


def _keep_files(
    workspace: Workspace, deployment: Deployment, before: DeploymentRecord | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Keep the user's files that a deployment needs; return their keys, and what is to be told."""
    home = workspace.settings.home
    store = Contents(home.contents)
    contents: dict[str, str] = {}
    notices: tuple[str, ...] = ()
    kept = before.contents.get(CODE) if before is not None else None
    if kept is not None and deployment.code == store.find(kept):
        contents[CODE] = kept
    elif not deployment.is_generated:
        contents[CODE], notices = keep_code(deployment.code, deployment.scoring_script, home)
    if deployment.settings.input_list is not None:
        contents[INPUT_LIST] = store.put(deployment.settings.input_list)
    return contents, notices


def _is_same(there: DeploymentRecord, document: dict[str, Any], contents: dict[str, str]) -> bool:
    kept = {key: value for key, value in there.document.items() if key != RECORDED}
    return kept == document and dict(there.contents) == contents


def _recorded(deployment: Deployment) -> dict[str, Any]:
    """Return where a deployment comes from."""
    git = None if deployment.is_generated else git_state(deployment.code)
    return {"source": str(deployment.source), "git": git.to_json() if git is not None else None}
