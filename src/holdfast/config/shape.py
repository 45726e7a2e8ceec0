"""The sections as a tree that reading, describing and showing walk alike."""

import functools
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, assert_never

from msgspec import NODEFAULT, Meta, Struct, structs

from holdfast.config.kinds.base import Kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaf:
    """One value."""

    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListOf:
    """A list of values of one shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableOf:
    """A table whose keys are names given by the person."""

    item: "Shape"
    keys: Kind | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """One key of a section; `default` means nothing where the key is required."""

    name: str
    doc: str
    required: bool
    default: object
    shape: "Shape"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """A table with the keys of one section."""

    struct: type[Struct]
    fields: tuple[Field, ...]


Shape: TypeAlias = Leaf | ListOf | TableOf | Record


@functools.cache
def record_of(struct: type[Struct]) -> Record:
    """Return the tree of one section."""
    return Record(struct=struct, fields=tuple(_field(info) for info in structs.fields(struct)))


def shown(shape: Shape, value: Any) -> object:
    """Return `value` in the words of the file: strings, numbers, lists, tables; None where nothing is set."""
    if value is None:
        return shape.kind.none if isinstance(shape, Leaf) else None
    match shape:
        case Leaf(kind=kind):
            return kind.show(value)
        case ListOf(item=item):
            return [shown(item, one) for one in value]
        case TableOf(item=item):
            return {name: shown(item, one) for name, one in value.items()}
        case Record(fields=fields):
            told = {field.name: shown(field.shape, getattr(value, field.name)) for field in fields}
            return {name: one for name, one in told.items() if one is not None and one != {}}
        case _:
            assert_never(shape)


def _field(info: structs.FieldInfo) -> Field:
    default = info.default
    if default is NODEFAULT and info.default_factory is not NODEFAULT:
        default = info.default_factory()
    described = [note.description for note in _notes(info.type) if isinstance(note, Meta)]
    return Field(
        name=info.encode_name,
        doc=next((words for words in described if words), ""),
        required=default is NODEFAULT,
        default=default,
        shape=_shape(info.type),
    )


def _shape(hint: Any) -> Shape:
    kind = next((note for note in _notes(hint) if isinstance(note, Kind)), None)
    bare = _bare(hint)
    if kind is not None:
        return Leaf(kind=kind)
    origin = typing.get_origin(bare)
    if origin is tuple:
        return ListOf(item=_shape(typing.get_args(bare)[0]))
    if origin is dict:
        key, item = typing.get_args(bare)
        keys = next((note for note in _notes(key) if isinstance(note, Kind)), None)
        return TableOf(item=_shape(item), keys=keys)
    return record_of(bare)


def _notes(hint: Any) -> tuple[object, ...]:
    """Return the metadata of a hint, through Annotated and `| None`, outermost last."""
    if typing.get_origin(hint) is Annotated:
        inner, *notes = typing.get_args(hint)
        return (*_notes(inner), *notes)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(note for option in typing.get_args(hint) for note in _notes(option))
    return ()


def _bare(hint: Any) -> Any:
    if typing.get_origin(hint) is Annotated:
        return _bare(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _bare(next(one for one in typing.get_args(hint) if one is not types.NoneType))
    return hint
