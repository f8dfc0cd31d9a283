"""Sections: classes whose annotations say what the keys of a mapping may hold.

They are declared in the words of pydantic, of which this is the small part that the schemas use: to import
pydantic and to build its models was a third of what ``gristmill run`` did before the first task (decision 1).
A schema stays readable to everybody who knows pydantic, and one that outgrows this file can go back to it.

A section is made of a tree (`Section.model_validate`), with all that is wrong with it told at once. What a
single value may be is said by functions that take a node and refuse with `WrongValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, Union, get_args, get_origin

from gristmill.spec import tree

Take = Callable[[Any], Any]
Method = TypeVar("Method")
Self = TypeVar("Self", bound="Section")
_REQUIRED: Any = object()


@dataclass(frozen=True)
class PlainValidator:
    """Makes the value, whatever the type says."""

    take: Take


@dataclass(frozen=True)
class BeforeValidator:
    """Prepares what the type then judges."""

    take: Take


@dataclass(frozen=True)
class AfterValidator:
    """Judges what the type has made."""

    take: Take


class ValidationInfo(NamedTuple):
    """What the validator of a field may look at."""

    data: dict[str, Any]
    """The fields before it that are right."""


class WrongValueError(Exception):
    """A value is refused; the message says what is wanted and what was given."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Fault(NamedTuple):
    """One thing that is wrong with a mapping."""

    kind: str
    """``missing``, ``unknown`` (the key) or ``wrong`` (the value)."""
    loc: tuple[str, ...]
    """The keys that lead there, and the numbers of entries of lists."""
    what: str = ""
    """The refusal of a wrong value."""


class ValidationError(Exception):
    """A mapping is not what its section says."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(fault.loc)}: {fault.what or fault.kind}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, kw_only=True)
class FieldInfo:
    """A field of a section."""

    annotation: Any = Any
    """Its type, without what is said beside it."""
    alias: str | None = None
    """The key, where that is no name of Python."""
    default: Any = _REQUIRED
    default_factory: Callable[[], Any] | None = None
    judge: Take = lambda node: node
    """Makes the value of a node."""

    def is_required(self) -> bool:
        """Say whether there is no default."""
        return self.default is _REQUIRED and self.default_factory is None

    def usual(self) -> Any:
        """Return the default, a dictionary of its own for each section."""
        if self.default_factory is not None:
            return self.default_factory()
        return dict(self.default) if isinstance(self.default, dict) else self.default


def Field(  # as pydantic calls it
    *, default: Any = _REQUIRED, default_factory: Callable[[], Any] | None = None, alias: str | None = None
) -> Any:
    """Say more of a field than its annotation does."""
    return FieldInfo(default=default, default_factory=default_factory, alias=alias)


def field_validator(*names: str) -> Callable[[Method], Method]:
    """Let a class method judge values of these fields that were given and are right by themselves."""

    def mark(method: Method) -> Method:
        method.__func__.judges = names  # type: ignore[attr-defined]  # a class method
        return method

    return mark


def model_validator(method: Method) -> Method:
    """Let a method judge the whole section, when all of its fields are right."""
    method.judges_all = True  # type: ignore[attr-defined]
    return method


class _Fields:
    """The fields of each class, found out when they are asked for."""

    def __get__(self, section: object, owner: type[Section]) -> dict[str, FieldInfo]:
        found = vars(owner).get("_own_fields")
        if found is None:
            found = dict(_fields_of(owner))
            owner._own_fields = found
        return found


class Section:
    """A mapping with known keys; a key that holds nothing counts as not given."""

    model_fields = _Fields()
    _own_fields: ClassVar[dict[str, FieldInfo]]

    def __init__(self, values: Mapping[str, Any], given: frozenset[str]) -> None:
        vars(self).update(values)
        vars(self)["model_fields_set"] = given

    model_fields_set: frozenset[str]
    """The fields that were given."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it may hold dictionaries

    @classmethod
    def spelled_out(cls, node: Any) -> Any:
        """Turn a short form of this section into its long one."""
        return node

    @classmethod
    def model_construct(cls: type[Self]) -> Self:
        """Return the section with its defaults."""
        return cls({name: field.usual() for name, field in cls.model_fields.items()}, frozenset())

    @classmethod
    def model_validate(cls: type[Self], node: Any) -> Self:
        """Make a section of a tree.

        Raises
        ------
        ValidationError
            Something is wrong with it: all that is.
        """
        try:
            node = cls.spelled_out(node)
            if not isinstance(node, tree.Mapping):
                raise WrongValueError(f"must be a mapping of keys {tree.got(node)}")
            return cls._made_of(node)
        except WrongValueError as error:
            raise ValidationError([Fault("wrong", (), error.what)]) from None

    @classmethod
    def _made_of(cls: type[Self], mapping: tree.Mapping) -> Self:
        nodes = {name: entry.node for name, entry in mapping.entries.items()}
        values: dict[str, Any] = {}
        given: set[str] = set()
        faults: list[Fault] = []
        for name, field in cls.model_fields.items():
            key = field.alias or name
            node = nodes.pop(key, None)
            if node is not None and not tree.is_null(node):
                given.add(name)
                try:
                    values[name] = cls._judged(name, field.judge(node), values)
                except (WrongValueError, ValidationError) as error:
                    faults += _below(key, error)
            elif field.is_required():
                faults.append(Fault("missing", (key,)))
            else:
                values[name] = field.usual()
        faults += (Fault("unknown", (key,)) for key in nodes)
        if faults:
            raise ValidationError(faults)
        made = cls(values, frozenset(given))
        for judge in _methods(cls, "judges_all"):
            judge(made)
        return made

    @classmethod
    def _judged(cls, name: str, value: Any, before: dict[str, Any]) -> Any:
        for method in _methods(cls, "judges"):
            if name in method.judges:
                value = method(cls, value, ValidationInfo(before))
        return value


def _below(key: str, error: WrongValueError | ValidationError) -> Iterator[Fault]:
    """Yield what is wrong below a key, as it is seen from above."""
    faults = error.faults if isinstance(error, ValidationError) else [Fault("wrong", (), error.what)]
    return (fault._replace(loc=(key, *fault.loc)) for fault in faults)


def _methods(section: type[Section], mark: str) -> Iterator[Any]:
    """Yield the functions of a class, and of those above it, that carry a mark."""
    for one in reversed(section.__mro__):
        for method in vars(one).values():
            function = getattr(method, "__func__", method)
            if hasattr(function, mark):
                yield function


def _fields_of(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    hints: dict[str, Any] = {}
    for one in reversed(section.__mro__):
        if one not in (object, Section):
            hints |= get_annotations(one, eval_str=True)
    for name, hint in hints.items():
        said = getattr(section, name, _REQUIRED)
        said = said if isinstance(said, FieldInfo) else FieldInfo(default=said)
        plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        yield name, replace(said, annotation=plain, judge=_judge_of(hint))


# What annotations mean


def _judge_of(hint: Any) -> Take:
    """Return what makes a value of a node, as an annotation says.

    Raises
    ------
    TypeError
        The annotation says more than is known here: a mistake in a schema.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda node: node
    if origin is Annotated:
        return _judge_with(hint.__origin__, hint.__metadata__)
    if origin in (Union, UnionType) and len(arguments) == 2 and NoneType in arguments:
        return _judge_of(next(one for one in arguments if one is not NoneType))
    if origin is dict:
        judge = _judge_of(arguments[1])
        return lambda found: _each(found.items(), judge, dict)
    if origin is tuple and arguments[1:] == (...,):
        judge = _judge_of(arguments[0])
        return lambda found: _each(((str(n), one) for n, one in enumerate(found)), judge, _values)
    if isinstance(hint, type) and issubclass(hint, Section):
        return hint.model_validate
    raise TypeError(f"{hint} has no meaning in a section")


def _judge_with(hint: Any, said: tuple[Any, ...]) -> Take:
    plain = [one.take for one in said if isinstance(one, PlainValidator)]
    before = [one.take for one in reversed(said) if isinstance(one, BeforeValidator)]
    after = [one.take for one in said if isinstance(one, AfterValidator)]
    steps = [*before, plain[0] if plain else _judge_of(hint), *after]

    def judge(node: Any) -> Any:
        for step in steps:
            node = step(node)
        return node

    return judge if len(steps) > 1 else steps[0]


def _each(found: Any, judge: Take, make: Callable[[dict[str, Any]], Any]) -> Any:
    """Judge the entries of a group, and tell all that is wrong with any."""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, node in found:
        try:
            values[key] = judge(node)
        except (WrongValueError, ValidationError) as error:
            faults += _below(key, error)
    if faults:
        raise ValidationError(faults)
    return make(values)


def _values(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found.values())
