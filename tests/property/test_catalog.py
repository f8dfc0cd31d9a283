"""A catalog in SQLite does what a few dicts would do, whatever is asked of it in whatever order."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import AssetKind, DeploymentRecord, EndpointRecord, JobRecord
from gristmill.errors import KeyTakenError, ResourceStateError, UnknownResourceError
from gristmill.settings import Home, Settings

MODEL = AssetKind.MODEL
NAMES = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from(["x", "y", "z"])
VERSIONS = st.sampled_from(["1", "3", "blue"])
KEYS = st.none() | st.sampled_from(["k", "l"])


class CatalogMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.catalog = open_catalog(Settings(home=Home(path=self.folder)))
        self.endpoints: dict[str, str | None] = {}
        """Each with its default deployment."""
        self.deployments: dict[tuple[str, str], int] = {}
        """Each with its revision."""
        self.assets: list[tuple[str, str, str]] = []
        """Name, version and content, in the order in which they were made."""
        self.archived: set[tuple[str, str]] = set()
        self.moments = itertools.count()
        self.jobs: dict[str, str | None] = {}
        """Each with its key, in the order in which they were made."""

    def teardown(self) -> None:
        self.catalog.close()
        shutil.rmtree(self.folder)

    @rule(name=NAMES)
    def put_endpoint(self, name: str) -> None:
        default = self.endpoints.setdefault(name, None)
        self.catalog.put_endpoint(
            EndpointRecord(name=name, document={"defaults": {"deployment_name": default}})
        )

    @rule(name=NAMES)
    def delete_endpoint(self, name: str) -> None:
        assert self.catalog.delete_endpoint(name) is (name in self.endpoints)
        self.endpoints.pop(name, None)
        self.deployments = {key: value for key, value in self.deployments.items() if key[0] != name}

    @rule(endpoint=NAMES, name=NAMES)
    def put_deployment(self, endpoint: str, name: str) -> None:
        record = DeploymentRecord(endpoint=endpoint, name=name, document={})
        try:
            revision = self.catalog.put_deployment(record).revision
        except UnknownResourceError:
            assert endpoint not in self.endpoints
            return
        self.deployments[endpoint, name] = self.deployments.get((endpoint, name), 0) + 1
        assert revision == self.deployments[endpoint, name]

    @rule(endpoint=NAMES, name=NAMES)
    def delete_deployment(self, endpoint: str, name: str) -> None:
        was_there = self.deployments.pop((endpoint, name), None) is not None
        assert self.catalog.delete_deployment(endpoint, name) is was_there
        if was_there and self.endpoints[endpoint] == name:
            self.endpoints[endpoint] = None

    @rule(endpoint=NAMES, name=st.none() | NAMES)
    def set_default(self, endpoint: str, name: str | None) -> None:
        is_known = endpoint in self.endpoints and (name is None or (endpoint, name) in self.deployments)
        try:
            self.catalog.set_default(endpoint, name)
        except UnknownResourceError:
            assert not is_known
            return
        assert is_known
        self.endpoints[endpoint] = name

    @rule(name=NAMES, version=VERSIONS, content=CONTENTS)
    def add_asset(self, name: str, version: str, content: str) -> None:
        there = next((one[2] for one in self.assets if one[:2] == (name, version)), None)
        if there not in (None, content):
            with pytest.raises(ResourceStateError):
                self.catalog.add_asset(MODEL, name, version, {}, content)
            return
        record, was_new = self.catalog.add_asset(MODEL, name, version, {}, content)
        assert (record.version, record.content, was_new) == (version, content, there is None)
        if was_new:
            self.assets.append((name, version, content))

    @rule(name=NAMES, version=st.none() | VERSIONS, archived=st.booleans())
    def archive_asset(self, name: str, version: str | None, archived: bool) -> None:
        meant = {one[:2] for one in self.assets if one[0] == name and version in (None, one[1])}
        try:
            assert self.catalog.archive_asset(MODEL, name, version, archived) == len(meant)
        except UnknownResourceError:
            assert not meant
        self.archived = self.archived | meant if archived else self.archived - meant

    @rule(name=NAMES, key=KEYS)
    def add_job(self, name: str, key: str | None) -> None:
        made_at = str(next(self.moments))
        record = JobRecord(name=name, home="h", status="Queued", created_at=made_at, idempotency_key=key)
        holder = next((job for job, held in self.jobs.items() if held == key is not None), None)
        if holder is not None:
            with pytest.raises(KeyTakenError) as refused:
                self.catalog.add_job(record)
            assert refused.value.job == holder
        elif name in self.jobs:
            with pytest.raises(ResourceStateError):
                self.catalog.add_job(record)
        else:
            self.catalog.add_job(record)
            self.jobs[name] = key

    @rule(name=NAMES)
    def forget_job(self, name: str) -> None:
        assert self.catalog.forget_jobs("h", [name]) == (name in self.jobs)
        self.jobs.pop(name, None)

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        defaults = {
            record.name: record.document["defaults"]["deployment_name"] for record in self.catalog.endpoints()
        }
        assert defaults == self.endpoints
        revisions = {(record.endpoint, record.name): record.revision for record in self.catalog.deployments()}
        assert revisions == self.deployments
        shown = [(record.name, record.version, record.content) for record in self.catalog.assets(MODEL)]
        assert shown == [one for one in reversed(self.assets) if one[:2] not in self.archived]
        assert {job.name: job.idempotency_key for job in self.catalog.jobs()} == self.jobs


TestCatalogMachine = CatalogMachine.TestCase
TestCatalogMachine.settings = settings(max_examples=20, stateful_step_count=25)
