"""Decide by their names which files of a folder belong to which state file."""

from collections.abc import Iterable
from typing import NamedTuple

from holdfast.statefile.backup import backup_name
from holdfast.statefile.content import Kind, kind_of
from holdfast.statefile.intent import parse_intent_name
from holdfast.statefile.recovery.evidence import MARK
from holdfast.statefile.temp import TempName, parse_temp_name

# Records of owners, `.STEM.owner`, and of those who bury one, with its chance behind.
_OWNER = ".owner"
_INTENT = ".txn-"
# A pid has at most 7 digits on Linux; more would be a date.
_PID_DIGITS = 7


class Stranger(NamedTuple):
    """A temp of another program: `NAME.tmp`, `NAME.tmp.MARK`, `NAME.part`, and the same with a dot before.

    `pid` is its mark, where that may be one. Not `sure` is which file it was made for.
    """

    name: str
    pid: int | None
    sure: bool


class Leftovers(NamedTuple):
    """What stands beside one state file; backups the youngest first."""

    temps: list[tuple[str, TempName]]
    backups: list[str]
    strangers: list[Stranger]
    evidence: list[str]

    @property
    def has_something(self) -> bool:
        """Tell whether the file may need more than a look at its content; evidence needs none."""
        return bool(self.temps or self.backups or self.strangers)

    @property
    def amount(self) -> int:
        """Return how many files those are."""
        return len(self.temps) + len(self.backups) + len(self.strangers)

    def first(self, room: int | None) -> "Leftovers":
        """Return no more of them than there is room for."""
        if room is None or self.amount <= room:
            return self
        temps, backups = self.temps[:room], self.backups[: max(0, room - len(self.temps))]
        strangers = self.strangers[: max(0, room - len(temps) - len(backups))]
        return self._replace(temps=temps, backups=backups, strangers=strangers)


class Listing(NamedTuple):
    """The names of a folder: files by themselves, what stands beside them, and the journals of transactions.

    `beside` has the name of the file as its key, or its stem where that differs; `locks` are stems.
    """

    files: set[str]
    beside: dict[str, Leftovers]
    locks: list[str]
    transactions: list[str]

    def of(self, name: str, stem: str) -> Leftovers:
        """Return what stands beside one file."""
        nothing = Leftovers([], [], [], [])
        named = self.beside.get(name, nothing)
        if name == stem:
            return named
        stemmed = self.beside.get(stem, nothing)
        return Leftovers(
            named.temps + stemmed.temps,
            named.backups + stemmed.backups,
            named.strangers + stemmed.strangers,
            named.evidence + stemmed.evidence,
        )


def sort_names(names: Iterable[str], wanted: str | None = None) -> Listing:
    """Sort the names of a folder; `wanted` is a file that counts as present even when it is missing."""
    listing = Listing(set(), {}, [], [])
    strangers: list[str] = []
    backups: list[tuple[int, str, str]] = []
    for name in names:
        if name.startswith(".") and _sort_ours(name, listing):
            continue
        if MARK in name:
            _beside(listing, name[: name.index(MARK)]).evidence.append(name)
        elif name.endswith("~") and (kept := _as_backup(name)):
            backups.append((*kept, name))
        elif _stranger_base(name):
            strangers.append(name)
        else:
            listing.files.add(name)
    for _, target, name in sorted(backups):
        _beside(listing, target).backups.append(name)
    known = listing.files | {wanted} if wanted else set(listing.files)
    _sort_strangers(strangers, listing, known)
    return listing


def _sort_strangers(names: list[str], listing: Listing, known: set[str]) -> None:
    """Give each foreign temp to its file; what only looks like one, as README.part may, is a file itself."""
    traced = {*known, *listing.beside, *listing.locks}
    for name in names:
        target, stranger = _attributed(name, known)
        if target in traced or kind_of(target) is not Kind.OTHER:
            _beside(listing, target).strangers.append(stranger)
        else:
            listing.files.add(name)


def _beside(listing: Listing, target: str) -> Leftovers:
    return listing.beside.setdefault(target, Leftovers([], [], [], []))


def _sort_ours(name: str, listing: Listing) -> bool:
    """Sort what this library itself makes: temps, locks and journals."""
    temp = parse_temp_name(name)
    if temp is not None:
        _beside(listing, temp.stem).temps.append((name, temp))
        return True
    txn = parse_intent_name(name)
    if txn is not None:
        listing.transactions.append(txn)
        return True
    if name.endswith(".lock"):
        listing.locks.append(name[1:-5])
        return True
    # What is left of a journal: evidence.
    return name.startswith(_INTENT) or name.endswith(_OWNER) or _is_burial(name)


def _is_burial(name: str) -> bool:
    return name[-len(_OWNER) - 17 : -16] == f"{_OWNER}."


def _as_backup(name: str) -> tuple[int, str] | None:
    """Return the number and the file of a backup."""
    target, _, number = name[:-1].rpartition(".~")
    if not (target and number.isdecimal() and int(number)):
        return None
    if backup_name(target, int(number)) != name:  # x.~01~
        return None
    return int(number), target


def _stranger_base(name: str) -> str:
    """Return the part of a foreign temp's name that says whose it is; nothing when it is no temp."""
    if name.endswith(".part"):
        return name[:-5]
    at = name.find(".tmp", 1)
    if at == -1 or name[at + 4 : at + 5] not in ("", "."):
        return ""
    return name[:at]


def _attributed(name: str, known: set[str]) -> tuple[str, Stranger]:
    base = _stranger_base(name)
    mark = name[len(base) :].removeprefix(".tmp.")
    pid = int(mark) if mark.isdecimal() and mark.isascii() and len(mark) <= _PID_DIGITS else 0
    target, sure = _owner(base, known)
    return target, Stranger(name, pid or None, sure)


def _owner(base: str, known: set[str]) -> tuple[str, bool]:
    """Return for which file a foreign temp was made, and whether that is sure.

    `.watchdog-status.tmp.7` becomes `watchdog.status` and `.heartbeat.tmp.7` becomes
    `daemon.heartbeat` in the programs that make them; a guess like that never decides a promotion.
    """
    if base in known:
        return base, True
    plain = base.removeprefix(".")
    if plain in known or plain == base or kind_of(plain) is not Kind.OTHER:
        return plain, plain in known or kind_of(plain) is not Kind.OTHER
    alike = [name for name in known if name.replace(".", "-") == plain]
    alike = alike or [name for name in known if name.endswith(f".{plain}")]
    return (alike[0], False) if len(alike) == 1 else (plain, False)
