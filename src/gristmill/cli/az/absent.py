"""What ``az ml`` has and Gristmill has not, and what is to be done in its place.

A verb that is only misspelt is answered with the nearest one; these would be answered with one that does
something else. This module imports nothing.
"""

from __future__ import annotations

_NO_REGISTRIES = "there are no registries here"
_HIDDEN = "a version that was used stays; archive hides it"
_ONE_MACHINE = "all jobs run on this machine"
_FOLDERS = "a folder of this machine needs no mounting"
_NOT_BUILT = "it is not built"

_OF_CLUSTERS = (
    *("attach", "detach", "start", "stop", "restart", "resize"),
    *("list-nodes", "list-sizes", "list-usage", "connect-ssh", "enable-sso"),
)

#: By group, then by verb.
VERBS = {
    "job": {
        "create": "a job is started by gristmill batch-endpoint invoke, or gristmill run",
        "update": "what is said of a job does not change",
        "validate": "gristmill check looks at a deployment before a job",
        "connect-ssh": _ONE_MACHINE,
        "show-services": _ONE_MACHINE,
    },
    "batch-endpoint": {"get-credentials": "nobody logs in here"},
    "model": {"delete": _HIDDEN, "share": _NO_REGISTRIES, "package": _NOT_BUILT},
    "environment": {"delete": _HIDDEN, "share": _NO_REGISTRIES},
    "data": {
        "delete": _HIDDEN,
        "share": _NO_REGISTRIES,
        "mount": _FOLDERS,
        "import": "copy the data here, and give its folder",
        "list-materialization-status": "nothing is imported here",
    },
    "datastore": {"mount": _FOLDERS},
    "compute": dict.fromkeys(_OF_CLUSTERS, _ONE_MACHINE),
}
#: Whole groups.
GROUPS = {
    "workspace": "a workspace needs no making: --workspace-name NAME, or GRISTMILL_WORKSPACE",
    "registry": _NO_REGISTRIES,
    "online-endpoint": "there are batch endpoints only: gristmill batch-endpoint",
    "online-deployment": "there are batch deployments only: gristmill batch-deployment",
    "serverless-endpoint": "there are batch endpoints only: gristmill batch-endpoint",
    "component": _NOT_BUILT,
    "connection": "jobs see the variables of the shell that starts the runner",
    "schedule": "gristmill batch-endpoint invoke in a cron job is one",
    "feature-set": _NOT_BUILT,
    "feature-store": _NOT_BUILT,
    "feature-store-entity": _NOT_BUILT,
}
