"""A section is made of a tree, or all that is wrong with the tree is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from gristmill.spec.sections import (
    AfterValidator,
    BeforeValidator,
    Fault,
    Field,
    PlainValidator,
    Section,
    ValidationError,
    ValidationInfo,
    WrongValueError,
    field_validator,
    model_validator,
)
from gristmill.spec.tree import Mapping, Place, Scalar, Sequence, tree


def number(node: Any) -> int:
    if not isinstance(node, Scalar) or not isinstance(node.value, int):
        raise WrongValueError("must be a number")
    return node.value


def entries(node: Any) -> dict[str, Any]:
    return {key: entry.node for key, entry in node.entries.items()}


def items(node: Any) -> tuple[Any, ...]:
    return node.items if isinstance(node, Sequence) else (node,)


def small(values: dict[str, int]) -> dict[str, int]:
    if sum(values.values()) > 10:
        raise WrongValueError("is too much")
    return values


Number = Annotated[int, PlainValidator(number)]
Numbers = Annotated[dict[str, Number], BeforeValidator(entries)]


class Inner(Section):
    least: Number
    most: Number = 5
    kind: Number | None = Field(default=None, alias="class")

    @classmethod
    def spelled_out(cls, node: Any) -> Any:
        if isinstance(node, Scalar):
            return tree({"least": node.value}, node.place)
        return node

    @field_validator("most")
    @classmethod
    def _above_the_least(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("least", 0):
            raise WrongValueError("is below the least")
        return value

    @model_validator
    def _even_together(self) -> None:
        if (self.least + self.most) % 2:
            raise WrongValueError("must be even together")


class Outer(Section):
    inner: Inner | None = None
    each: Annotated[tuple[Inner, ...], BeforeValidator(items)] = ()
    sums: Annotated[Numbers, AfterValidator(small)] = Field(default_factory=dict)
    shared: Numbers = {}  # noqa: RUF012  # each section gets its own
    anything: Any = None


class Older(Section):
    path: Number
    name: Number = 1


class Newer(Older):
    path: Annotated[str, PlainValidator(str)]  # type: ignore[assignment]
    more: Number = 2


def made(kind: type[Section], values: dict[str, Any]) -> Any:
    node = tree(values, Place(origin="test", folder=Path()))
    assert isinstance(node, Mapping)
    return kind.model_validate(node)


def faults(kind: type[Section], values: dict[str, Any]) -> list[Fault]:
    with pytest.raises(ValidationError) as caught:
        made(kind, values)
    return caught.value.faults


def test_values_are_made_by_the_functions_of_their_fields() -> None:
    outer = made(
        Outer, {"inner": {"least": 1, "most": 7, "class": 3}, "each": [1, {"least": 3}], "sums": {"a": 4}}
    )
    assert (outer.inner.least, outer.inner.most, outer.inner.kind) == (1, 7, 3)
    assert outer.sums == {"a": 4}


def test_one_alone_stands_for_a_list_and_a_value_for_its_section() -> None:
    assert made(Outer, {"each": 3}).each == (made(Inner, {"least": 3}),)


def test_what_is_not_given_or_holds_nothing_has_its_default() -> None:
    outer = made(Outer, {"inner": None, "each": None})
    assert (outer.inner, outer.each, outer.sums, outer.anything) == (None, (), {}, None)
    assert outer.model_fields_set == frozenset()
    assert vars(Outer.model_construct()) == vars(outer)


def test_the_fields_that_were_given_are_known_by_name() -> None:
    assert made(Inner, {"least": 1, "class": 2}).model_fields_set == {"least", "kind"}


def test_no_two_sections_share_a_dictionary() -> None:
    first, second = made(Outer, {}), made(Outer, {})
    first.shared["a"] = 1
    first.sums["a"] = 1
    assert (second.shared, second.sums) == ({}, {})


def test_all_that_is_wrong_is_told_with_the_way_to_it() -> None:
    assert faults(Outer, {
        "inner": {"least": "x", "mots": 1}, "each": [{"least": 1}, {}], "sums": {"a": "b", "c": 1}, "more": 1,
    }) == [
        Fault("wrong", ("inner", "least"), "must be a number"),
        Fault("unknown", ("inner", "mots")),
        Fault("missing", ("each", "1", "least")),
        Fault("wrong", ("sums", "a"), "must be a number"),
        Fault("unknown", ("more",)),
    ]  # fmt: skip


def test_a_validator_behind_the_type_judges_what_it_has_made() -> None:
    assert faults(Outer, {"sums": {"a": 6, "b": 5}}) == [Fault("wrong", ("sums",), "is too much")]


def test_a_field_is_judged_beside_those_before_it_that_are_right() -> None:
    assert faults(Inner, {"least": 9, "most": 7}) == [Fault("wrong", ("most",), "is below the least")]
    assert faults(Inner, {"least": "x", "most": 7}) == [Fault("wrong", ("least",), "must be a number")]


def test_a_default_is_not_judged() -> None:
    assert made(Inner, {"least": 7}).most == 5


def test_a_whole_section_is_judged_last() -> None:
    assert faults(Inner, {"least": 2}) == [Fault("wrong", (), "must be even together")]
    assert faults(Outer, {"inner": {"least": 2}}) == [Fault("wrong", ("inner",), "must be even together")]


def test_what_is_no_mapping_is_refused_in_words() -> None:
    node = tree(5, Place(origin="test", folder=Path()))
    with pytest.raises(ValidationError, match="must be a mapping of keys"):
        Outer.model_validate(node)


def test_fields_come_from_the_classes_above_first_and_may_be_said_anew() -> None:
    assert list(Newer.model_fields) == ["path", "name", "more"]
    assert [name for name, field in Newer.model_fields.items() if field.is_required()] == ["path"]
    assert Newer.model_fields["path"].annotation is str
    assert Older.model_fields["path"].annotation is int


def test_a_section_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="Inner cannot be changed"):
        made(Inner, {"least": 1}).least = 2


def test_an_annotation_without_a_meaning_is_a_mistake_of_the_schema() -> None:
    class Wrong(Section):
        found: list[int] = Field(default_factory=list)

    with pytest.raises(TypeError, match="has no meaning in a section"):
        _ = Wrong.model_fields
