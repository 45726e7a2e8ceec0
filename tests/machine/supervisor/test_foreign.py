"""What other parts of Holdfast may have written into the journal, and what they may not."""

import pytest

from holdfast.errors import UsageError
from holdfast.machine.supervisor import foreign


def test_events_are_read_in_their_order() -> None:
    rows = [
        {"kind": "backup.observed", "subject": "notes", "facts": {"files": 3}},
        {"kind": "alert.suppressed", "subject": "notes"},
    ]

    found = foreign.read({"events": rows})

    assert [(one.kind, one.subject, one.facts) for one in found] == [
        ("backup.observed", "notes", {"files": 3}),
        ("alert.suppressed", "notes", {}),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "backup.observed",
        {"kind": "service.held", "subject": "api"},
        {"kind": "backup.observed\n", "subject": "api"},
        {"kind": "backup.observed", "subject": ""},
        {"kind": "backup.observed", "subject": 3},
        {"kind": "backup.observed", "subject": "api", "facts": []},
        {"kind": "backup.observed", "subject": "api", "facts": {"at": 1}},
    ],
)
def test_what_only_the_supervisor_may_say_is_refused(row: object) -> None:
    good = {"kind": "backup.observed", "subject": "notes", "facts": {}}

    with pytest.raises(UsageError):
        foreign.read({"events": [good, row]})


def test_the_number_of_events_is_bounded() -> None:
    with pytest.raises(UsageError, match="at most"):
        foreign.read({"events": [{}] * (foreign.MOST + 1)})
    with pytest.raises(UsageError, match="list"):
        foreign.read({})
