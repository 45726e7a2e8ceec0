import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.cli import events
from holdfast.clock import SystemClock, utc_text
from holdfast.home import Home
from holdfast.journal import Journal

if TYPE_CHECKING:
    from tests.cli.conftest import Done, Following
    from tests.conftest import Machine


class Told:
    """A clock that shows what it is told to."""

    def __init__(self) -> None:
        self.now = SystemClock().wall() - 86_400

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def clock() -> Told:
    return Told()


@pytest.fixture
def journal(home: Home, clock: Told) -> Journal:
    return Journal(home.journal, clock)


def segment(journal: Journal) -> None:
    """Have the next event begin a new segment."""
    journal.sync()
    journal.close()


def ids(done: "Done") -> list[int]:
    return [json.loads(line)["id"] for line in done.lines]


def test_an_event_is_one_json_object_with_its_own_fields_first(
    journal: Journal, run: "Callable[..., Done]"
) -> None:
    event = journal.append("service.exited", "api", {"exit_code": 3})
    journal.close()

    assert json.loads(run("events", "--json").out) == {
        "id": event.id,
        "at": utc_text(event.at),
        "kind": "service.exited",
        "subject": "api",
        "exit_code": 3,
    }
    assert list(json.loads(run("events", "--json").out))[:4] == ["id", "at", "kind", "subject"]


def test_an_event_is_a_line_of_time_kind_subject_and_facts(
    journal: Journal, run: "Callable[..., Done]"
) -> None:
    event = journal.append("service.exited", "api", {"exit_code": 3, "why": "it fell over"})
    journal.close()

    (line,) = run("events").lines
    assert line.split(maxsplit=3) == [
        utc_text(event.at),
        "service.exited",
        "api",
        'exit_code=3 why="it fell over"',
    ]


def test_without_a_journal_nothing_is_shown(run: "Callable[..., Done]") -> None:
    assert (run("events").code, run("events").out) == (0, "")
    assert (run("events", "-n", "5").code, run("events", "-n", "5").out) == (0, "")


@pytest.mark.parametrize("count", [0, 1, 4, 9, 10, 99])
def test_the_newest_come_from_as_many_segments_as_it_takes(
    journal: Journal, run: "Callable[..., Done]", count: int
) -> None:
    all_ids = []
    for number in range(10):
        all_ids.append(journal.append("tick", "api").id)
        if number % 3 == 2:
            segment(journal)
    journal.close()

    assert (
        ids(run("events", "--json", "-n", str(count))) == all_ids[len(all_ids) - min(count, 10) :]
    )


def test_a_negative_number_is_refused(run: "Callable[..., Done]") -> None:
    assert run("events", "-n", "-3").code == 2


def test_only_events_of_one_subject_are_shown(
    journal: Journal, run: "Callable[..., Done]"
) -> None:
    for number in range(6):
        journal.append("tick", "api" if number % 2 else "db", {"number": number})
        segment(journal)

    shown = run("events", "--subject", "api", "-n", "2", "--json").lines
    assert [json.loads(line)["number"] for line in shown] == [3, 5]


@pytest.mark.parametrize("extra", [(), ("-n", "50")])
def test_since_shows_what_came_later(
    journal: Journal, clock: Told, run: "Callable[..., Done]", extra: tuple[str, ...]
) -> None:
    journal.append("old", "api")
    segment(journal)
    clock.now += 86_400 - 600
    new = journal.append("new", "api").id
    journal.close()

    assert ids(run("events", "--since", "1h", "--json", *extra)) == [new]


def test_since_takes_a_time(journal: Journal, clock: Told, run: "Callable[..., Done]") -> None:
    journal.append("old", "api")
    clock.now += 60
    new = journal.append("new", "api")
    journal.close()

    assert ids(run("events", "--since", utc_text(new.at - 1), "--json")) == [new.id]


def test_since_holds_against_a_clock_that_was_set_back(
    journal: Journal, clock: Told, run: "Callable[..., Done]"
) -> None:
    clock.now += 86_400
    journal.append("before", "api")
    clock.now -= 40_000
    journal.append("after", "api")
    journal.close()

    shown = run("events", "--since", "1h", "--json").lines
    assert [json.loads(line)["kind"] for line in shown] == ["before"]


def test_a_line_cut_short_by_a_crash_is_passed_over(
    home: Home, journal: Journal, run: "Callable[..., Done]"
) -> None:
    first = journal.append("tick", "api").id
    journal.close()
    (path,) = home.journal.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"id": 1, "at')

    assert ids(run("events", "--json")) == [first]


def test_following_shows_the_newest_then_what_happens(
    journal: Journal, follow: "Callable[..., Following]"
) -> None:
    all_ids = [journal.append("tick", "api").id for _ in range(15)]
    command = follow("events", "-f", "--json")
    before = [json.loads(line)["id"] for line in command.lines(10)]
    later = journal.append("tick", "api")
    after = json.loads(command.line())
    journal.close()

    assert before == all_ids[5:]
    assert after == events.plain(later)


def test_following_goes_on_in_the_next_segment(
    journal: Journal, follow: "Callable[..., Following]"
) -> None:
    journal.append("tick", "api")
    command = follow("events", "-f", "--json")
    command.line()
    wanted = []
    for _ in range(5):
        wanted.append(journal.append("tick", "api").id)
        segment(journal)

    assert [json.loads(line)["id"] for line in command.lines(5)] == wanted


def test_following_begins_before_the_first_event(
    journal: Journal, follow: "Callable[..., Following]"
) -> None:
    command = follow("events", "-f", "--json")
    wanted = [journal.append("tick", "api").id for _ in range(3)]
    journal.close()

    assert [json.loads(line)["id"] for line in command.lines(3)] == wanted


def test_following_waits_for_a_journal_whose_folder_is_not_there_yet(
    home: Home, journal: Journal, follow: "Callable[..., Following]"
) -> None:
    home.journal.rmdir()
    command = follow("events", "-f", "--json")
    home.journal.mkdir()
    wanted = journal.append("tick", "api").id
    journal.close()

    assert json.loads(command.line())["id"] == wanted


def test_following_shows_one_subject(journal: Journal, follow: "Callable[..., Following]") -> None:
    journal.append("tick", "api")
    command = follow("events", "-f", "--json", "--subject", "api")
    command.line()
    journal.append("tick", "db")
    wanted = journal.append("tick", "api").id
    journal.close()

    assert json.loads(command.line())["id"] == wanted


def test_ctrl_c_ends_following_in_silence(
    journal: Journal, follow: "Callable[..., Following]"
) -> None:
    journal.append("tick", "api")
    journal.close()
    command = follow("events", "-f")
    command.line()

    assert command.interrupted() == (130, "", "")


def test_what_a_supervisor_does_is_followed(
    machine: "Machine", follow: "Callable[..., Following]", monkeypatch: Any
) -> None:
    machine.config('[service.api]\ncommand = ["sleep", "6001"]\n')
    machine.up()
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    command = follow("events", "-f", "--json", "--subject", "api", "-n", "1")
    command.line()
    machine.kill(machine.pid("api"))
    kinds = [json.loads(command.line())["kind"]]
    while kinds[-1] != "service.started":
        kinds.append(json.loads(command.line())["kind"])

    assert "service.exited" in kinds


def test_it_imports_little(journal: Journal, loaded: Callable[..., set[str]]) -> None:
    journal.append("tick", "api")
    journal.close()
    modules = loaded("events")

    assert not modules & {
        "ctypes",
        "msgspec",
        "asyncio",
        "subprocess",
        "shtab",
        "psutil",
        "logging",
    }
