"""The document of a deployment as the catalog keeps it: it loads again when its user's files are gone.

Its code and its list of inputs lie in the content store, its model and its environment are registered, and
its settings stand as they were written. What was left out of it is put back when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import DeploymentRecord
from gristmill.service.endpoints.references import References
from gristmill.service.endpoints.views import CODE, RECORDED
from gristmill.spec.deployment import Loaded, load_document
from gristmill.spec.overrides import Override
from gristmill.spec.tree import plain
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

INPUT_LIST = "input_list"
"""The name under which a deployment has the content that is its list of inputs."""
_OURS = "gristmill"


def kept_document(loaded: Loaded, references: Mapping[str, str]) -> dict[str, Any]:
    """Return what is kept of a deployment's document.

    Parameters
    ----------
    loaded
        The deployment.
    references
        Of the model and the environment that were registered for it, by key: ``azureml:name:version``.
    """
    deployment = loaded.deployment
    values = plain(loaded.root)
    assert isinstance(values, dict)
    values |= {**loaded.references, **references}
    values["name"], values["endpoint_name"] = deployment.name, deployment.endpoint_name
    values.pop("code_configuration", None)
    if not deployment.is_generated:
        values["code_configuration"] = {"scoring_script": deployment.scoring_script}
    ours = dict(values.get(_OURS) or {})
    ours.pop(INPUT_LIST, None)
    if deployment.python is not None:
        ours["python"] = str(deployment.python)
    values.pop(_OURS, None)
    return {**values, **({_OURS: ours} if ours else {})}


def load_kept(workspace: Workspace, record: DeploymentRecord, overrides: Sequence[Override] = ()) -> Loaded:
    """Load a deployment from the catalog.

    Parameters
    ----------
    workspace
        Where what it names is registered.
    record
        The deployment.
    overrides
        Settings that stand above its own.

    Raises
    ------
    SpecError
        An override is wrong, or what the deployment names is not there any more.
    HomeError
        Its code is not there any more.
    """
    contents = Contents(workspace.settings.home.contents)
    values = {key: value for key, value in record.document.items() if key != RECORDED}
    if CODE in record.contents:
        code = str(contents.path(record.contents[CODE]))
        values["code_configuration"] = {"code": code, **values["code_configuration"]}
    if INPUT_LIST in record.contents:
        listed = str(contents.path(record.contents[INPUT_LIST]))
        values[_OURS] = {**(values.get(_OURS) or {}), INPUT_LIST: listed}
    source = Path((record.document.get(RECORDED) or {}).get("source") or "deployment.yml")
    resolve = References(lambda: workspace)
    return load_document(values, source, overrides, resolve, called=called(record))


def called(record: DeploymentRecord) -> str:
    """Say what messages call the document of a deployment."""
    return f"the deployment {record.name} of endpoint {record.endpoint}"
