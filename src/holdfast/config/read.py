"""From the table of a file to the structs of its sections, collecting every problem on the way."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from msgspec import Struct

from holdfast.config.agree import AGREEMENTS
from holdfast.config.kinds.base import Kind
from holdfast.config.mask import mask_channel, mask_text
from holdfast.config.place import KeyPath
from holdfast.config.schema import Document
from holdfast.config.sections.service import Defaults
from holdfast.config.shape import Field, Leaf, ListOf, Record, Shape, TableOf, record_of
from holdfast.config.sources import Sources
from holdfast.config.unfit import Unfit

_FAILED: Final = object()
_SHOWN = 60


def read_document(sources: Sources) -> Document:
    """Return the document that the files describe; what could not be used is left at its default and blamed."""
    reading = _Reading(sources=sources)
    defaults = sources.plain.get("defaults")
    if isinstance(defaults, dict):
        # A quiet first pass: the walk over the whole document blames what is wrong in them.
        quiet = _Reading(sources=Sources(main=sources.main, environ=sources.environ))
        inherited = quiet.record(record_of(Defaults), defaults, ("defaults",))
        if isinstance(inherited, Defaults):
            for section in (inherited.restart, inherited.stop, inherited.log):
                reading.inherited[type(section)] = section
    document = reading.record(record_of(Document), sources.plain, ())
    return document if isinstance(document, Document) else Document()


def dotted(path: KeyPath) -> str:
    """Return a key path as people write it: `service.api.needs[0]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.removeprefix(".")


@dataclass(slots=True, kw_only=True)
class _Reading:
    sources: Sources
    inherited: dict[type[Struct], Struct] = field(default_factory=dict)

    def value(self, shape: Shape, plain: object, path: KeyPath) -> object:
        match shape:
            case Leaf(kind=kind):
                return self._leaf(kind, plain, path)
            case ListOf(item=item):
                return self._list(item, plain, path)
            case TableOf(item=item, keys=keys):
                return self._table(item, keys, plain, path)
            case Record():
                return self.record(shape, plain, path)
            case _:
                assert_never(shape)

    def record(self, shape: Record, plain: object, path: KeyPath) -> object:
        if not isinstance(plain, dict):
            return self._unfit(plain, path, "expected a table")
        before = self.sources.count
        self._blame_unknown(shape, plain, path)
        base = self.inherited.get(shape.struct)
        known = {one.name: self._field(one, plain, path, base) for one in shape.fields}
        values = {name: value for name, value in known.items() if value is not _FAILED}
        if any(one.required and one.name not in values for one in shape.fields):
            return _FAILED
        built = shape.struct(**values)
        # Where a key was refused its default stands in, which may disagree with the others for no fault of theirs.
        if self.sources.count == before:
            for key, what, hint in AGREEMENTS.get(shape.struct, _no_agreement)(built):
                where = (*path, key) if key else path
                self.sources.blame(where, f"{dotted(where)}: {what}", hint)
        return built

    def _field(
        self, one: Field, plain: Mapping[str, object], path: KeyPath, base: Struct | None
    ) -> object:
        if one.name in plain:
            found = self.value(one.shape, plain[one.name], (*path, one.name))
        else:
            found = _FAILED
            if one.required:
                where = f" in {dotted(path)}" if path else ""
                self.sources.blame(path, f"missing key `{one.name}`{where}", one.doc)
        if found is not _FAILED or one.required:
            return found
        return self._default(one, base)

    def _default(self, one: Field, base: Struct | None) -> object:
        if base is not None:
            return getattr(base, one.name)
        if isinstance(one.shape, Record):
            return self.inherited.get(one.shape.struct, one.default)
        return one.default

    def _leaf(self, kind: Kind, plain: object, path: KeyPath) -> object:
        try:
            return kind.read(plain, self.sources.origin_of(path))
        except Unfit as unfit:
            shown = _literal(
                mask_channel(plain) if kind.secret and isinstance(plain, str) else plain
            )
            why = unfit.why or f"expected {kind.expected}"
            self.sources.blame(path, f"{dotted(path)} = {shown}: {why}", unfit.hint)
            return _FAILED

    def _list(self, item: Shape, plain: object, path: KeyPath) -> object:
        if not isinstance(plain, list):
            return self._unfit(plain, path, "expected a list")
        found = [self.value(item, one, (*path, index)) for index, one in enumerate(plain)]
        return tuple(one for one in found if one is not _FAILED)

    def _table(self, item: Shape, keys: Kind | None, plain: object, path: KeyPath) -> object:
        if not isinstance(plain, dict):
            return self._unfit(plain, path, "expected a table")
        if keys is not None:
            for key in plain:
                self._leaf(keys, key, (*path, key))
        found = {key: self.value(item, one, (*path, key)) for key, one in plain.items()}
        return {key: one for key, one in found.items() if one is not _FAILED}

    def _unfit(self, plain: object, path: KeyPath, why: str) -> object:
        self.sources.blame(path, f"{dotted(path)} = {_literal(plain)}: {why}")
        return _FAILED

    def _blame_unknown(self, shape: Record, plain: Mapping[str, object], path: KeyPath) -> None:
        known = [one.name for one in shape.fields]
        for key in plain:
            if key not in known:
                where = f" in {dotted(path)}" if path else ""
                hint = _suggestion(key, shape)
                self.sources.blame((*path, key), f"unknown key `{key}`{where}", hint)


def _suggestion(key: str, shape: Record) -> str:
    for one in shape.fields:
        if isinstance(one.shape, Record) and key in (deep.name for deep in one.shape.fields):
            return f"did you mean `{one.name}.{key}`?"
    names = [one.name for one in shape.fields]
    near = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(names)}"


def _literal(plain: object) -> str:
    match plain:
        case bool():
            text = str(plain).lower()
        case str():
            text = '"' + plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case list():
            text = "[" + ", ".join(_literal(one) for one in plain) + "]"
        case dict():
            text = (
                "{ " + ", ".join(f"{key} = {_literal(one)}" for key, one in plain.items()) + " }"
            )
        case _:
            text = str(plain)
    text = mask_text(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _no_agreement(_section: Any) -> Iterable[tuple[str, str, str]]:
    return ()
