"""What kind of file a document plainly is, so that a file of another kind is answered in one sentence.

It goes by keys that only one kind has, else by ``$schema``, which authors copy along. A document that may be
anything is of no kind.
"""

from __future__ import annotations

import re

from gristmill.spec.tree import Mapping, Scalar

_SCHEMA_NAME = re.compile(r"([A-Za-z0-9]+)\.schema\.json\Z")
_BY_SCHEMA = {
    "batchdeployment": "deployment",
    "modelbatchdeployment": "deployment",
    "batchendpoint": "endpoint",
    "model": "model",
    "environment": "environment",
    "data": "data",
    "azureblob": "datastore",
    "azurefile": "datastore",
    "azuredatalakegen1": "datastore",
    "azuredatalakegen2": "datastore",
    "amlcompute": "compute",
    "managedonlineendpoint": "online endpoint",
    "managedonlinedeployment": "online deployment",
    "kubernetesonlineendpoint": "online endpoint",
    "kubernetesonlinedeployment": "online deployment",
    "pipelinejob": "pipeline job",
    "commandjob": "command job",
    "commandcomponent": "component",
    "pipelinecomponent": "component",
}
_BY_KEY = {
    "code_configuration": "deployment",
    "endpoint_name": "deployment",
    "settings": "deployment",
    "resources": "deployment",
    "mini_batch_size": "deployment",
    "output_action": "deployment",
    "model": "deployment",
    "auth_mode": "endpoint",
    "conda_file": "environment",
    "account_name": "datastore",
    "credentials": "datastore",
    "min_instances": "compute",
    "max_instances": "compute",
    "inputs": "inputs",
    "dependencies": "conda",
}
_BY_TYPE = {
    "custom_model": "model",
    "mlflow_model": "model",
    "uri_file": "data",
    "uri_folder": "data",
    "amlcompute": "compute",
    "azure_blob": "datastore",
}


def other_kind(root: Mapping, wanted: str) -> str | None:
    """Say what a document plainly is, if it is not what is wanted.

    Parameters
    ----------
    root
        The document as it stands in the file.
    wanted
        ``deployment``, ``endpoint``, ``model``, ``environment``, ``data``, ``datastore``, ``compute``,
        ``inputs`` or ``conda``.

    Returns
    -------
    str or None
        The kind with its article, ``an endpoint``; None where it is what is wanted, or may be.
    """
    kind = _kind(root)
    if kind is None or kind == wanted:
        return None
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _kind(root: Mapping) -> str | None:
    found = {kind for key, kind in _BY_KEY.items() if key in root.entries}
    if found:
        return found.pop() if len(found) == 1 else None
    if kind := _BY_TYPE.get(_text(root, "type").lower()):
        return kind
    schema = _SCHEMA_NAME.search(_text(root, "$schema"))
    return _BY_SCHEMA.get(schema[1].lower()) if schema else None


def _text(root: Mapping, key: str) -> str:
    entry = root.entries.get(key)
    return entry.node.text if entry is not None and isinstance(entry.node, Scalar) else ""
