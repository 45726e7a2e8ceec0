"""Names alone say what belongs to which file."""

import pytest

from holdfast.statefile.recovery.leftovers import Stranger, sort_names
from holdfast.statefile.temp import TempName, temp_name

TEMP = temp_name("state.json", 3, "00000000", "0" * 16)


def test_everything_ours_is_told_from_files() -> None:
    names = [
        "state.json",
        TEMP,
        ".state.json.lock",
        ".state.json.owner",
        f".state.json.owner.{'a' * 16}",
        f".txn-{'b' * 16}.json",
        f".txn-{'c' * 16}.json.corrupt-20260101T000000.000Z-{'d' * 16}",
        "state.json.~1~",
        "state.json.~2~",
        "state.json.~10~",
        "state.json.corrupt-20260101T000000.000Z-0123456789abcdef",
        ".hidden.json",
        "my.owner.json",
        "~",
        ".~1~",
        "notes~",
        "x.~0~",
        "x.~01~",
    ]

    listing = sort_names(reversed(names))

    assert listing.files == {
        "state.json",
        ".hidden.json",
        "my.owner.json",
        "~",
        ".~1~",
        "notes~",
        "x.~0~",
        "x.~01~",
    }
    assert listing.transactions == ["b" * 16]
    assert listing.locks == ["state.json"]
    assert set(listing.beside) == {"state.json"}
    found = listing.of("state.json", "state.json")
    assert found.temps == [(TEMP, TempName("state.json", 3, "00000000"))]
    assert found.backups == ["state.json.~1~", "state.json.~2~", "state.json.~10~"]
    assert found.evidence == ["state.json.corrupt-20260101T000000.000Z-0123456789abcdef"]


@pytest.mark.parametrize(
    ("name", "target", "pid", "sure"),
    [
        ("state.json.tmp", "state.json", None, True),
        ("state.json.tmp.1234", "state.json", 1234, True),
        ("state.json.tmp.abc", "state.json", None, True),
        ("state.json.tmp.0", "state.json", None, True),
        ("state.json.tmp.20260101120000", "state.json", None, True),
        ("state.json.tmp.\u00b2", "state.json", None, True),
        ("state.json.part", "state.json", None, True),
        (".state.json.tmp.77", "state.json", 77, True),
        (".hidden.json.tmp.77", ".hidden.json", 77, True),
        (".lost.json.tmp.77", "lost.json", 77, True),
        ("lost.json.tmp.77", "lost.json", 77, True),
        (".watchdog-status.tmp.5", "watchdog.status", 5, False),
        (".watchdog-heartbeat.tmp.5", "watchdog.heartbeat", 5, False),
        (".pulse.tmp.5", "backup.pulse", 5, False),
    ],
)
def test_foreign_temps_are_attributed_by_their_names(
    name: str, target: str, pid: int | None, sure: bool
) -> None:
    files = [
        "state.json",
        ".hidden.json",
        "watchdog.status",
        "watchdog.heartbeat",
        "daemon.heartbeat",
        "backup.pulse",
    ]

    listing = sort_names([*files, name])

    assert listing.files == set(files)
    assert listing.beside[target].strangers == [Stranger(name, pid, sure)]


@pytest.mark.parametrize(
    "name",
    ["config.tmp.json", "notes.tmp.md", "README.part", "x.tmp", "movie.mkv.part", ".id.tmp.5"],
)
def test_a_name_that_only_looks_like_a_temp_is_a_file_of_its_own(name: str) -> None:
    listing = sort_names([name])

    assert (listing.files, listing.beside) == ({name}, {})


@pytest.mark.parametrize(
    "trace", [".x.lock", "x.~1~", temp_name("x", 3, "00000000", "0" * 16), "x"]
)
def test_with_a_trace_of_its_file_it_is_a_temp(trace: str) -> None:
    assert sort_names(["x.tmp", trace]).beside["x"].strangers[0].name == "x.tmp"


def test_a_missing_file_that_is_asked_for_owns_what_bears_its_name() -> None:
    assert sort_names([".id.tmp.7"], "id").beside["id"].strangers[0].sure is True


def test_no_more_is_taken_than_there_is_room_for() -> None:
    listing = sort_names([TEMP, "state.json.~1~", "state.json.tmp"])
    found = listing.of("state.json", "state.json")

    assert found.amount == 3
    assert [found.first(room).amount for room in (0, 1, 2, 3, None)] == [0, 1, 2, 3, 3]


def test_what_is_beside_a_long_name_stands_under_its_stem() -> None:
    listing = sort_names([temp_name("a" * 64, 3, None, "0" * 16), "long.json.~1~"])
    found = listing.of("long.json", "a" * 64)

    assert (len(found.temps), found.backups) == (1, ["long.json.~1~"])
