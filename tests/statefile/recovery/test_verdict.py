"""What becomes of a file, and what is said when nothing can be done."""

from dataclasses import dataclass

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import Conflict, Corrupt, UsageError
from holdfast.statefile.place import Place
from holdfast.statefile.recovery.choose import Choice, Rank
from holdfast.statefile.recovery.judge import Backup, FoundTemp, State, Status
from holdfast.statefile.recovery.survey import Survey
from holdfast.statefile.recovery.verdict import Outcome, Wish, decided
from holdfast.statefile.settle import Outcome as Settlement
from holdfast.statefile.system.ops import Folder, Ops

PLACE = Place("there/state.json", Folder("there", -1), (), "state.json", "state.json", Ops())
WHOLE = FoundTemp("whole", Status.COMPLETE, 2, 1.0, None, 5, "crc")
CUT = FoundTemp("cut", Status.PARTIAL, 1, 1.0, "it is cut", 5)
STRANGE = FoundTemp("strange", Status.FOREIGN, 2, 1.0, "it was made by another program", 5, "crc")


@dataclass(frozen=True)
class Facts:
    state: State = State.INVALID
    temps: tuple[FoundTemp, ...] = ()
    strangers: tuple[FoundTemp, ...] = ()
    backups: tuple[Backup, ...] = ()
    unbegun: str | None = None
    use: str | None = None
    settled: Settlement | None = None


def verdict(facts: Facts) -> tuple[Outcome, Choice | None]:
    found = Survey(
        state=facts.state,
        why="it is empty",
        temps=facts.temps,
        strangers=facts.strangers,
        backups=facts.backups,
        evidence=(),
        dead={},
        stamp_ns=None,
        unbegun=facts.unbegun,
    )
    wish = Wish(dry_run=False, foreign=False, use=facts.use, wait_for=0.0, clock=SystemClock())
    return decided(PLACE, found, wish, facts.settled)


BACKUP = Backup("state.json.~1~", valid=True)


@pytest.mark.parametrize(
    ("facts", "outcome", "source"),
    [
        (Facts(State.VALID, (WHOLE,)), Outcome.INTACT, None),
        (Facts(State.VALID, settled=Settlement.FINISHED), Outcome.FINISHED, None),
        (Facts(State.VALID, settled=Settlement.UNDONE), Outcome.UNDONE, None),
        (Facts(State.VALID, settled=Settlement.GONE), Outcome.INTACT, None),
        (Facts(State.VALID, settled=Settlement.BROKEN), Outcome.INTACT, None),
        (Facts(temps=(WHOLE,)), Outcome.PROMOTED, Choice("whole", Rank.TEMP)),
        (Facts(strangers=(STRANGE,)), Outcome.PROMOTED, Choice("strange", Rank.STRANGER)),
        (Facts(backups=(BACKUP,)), Outcome.RESTORED, Choice(BACKUP.name, Rank.BACKUP)),
        (Facts(State.MISSING, (CUT,), unbegun="a"), Outcome.UNDONE, None),
        (Facts(State.MISSING, settled=Settlement.UNDONE), Outcome.UNDONE, None),
        (Facts(temps=(WHOLE,), use="whole"), Outcome.PROMOTED, Choice("whole", Rank.TEMP)),
        (
            Facts(temps=(WHOLE,), backups=(BACKUP,), use="x/state.json.~1~"),
            Outcome.RESTORED,
            Choice(BACKUP.name, Rank.BACKUP),
        ),
        (
            Facts(temps=(STRANGE,), strangers=(STRANGE,), use="strange"),
            Outcome.PROMOTED,
            Choice("strange", Rank.STRANGER),
        ),
    ],
)
def test_every_case_has_one_outcome(facts: Facts, outcome: Outcome, source: Choice | None) -> None:
    assert verdict(facts) == (outcome, source)


def test_what_is_lost_is_told_with_what_was_found_and_what_to_do() -> None:
    backup = Backup("state.json.~1~", valid=False, why="it is empty")

    with pytest.raises(Corrupt) as lost:
        verdict(Facts(temps=(CUT, STRANGE._replace(checksum="")), backups=(backup,)))

    said = str(lost.value)
    assert "there/state.json cannot be used: it is empty" in said
    assert "cut: it is cut" in said
    assert "state.json.~1~: it is empty" in said
    assert "--foreign" in said
    assert "holdfast state rebuild there" in said


def test_a_flood_of_orphans_makes_no_flood_of_words() -> None:
    with pytest.raises(Corrupt, match="and 995 more") as lost:
        verdict(Facts(temps=(CUT,) * 1000))

    assert len(str(lost.value)) < 1000


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        (Facts(State.VALID, (WHOLE,), use="whole"), Conflict),
        (Facts(temps=(WHOLE,), use="other"), UsageError),
        (Facts(temps=(CUT,), use="cut"), Corrupt),
        (Facts(temps=(STRANGE._replace(checksum=""),), use="strange"), Corrupt),
        (Facts(State.MISSING), Corrupt),
        (Facts(State.MISSING, settled=Settlement.FINISHED, backups=()), Corrupt),
    ],
)
def test_what_cannot_be_done_is_refused(facts: Facts, error: type[Exception]) -> None:
    with pytest.raises(error):
        verdict(facts)
