"""What is typed for `az ml` is taken as it is there: cut short, in any case, before or after, and again."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.cli.az import absent
from gristmill.cli.groups import GROUPS
from gristmill.cli.options import COMMANDS, parse
from gristmill.cli.parser import Command, Parser

VERBS = {
    f"{group} {name}": command for group, one in GROUPS.items() for name, command in one.commands.items()
}


def parser_of(command: Command) -> Parser:
    parser = Parser(prog="gristmill")
    command.add_options(parser)
    return parser


AZ = {verb: parser_of(command) for verb, command in VERBS.items()}
AZ = {verb: parser for verb, parser in AZ.items() if "--only-show-errors" in parser._option_string_actions}


def actions(verb: str) -> list[argparse.Action]:
    return [action for action in AZ[verb]._actions if hasattr(action, "option")]


def words_for(action: argparse.Action) -> list[str]:
    if action.nargs == 0:
        return []
    return {"FORM": ["tsv"], "TYPE": [], "BOOL": ["true"], "TIER": ["dedicated"]}.get(
        str(action.metavar), ["5"]
    )


@given(st.data())
def test_any_beginning_that_means_one_option_of_az_is_that_option(data: st.DataObject) -> None:
    verb = data.draw(st.sampled_from(sorted(AZ)))
    theirs = {
        name: action
        for action in actions(verb)
        if not action.option.is_ours  # type: ignore[attr-defined]
        for name in action.option_strings
        if name.startswith("--")
    }
    theirs["--help"] = AZ[verb]._option_string_actions["--help"]
    name = data.draw(st.sampled_from(sorted(set(theirs) - {"--help"})))
    action = theirs[name]
    short = name[: data.draw(st.integers(3, len(name)))]
    meant = {one for other, one in theirs.items() if other.startswith(short)}
    exact = short in AZ[verb]._option_string_actions
    known = action.option  # type: ignore[attr-defined]
    if (
        (len(meant) > 1 and not exact)
        or (exact and short != name)
        or known.refusal
        or (not words_for(action) and action.nargs != 0)
    ):
        return

    in_full = typed(verb, name, *words_for(action))
    cut_short = typed(verb, short, *words_for(action))

    assert vars(cut_short) == vars(in_full)


def typed(verb: str, *words: str) -> argparse.Namespace:
    needed = [
        word
        for action in actions(verb)
        if action.required and action.option_strings[0] not in words
        for word in (action.option_strings[0], "x")
    ]
    extra = ["--name", "x"] if verb in ("job show", "job cancel") and "--name" not in words else []
    return parse([*verb.split(), *needed, *(extra if not needed else []), *words])


def test_options_of_ours_never_stand_in_the_way_of_one_of_az() -> None:
    from gristmill.cli.az.option import Option, adder
    from gristmill.cli.parser import checked_words

    parser = Parser(prog="p")
    adder((Option(("--priority",), "", is_ours=True), Option(("--private",), ""), Option(("--prose",), "")))(
        parser
    )

    assert checked_words(parser, ["--pri", "1"]).words == ["--private", "1"]
    assert checked_words(parser, ["--prio", "1"]).words == ["--priority", "1"]
    with pytest.raises(SystemExit):
        checked_words(parser, ["--pr", "1"])


def test_a_beginning_of_several_options_is_answered_with_all_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["job", "list", "--a", "true"])

    assert ended.value.code == 2
    assert "--a may be one of --all-results, --archived-only; write out which" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["job", "show", "-n", "j", "-o", "tsv"],
        ["job", "show", "-nj", "-otsv"],
        ["job", "show", "--name=j", "--output=TSV"],
        ["job", "show", "-o", "Tsv", "-n", "j"],
        ["-o", "tsv", "job", "show", "-n", "j"],
        ["--output=tsv", "job", "show", "-n", "j"],
        ["--only-show-errors", "job", "show", "-n", "j", "-o", "tsv"],
        ["job", "show", "-n", "other", "-n", "j", "-o", "json", "-o", "tsv"],
    ],
)
def test_options_may_stand_anywhere_and_the_later_of_two_counts(words: list[str]) -> None:
    args = parse(words)

    assert (args.name, args.output) == ("j", "tsv")
    assert args.target == "gristmill.cli.az.job:show"


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["job", "show", "j"], "gristmill.cli.job:show_job"),
        (["job", "show", "j", "--json"], "gristmill.cli.job:show_job"),
        (["job", "show", "j", "--query", "status"], "gristmill.cli.az.job:show"),
        (["job", "show", "--name", "j"], "gristmill.cli.az.job:show"),
        (["job", "list"], "gristmill.cli.job:list_jobs"),
        (["job", "list", "--json"], "gristmill.cli.job:list_jobs"),
        (["job", "list", "-o", "table"], "gristmill.cli.az.job:list_all"),
        (["job", "cancel", "j"], "gristmill.cli.job:cancel"),
        (["job", "cancel", "-n", "j"], "gristmill.cli.az.job:cancel"),
    ],
)
def test_a_verb_that_we_had_before_answers_in_words_unless_it_is_asked_as_az_is(
    words: list[str], target: str
) -> None:
    assert parse(words).target == target


def test_behind_az_nothing_is_answered_in_words() -> None:
    assert parse(["job", "list"], is_az=True).target == "gristmill.cli.az.job:list_all"


def test_options_of_the_cloud_are_remembered_for_the_notice() -> None:
    args = parse(["job", "show", "-n", "j", "-g", "group", "--subscription", "x", "--verbose", "-g", "other"])

    assert args.ignored == ("--resource-group", "--subscription", "--resource-group")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["job", "show"], "which job? Type gristmill job show JOB"),
        (["job", "show", "-n", "j", "--output", "xml"], "--output/-o: must be one of json, jsonc, yaml"),
        (["job", "show", "-n", ""], "--name/-n: is empty; give a value, or leave the option out"),
        (["job", "list", "--max-results", "many"], "--max-results/-r: must be a whole number (got 'many')"),
        (["job", "show", "--nmae", "j"], "there is no option --nmae; did you mean --name?"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)

    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("job update -n j", "there is no command 'update': what is said of a job does not change"),
        ("job create -f job.yml", "a job is started by gristmill batch-endpoint invoke, or gristmill run"),
        (
            "model delete -n m",
            "there is no command 'delete': a version that was used stays; archive hides it",
        ),
        ("workspace create -n w", "there is no command 'workspace': a workspace needs no making"),
        ("job show -n j -x", "there is no option -x\n(more: gristmill job show --help)"),
        ("job show j k", "there is no place for k\n(more: gristmill job show --help)"),
    ],
)
def test_what_az_has_and_we_have_not_is_said(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words.split())

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_nothing_is_said_to_be_absent_that_is_there() -> None:
    assert set(absent.GROUPS) & {*GROUPS, *COMMANDS} == set()
    assert {name: set(verbs) & set(GROUPS[name].commands) for name, verbs in absent.VERBS.items()} == {
        name: set() for name in absent.VERBS
    }
