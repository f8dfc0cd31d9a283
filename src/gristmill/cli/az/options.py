"""The options that several verbs of ``az ml`` have, under the names that they have there.

This module imports only the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence

from gristmill.cli.az.option import ANY_KEY, Option, filled, one_of, required, whole_number

_NO_REGISTRIES = "there are no registries here; leave it out, and the resource is looked for in the workspace"

#: How an answer may be written.
FORMS = ("json", "jsonc", "yaml", "yamlc", "table", "tsv", "none")

QUERY = Option(("--query",), "show only this of the answer, in JMESPath", "JMESPATH")
OUTPUT = Option(
    ("--output", "-o"), f"the form of the answer: {', '.join(FORMS)} (default: json)", "FORM", one_of(*FORMS)
)
WORKSPACE = Option(
    ("--workspace-name", "-w"), "the namespace of every name (default: GRISTMILL_WORKSPACE)", "NAME", filled
)
RESOURCE_GROUP = Option(("--resource-group", "-g"), "of the cloud; means nothing here", "NAME", nothing=True)
SUBSCRIPTION = Option(("--subscription",), "of the cloud; means nothing here", "NAME", nothing=True)
ONLY_ERRORS = Option(("--only-show-errors",), "no notices", None)
VERBOSE = Option(("--verbose",), "taken, and changes nothing", None)
DEBUG = Option(("--debug",), "taken, and changes nothing", None)
#: Those of every verb.
COMMON = tuple(
    option._replace(is_common=True)
    for option in (QUERY, OUTPUT, WORKSPACE, RESOURCE_GROUP, SUBSCRIPTION, ONLY_ERRORS, VERBOSE, DEBUG)
)

NAME = Option(("--name", "-n"), "the name", "NAME", filled)
NAME_KEY = NAME._replace(key="name", words="the name, above that of the file")
FILE = Option(("--file", "-f"), "the YAML file that describes it", "FILE", filled)
ENDPOINT = Option(("--endpoint-name", "-e"), "the endpoint", "NAME", filled)
ENDPOINT_KEY = ENDPOINT._replace(key="endpoint_name", words="the endpoint, above that of the file")
DEPLOYMENT = Option(
    ("--deployment-name", "-d"), "the deployment (default: the endpoint's default)", "NAME", filled
)
VERSION = Option(("--version", "-v"), "the version", "VERSION", filled)
VERSION_KEY = VERSION._replace(key="version", words="the version (default: the next one)")
LABEL = Option(("--label", "-l"), "a label in place of the version, such as latest", "LABEL", filled)
DESCRIPTION = Option(("--description",), "what it is", "TEXT", key="description")
TAGS = Option(("--tags",), "words about it", "KEY=VALUE", key="tags", is_many=True)
NO_WAIT = Option(("--no-wait",), "taken, and changes nothing: nothing here takes long", None)
YES = Option(("--yes", "-y"), "do not ask", None)
WEB = Option(("--web",), "taken with a notice: there are no pages yet", None)
MOST = Option(("--max-results", "-r"), "at most so many", "N", whole_number)
ARCHIVED_ONLY = Option(("--archived-only",), "only what is archived", None)
INCLUDE_ARCHIVED = Option(("--include-archived",), "what is archived, too", None)
REGISTRY = Option(
    ("--registry-name",), "refused: there are no registries here", "NAME", refusal=_NO_REGISTRIES
)
DATASTORE = Option(("--datastore",), "of the cloud; means nothing here", "NAME", nothing=True)
DOWNLOAD_PATH = Option(("--download-path", "-p"), "the folder for it (default: this one)", "FOLDER", filled)

SET = Option(
    ("--set",),
    "any key: description=text tags.team=forest; all words to the next option",
    "KEY=VALUE",
    key=ANY_KEY,
    is_many=True,
)
ADD = Option(
    ("--add",),
    "refused: nothing here holds a list; --set adds a key",
    "KEY",
    is_many=True,
    refusal="nothing here holds a list to add to; --set KEY=VALUE adds a key",
)
REMOVE = Option(("--remove",), "take a key away: tags.team", "KEY", is_many=True)
FORCE_STRING = Option(
    ("--force-string",), "what --set gives is text, also where it looks like a number", None
)

#: What says which keys a resource is to have, at its creation and later.
CHANGES = (SET, ADD, REMOVE, FORCE_STRING)
WHICH = (required(NAME), VERSION, LABEL)


def behind(argv: Sequence[str]) -> list[str]:
    """Put options of every verb that stand before it behind it, where its parser looks for them.

    Parameters
    ----------
    argv
        A command line.

    Returns
    -------
    list of str
        The same words.
    """
    known = {name: option for option in COMMON for name in option.names}
    words, moved = list(argv), []
    while words:
        name, equals, _ = words[0].partition("=")
        if name not in known:
            break
        count = 1 if equals or known[name].takes is None else 2
        moved += words[:count]
        words = words[count:]
    return [*words, *moved]
