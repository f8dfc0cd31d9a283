"""Computes: where jobs may run. On this machine that is ``local``, which is always there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gristmill.catalog.records import ResourceKind, ResourceRecord
from gristmill.service.assets.resources import Resources
from gristmill.service.assets.views import ResourceView
from gristmill.spec.asset_values import Compute
from gristmill.spec.assets import Source, Values, load_compute
from gristmill.spec.overrides import Override

LOCAL = "local"
"""The compute that every workspace has: this machine."""
_SHOWN = ("type", "size", "min_instances", "max_instances", "idle_time_before_scale_down", "tier", "address")


class Computes(Resources):
    """The verbs for computes."""

    kind = ResourceKind.COMPUTE

    def _put(self, source: Source, overrides: Sequence[Override]) -> ResourceView:
        compute = load_compute(source, overrides)
        document = {
            "type": compute.type,
            "size": compute.size,
            "min_instances": compute.min_instances,
            "max_instances": compute.max_instances,
            "idle_time_before_scale_down": compute.idle_time_before_scale_down_s,
            "address": compute.address,
            "description": compute.description,
            "tags": dict(compute.tags),
        }
        known = {key: value for key, value in document.items() if value is not None}
        view = self._view(self._save(compute.name, known))
        return replace(view, notices=(*compute.notices, *_size_notice(source, overrides, compute)))

    def _view(self, record: ResourceRecord) -> ResourceView:
        document = record.document
        details = {key: document[key] for key in _SHOWN if key in document}
        return ResourceView(
            id=f"/workspaces/{self._settings.workspace}/computes/{record.name}",
            name=record.name,
            details={**details, "provisioning_state": "Succeeded"},
            description=document.get("description"),
            tags=document.get("tags", {}),
            created_at=record.created_at,
            modified_at=record.modified_at,
        )

    def _always(self) -> Sequence[ResourceRecord]:
        document = {"type": LOCAL, "min_instances": 1, "max_instances": 1, "description": "this machine"}
        return [ResourceRecord(kind=self.kind, name=LOCAL, document=document)]


def _size_notice(source: Source, overrides: Sequence[Override], compute: Compute) -> tuple[str, ...]:
    """Say that machines of the cloud are not rented here, where a size has just been asked for."""
    is_kept = isinstance(source, Values) and "size" in source.values
    if compute.size is None or (is_kept and not any(one.path == "size" for one in overrides)):
        return ()
    return (f"size {compute.size}: of the cloud; means nothing here, and jobs run on this machine",)
