"""What the supervisor remembers of each service on disk, so that its own death costs nothing."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields

from holdfast import statefile
from holdfast.errors import Corrupt, Refused, StateError
from holdfast.home import Home
from holdfast.model.service import Restart, ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import from_plain, to_plain
from holdfast.statefile import Durability

_CHANGING = tuple(field.name for field in fields(ServiceState) if field.name != "history")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One record as it was found: the spec and the state, and the boot they were written in."""

    spec: ServiceSpec
    state: ServiceState
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A record that cannot be read; it was moved aside as `evidence`."""

    name: str
    why: str
    evidence: str


class Records:
    """The state files of all services of one home."""

    def __init__(self, home: Home, boot_id: str) -> None:
        self.home = home
        self.boot_id = boot_id
        self._folder = str(home.services)
        self._specs: dict[str, tuple[ServiceSpec, str]] = {}
        self._rows: dict[str, dict[int, tuple[Restart, str]]] = {}

    def save(self, spec: ServiceSpec, state: ServiceState, durability: Durability) -> None:
        """Write the record of one service.

        Raises:
            StateError: the disk refused it.
        """
        statefile.write_atomic(
            f"{self._folder}/{spec.name}.json",
            self._text(spec, state),
            durability=durability,
            mode=0o600,
        )

    def load_all(self) -> list[Loaded | Broken]:
        """Return every record of this home; what cannot be read is moved aside, never overwritten."""
        return [self._load(path.stem) for path in sorted(self.home.services.glob("*.json"))]

    def lost(self) -> set[str]:
        """Return the services of which only evidence is left: a record that was moved aside and not made anew."""
        names = os.listdir(self._folder)
        aside = {name.partition(".json.corrupt-")[0] for name in names if ".json.corrupt-" in name}
        return {name for name in aside if f"{name}.json" not in names}

    def forget(self, name: str) -> None:
        """Delete the record of a service that was taken out of the configuration."""
        self.home.service(name).unlink(missing_ok=True)
        self._specs.pop(name, None)
        self._rows.pop(name, None)

    def _load(self, name: str) -> Loaded | Broken:
        try:
            return load(self.home, name)
        except Corrupt as error:
            evidence = statefile.quarantine(self.home.service(name))
            return Broken(name=name, why=str(error), evidence=str(evidence))

    def _text(self, spec: ServiceSpec, state: ServiceState) -> str:
        """Return the JSON of a record; the spec and the rows of the history, which do not change, are rendered once."""
        facts = {name: to_plain(getattr(state, name)) for name in _CHANGING}
        head = _dumped({"pid": state.process.pid if state.process else None, **facts})
        return f'{head[:-1]},"history":[{self._history(state)}],{self._spec(spec)}}}\n'

    def _spec(self, spec: ServiceSpec) -> str:
        known, text = self._specs.get(spec.name, (None, ""))
        if known is not spec:
            rendered = json.dumps(to_plain(spec), separators=(",", ":"), sort_keys=True)
            digest = hashlib.sha256(rendered.encode()).hexdigest()
            text = f'"boot_id":"{self.boot_id}","spec_hash":"{digest}","spec":{rendered}'
            self._specs[spec.name] = (spec, text)
        return text

    def _history(self, state: ServiceState) -> str:
        known = self._rows.get(state.name, {})
        # A row is remembered together with its text, so that its id stays its own.
        rows = {
            id(row): known.get(id(row)) or (row, _dumped(to_plain(row))) for row in state.history
        }
        self._rows[state.name] = rows
        return ",".join(rows[id(row)][1] for row in state.history)


def _dumped(plain: object) -> str:
    return json.dumps(plain, separators=(",", ":"))


def load(home: Home, name: str) -> Loaded:
    """Read one record without changing anything.

    Raises:
        Corrupt: it is not what a record should be.
        FileNotFoundError: there is none.
    """
    path = str(home.service(name))
    found = statefile.read_json(path)
    try:
        if not isinstance(found, dict):
            raise ValueError(f"expected an object, found {type(found).__name__}")  # noqa: TRY301, TRY004 - one way out for bad content
        spec, state = from_plain(ServiceSpec, found["spec"]), from_plain(ServiceState, found)
        if not spec.name == state.name == name:
            raise ValueError(f"it speaks of {spec.name!r} and {state.name!r}")  # noqa: TRY301 - as above
        return Loaded(spec=spec, state=state, boot_id=str(found["boot_id"]))
    except (ValueError, KeyError) as error:
        raise Corrupt(f"{path} is not the record of a service: {error}", path=path) from error


def readable(home: Home) -> Iterator[Loaded]:
    """Yield every record that can be read, in the order of names; `doctor` tells of the others."""
    try:
        names = sorted(name for name in os.listdir(home.services) if name.endswith(".json"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise Refused(
            f"{home.root} belongs to another user; set HOLDFAST_HOME to a folder of yours"
        ) from error
    for name in names:
        try:
            yield load(home, name.removesuffix(".json"))
        except (StateError, FileNotFoundError):
            continue
