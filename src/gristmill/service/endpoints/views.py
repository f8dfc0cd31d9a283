"""How endpoints and deployments are shown: az's keys, and what only we know in a block of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.catalog.records import DeploymentRecord, EndpointRecord
from gristmill.spec.schema import Resources, Retries, SettingsSection
from gristmill.spec.tree import Place, tree
from gristmill.spec.values import ErrorThreshold, OutputAction

RECORDED = "recorded"
"""The key of a deployment's document under which stands what is no key of a deployment file."""
CODE = "code"
"""The name under which a deployment has the content that is its code."""
_SUCCEEDED = "Succeeded"


@dataclass(frozen=True, kw_only=True)
class EndpointView:
    """An endpoint, for a door to show."""

    record: EndpointRecord
    workspace: str
    notices: tuple[str, ...] = ()
    """What the user should know."""

    @property
    def name(self) -> str:
        """How it is invoked."""
        return self.record.name

    @property
    def default_deployment(self) -> str | None:
        """The deployment that answers when none is named."""
        return default_of(self.record)

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        document = self.record.document
        return {
            "name": self.name,
            "description": document.get("description"),
            "tags": dict(document.get("tags") or {}),
            "properties": dict(document.get("properties") or {}),
            "auth_mode": document.get("auth_mode", "aad_token"),
            "defaults": {"deployment_name": self.default_deployment},
            "provisioning_state": _SUCCEEDED,
            "scoring_uri": None,
            "id": f"/workspaces/{self.workspace}/batchEndpoints/{self.name}",
            "creation_context": _creation(self.record),
        }


@dataclass(frozen=True, kw_only=True)
class DeploymentView:
    """A deployment, for a door to show."""

    record: DeploymentRecord
    workspace: str
    code: str | None
    """The folder of its copy of the code; None: its script is ours, or the copy lies in another home."""
    is_default: bool = False
    """Whether its endpoint's invocations go to it."""
    notices: tuple[str, ...] = ()
    """What the user should know."""

    @property
    def name(self) -> str:
        """How it is called below its endpoint."""
        return self.record.name

    @property
    def endpoint_name(self) -> str:
        """The endpoint that it stands behind."""
        return self.record.endpoint

    @property
    def revision(self) -> int:
        """Counts up each time it is changed; the first is 1."""
        return self.record.revision

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON; the settings both flat and nested, as files may have them."""
        document = self.record.document
        settings = _settings(document)
        resources = _resources(document, settings["instance_count"])
        settings["instance_count"] = resources["instance_count"]
        return {
            "name": self.name,
            "endpoint_name": self.endpoint_name,
            "type": document.get("type") or "model",
            "description": document.get("description"),
            "tags": _texts(document, "tags"),
            "properties": _texts(document, "properties"),
            "model": document.get("model"),
            "code_configuration": self._code(),
            "environment": document.get("environment"),
            "compute": document.get("compute") or "local",
            "resources": resources,
            **{key: value for key, value in settings.items() if key != "instance_count"},
            "settings": settings,
            "provisioning_state": _SUCCEEDED,
            "id": f"/workspaces/{self.workspace}/batchEndpoints/{self.endpoint_name}/deployments/{self.name}",
            "creation_context": _creation(self.record),
            "gristmill": {
                "revision": self.revision,
                "is_default": self.is_default,
                **(document.get(RECORDED) or {}),
                **(document.get("gristmill") or {}),
            },
        }

    def _code(self) -> dict[str, Any] | None:
        said = self.record.document.get("code_configuration")
        return None if said is None else {"code": self.code, "scoring_script": said.get("scoring_script")}


def default_of(record: EndpointRecord) -> str | None:
    """Return the default deployment of an endpoint, if it has one."""
    name = (record.document.get("defaults") or {}).get("deployment_name")
    return None if name is None else str(name)


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with what is usual where nothing is said."""
    place = Place(origin="settings", folder=Path())
    found = SettingsSection.model_validate(tree(document.get("settings") or {}, place))
    appends = found.output_action is OutputAction.APPEND_ROW
    return {
        "mini_batch_size": found.mini_batch_size,
        "output_action": found.output_action.value,
        "output_file_name": found.output_file_name if appends else None,
        "retry_settings": _retries(found.retry_settings),
        "error_threshold": _threshold(found.error_threshold),
        "logging_level": found.logging_level,
        "max_concurrency_per_instance": found.max_concurrency_per_instance,
        "instance_count": found.instance_count,
        "environment_variables": dict(found.environment_variables),
    }


def _retries(found: Retries) -> dict[str, Any]:
    return {"max_retries": found.max_retries, "timeout": _short(found.timeout)}


def _threshold(found: ErrorThreshold) -> int | str | None:
    return found.items if found.fraction is None else f"{_short(found.fraction * 100)}%"


def _short(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _resources(document: Mapping[str, Any], nodes: int) -> dict[str, Any]:
    said = dict(document.get("resources") or {})
    usual = Resources.model_construct().instance_count
    return {**said, "instance_count": int(said.get("instance_count") or max(nodes, usual))}


def _texts(document: Mapping[str, Any], key: str) -> dict[str, str]:
    return {name: _text(value) for name, value in (document.get(key) or {}).items()}


def _text(value: object) -> str:
    """Write a value as it stood in the file."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _creation(record: EndpointRecord | DeploymentRecord) -> dict[str, str]:
    return {"created_at": record.created_at, "last_modified_at": record.modified_at}
