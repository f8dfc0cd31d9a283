"""The verbs for deployments: create, show, update, delete, list."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import DeploymentRecord, EndpointRecord
from gristmill.engine.environment import choose_interpreter
from gristmill.errors import ResourceStateError, SpecError, UnknownResourceError
from gristmill.service.assets.git import git_state
from gristmill.service.code_files import keep_code
from gristmill.service.endpoints.kept_document import CODE, INPUT_LIST, kept_document, load_kept
from gristmill.service.endpoints.records import forget_deployment, put_deployment
from gristmill.service.endpoints.references import References
from gristmill.service.endpoints.registering import register_inline
from gristmill.service.endpoints.views import RECORDED, DeploymentView, default_of
from gristmill.service.script_reading import warnings_of_script
from gristmill.spec.deployment import Loaded, read_deployment
from gristmill.spec.overrides import Override
from gristmill.spec.problems import did_you_mean
from gristmill.spec.values import Deployment
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.service.job_resource import JobResource
    from gristmill.service.workspace import Workspace

#: Newer than any: what ours cannot read, the deployment's own, which is not there yet, may.
_ANY_PYTHON = (3, 99, 0)
_NAMES = (("name", "--name"), ("endpoint_name", "--endpoint-name"))


class Deployments:
    """The deployments of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Take the workspace that they belong to."""
        self._workspace = workspace
        self._contents = Contents(workspace.settings.home.contents)

    def create(
        self,
        file: Path,
        overrides: Sequence[Override] = (),
        *,
        set_default: bool = False,
        check_script: bool = True,
    ) -> DeploymentView:
        """Make a deployment, or a new revision of it; jobs that were invoked before keep what they have.

        Its code is copied, and a model and an environment that stand in the file are registered. The same
        again changes nothing.

        Parameters
        ----------
        file
            A deployment file.
        overrides
            Settings that stand above those of the file.
        set_default
            Whether its endpoint's invocations go to it from now on.
        check_script
            Whether a script that is sure to fail is refused.

        Raises
        ------
        SpecError
            Something in the file, an override or the script is wrong: one line for each mistake.
        UnknownResourceError
            There is no such endpoint.
        RequestError
            Something of its code or its model cannot be read.
        HomeError
            The disk is full; nothing of it is left.
        CatalogError
            The catalog cannot be used.
        """
        loaded = read_deployment(file, overrides, References(lambda: self._workspace))
        view = self._put(loaded, check_script=check_script)
        if set_default:
            self._workspace.endpoints.set_default(view.endpoint_name, view.name)
            view = replace(view, is_default=True)
        return view

    def show(self, endpoint: str, name: str) -> DeploymentView:
        """Return a deployment.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no deployment of that name.
        """
        return self._view(self.record(endpoint, name))

    def update(
        self, endpoint: str | None, name: str | None, overrides: Sequence[Override], file: Path | None = None
    ) -> DeploymentView:
        """Change some settings of a deployment; the jobs that were invoked before keep what they have.

        Parameters
        ----------
        endpoint, name
            The deployment; None: as the file says.
        overrides
            What changes; a path behind ``--set`` is relative to the current folder.
        file
            A deployment file that takes the place of all that was said before.

        Raises
        ------
        UnknownResourceError
            There is no such deployment.
        SpecError
            Something is wrong with what changes: one line for each mistake.
        """
        references = References(lambda: self._workspace)
        if file is not None:
            names = [
                Override(path=key, value=given, origin=f"{option} {given}")
                for (key, option), given in zip(_NAMES, (name, endpoint), strict=True)
                if given is not None
            ]
            loaded = read_deployment(file, [*overrides, *names], references)
            endpoint, name = _named(loaded.deployment)
            self.record(endpoint, name)
            return self._put(loaded)
        if name is None or endpoint is None:
            raise SpecError(
                "which deployment is to be changed? give --name and --endpoint-name, or a file that has both"
            )
        record = self.record(endpoint, name)
        renamed = [one.origin for one in overrides if one.path in ("name", "endpoint_name")]
        if renamed:
            raise SpecError(f"{renamed[0]}: a deployment keeps its name; create another one with that name")
        return self._put(load_kept(record, overrides, references, self._contents), record)

    def delete(self, endpoint: str, name: str) -> bool:
        """Remove a deployment, never its jobs; say whether it was there.

        Raises
        ------
        ResourceStateError
            It is the default of its endpoint, and there are others.
        """
        catalog = self._workspace.catalog
        above = catalog.endpoint(endpoint)
        if above is not None and default_of(above) == name:
            others = sorted(one.name for one in catalog.deployments(endpoint) if one.name != name)
            if others:
                raise ResourceStateError(
                    f"deployment {name} is the default of endpoint {endpoint}, which has others: "
                    f"{', '.join(others)}; make one of them the default first: gristmill batch-endpoint "
                    f"update --name {endpoint} --set defaults.deployment_name={others[0]}"
                )
            self._workspace.endpoints.set_default(endpoint, None)
        forget_deployment(self._workspace.settings, endpoint, name)
        return catalog.delete_deployment(endpoint, name)

    def list(self, endpoint: str) -> builtins.list[DeploymentView]:
        """Return the deployments of an endpoint, the newest first.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint.
        """
        above = self._workspace.endpoints.record(endpoint)
        return [self._view(one, above=above) for one in self._workspace.catalog.deployments(endpoint)]

    def jobs(self, endpoint: str, name: str) -> builtins.list[JobResource]:
        """Return the jobs of a deployment, the newest first.

        Raises
        ------
        UnknownResourceError
            There is no such deployment, and no job that it had.
        """
        from gristmill.service.endpoints.invoked import jobs_of

        found = jobs_of(self._workspace, endpoint, name)
        if not found:
            self.record(endpoint, name)
        return found

    def record(self, endpoint: str, name: str) -> DeploymentRecord:
        """Return the row of a deployment.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no deployment of that name; the message has the nearest.
        """
        found = self._workspace.catalog.deployment(endpoint, name)
        if found is not None:
            return found
        self._workspace.endpoints.record(endpoint)
        known = [one.name for one in self._workspace.catalog.deployments(endpoint)]
        named = f"it has {', '.join(sorted(known))}" if known else "it has none yet"
        raise UnknownResourceError(
            f"endpoint {endpoint} has no deployment called {name!r}{did_you_mean(name, known)}; {named}"
        )

    def load(self, record: DeploymentRecord, overrides: Sequence[Override] = ()) -> Loaded:
        """Load what a row holds, with settings over its own; as `load_kept`."""
        return load_kept(record, overrides, References(lambda: self._workspace), self._contents)

    def _put(
        self, loaded: Loaded, before: DeploymentRecord | None = None, *, check_script: bool = True
    ) -> DeploymentView:
        """Make a row of what was loaded, unless it is there already."""
        deployment = loaded.deployment
        endpoint, name = _named(deployment)
        self._workspace.endpoints.record(endpoint)
        warned = _warnings(deployment) if check_script else ()
        contents, told = self._keep_files(deployment, before)
        document = kept_document(loaded, register_inline(self._workspace, loaded))
        notices = (*deployment.notices, *warned, *told)
        there = self._workspace.catalog.deployment(endpoint, name)
        if there is not None and _is_same(there, document, contents):
            return self._view(there, notices=(*notices, f"nothing has changed in revision {there.revision}"))
        is_old_code = before is not None and before.contents.get(CODE) == contents.get(CODE)
        recorded = before.document.get(RECORDED) if before is not None and is_old_code else None
        recorded = recorded or _recorded(deployment)
        record = DeploymentRecord(
            endpoint=endpoint, name=name, document={**document, RECORDED: recorded}, contents=contents
        )
        return self._view(put_deployment(self._workspace, record, there), notices=notices)

    def _keep_files(
        self, deployment: Deployment, before: DeploymentRecord | None
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Keep the user's files that a deployment needs; return their keys, and what is to be told."""
        contents: dict[str, str] = {}
        notices: tuple[str, ...] = ()
        kept = before.contents.get(CODE) if before is not None else None
        if kept is not None and deployment.code == self._contents.path(kept):
            contents[CODE] = kept
        elif not deployment.is_generated:
            home = self._workspace.settings.home
            contents[CODE], notices = keep_code(deployment.code, deployment.scoring_script, home)
        if deployment.settings.input_list is not None:
            contents[INPUT_LIST] = self._contents.put(deployment.settings.input_list)
        return contents, notices

    def _view(
        self,
        record: DeploymentRecord,
        *,
        above: EndpointRecord | None = None,
        notices: tuple[str, ...] = (),
    ) -> DeploymentView:
        above = above or self._workspace.catalog.endpoint(record.endpoint)
        code = self._contents.find(record.contents[CODE]) if CODE in record.contents else None
        return DeploymentView(
            record=record,
            workspace=self._workspace.settings.workspace,
            code=str(code) if code is not None else None,
            is_default=above is not None and default_of(above) == record.name,
            notices=notices,
        )


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


def _warnings(deployment: Deployment) -> tuple[str, ...]:
    """Refuse a script that is sure to fail (contract, section 8), and tell what looks wrong."""
    is_built = deployment.packages is not None
    python = _ANY_PYTHON if is_built else choose_interpreter(deployment.python).version
    return warnings_of_script(deployment, python)


def _is_same(there: DeploymentRecord, document: dict[str, Any], contents: dict[str, str]) -> bool:
    kept = {key: value for key, value in there.document.items() if key != RECORDED}
    return kept == document and dict(there.contents) == contents


def _recorded(deployment: Deployment) -> dict[str, Any]:
    """Return where a deployment comes from."""
    git = None if deployment.is_generated else git_state(deployment.code)
    return {"source": str(deployment.source), "git": git.to_json() if git is not None else None}
