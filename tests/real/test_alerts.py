"""People are told once, in time and of the end of it, whatever is killed, silenced or out of reach in between."""

import functools
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

from holdfast.clock import wall_from_text

if TYPE_CHECKING:
    from tests.conftest import Machine
    from tests.real.conftest import Sink

EVERY_S = 0.3
"""Seconds between two evaluations."""

CANARY_EVERY_S = 1.0
"""Seconds between two looks at a canary; after three without a look nobody knows whether it lives, and that is told."""

ROUNDS = f"""
    [machine]
    name = "box"
    [hub]
    listen = "127.0.0.1:0"
    [alerts]
    evaluate_every = "{EVERY_S}s"
"""

PROJECTS = """
    warning_after = "{warning}"
    critical_after = "{critical}"
    group_wait = "100ms"
    critical_group_wait = "100ms"
    [notify.everything]
    url = "{everything}"
    [notify.critical]
    url = "{critical_only}"
    severities = ["critical"]
    [notify.others]
    url = "{others}"
    checks = ["canary-*"]
    [service.calm]
    command = ["sleep", "8201"]
    [backup.a]
    path = "a"
    repository = "repository"
    engine = "copy"
    schedule = "@yearly"
    on_change = "never"
    [backup.b]
    path = "b"
    repository = "repository"
    engine = "copy"
    schedule = "@yearly"
    on_change = "never"
"""


def rows(machine: "Machine", *words: str) -> Any:
    return json.loads(machine.holdfast(*words, "--json").stdout)


def events(machine: "Machine", kind: str, subject: str | None = None) -> list[dict[str, Any]]:
    return [
        event
        for event in machine.events()
        if event["kind"] == kind and subject in (None, event["subject"])
    ]


def held_back(machine: "Machine", check: str) -> list[str]:
    """Return why nobody was told of a check, each time it was so; the journal hears of it after the database."""
    return [event["why"] for event in events(machine, "alert.suppressed", check)]


CANARY = """
    [check.{name}]
    kind = "command"
    command = ["test", "-e", "{name}.lives"]
    period = "{every}s"
"""

CANARIES = ("canary-1", "canary-2", "canary-3")


class Projects:
    """The documents' case: two projects that are backed up, and limits that a test pulls in."""

    def __init__(self, machine: "Machine", sink: "Sink") -> None:
        self.machine, self.sink = machine, sink
        machine.has_hub = True
        for name in ("a", "b"):
            (machine.root / name).mkdir()
            (machine.root / name / "file").write_text(name)
        for name in CANARIES:
            self._life(name).touch()
        self.limits("1h", "2h")

    def limits(self, warning: str, critical: str) -> None:
        """Set from which age on a backup is stale: both projects become so in the same evaluation."""
        self.machine.config(
            ROUNDS
            + PROJECTS.format(
                warning=warning,
                critical=critical,
                everything=self.sink.url("everything"),
                critical_only=self.sink.url("critical"),
                others=self.sink.url("others"),
            )
            + "".join(CANARY.format(name=name, every=CANARY_EVERY_S) for name in CANARIES)
        )

    def back_up(self) -> None:
        running = [self.machine.beside("backup", "run", name) for name in ("a", "b")]
        for each in running:
            self.machine.finished(each)

    def pass_three_evaluations(self, canary: str) -> None:
        """Return once three evaluations in a row have found something else dead, and told so."""
        self._life(canary).unlink()
        self.sink.await_(lambda: ("open", "critical", (canary,)) in self.sink.told("others"))

    def told(self, path: str) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return what a channel was told of all but the canaries."""
        return [said for said in self.sink.told(path) if not set(said[2]) & set(CANARIES)]

    def _life(self, canary: str) -> Path:
        return self.machine.root / f"{canary}.lives"


@pytest.fixture
def projects(machine: "Machine", sink: "Sink") -> Projects:
    return Projects(machine, sink)


@pytest.mark.timeout(180)
def test_two_stale_projects_are_told_once_each_severity_over_the_death_of_everything_and_resolved_once(
    projects: Projects,
) -> None:
    machine, sink = projects.machine, projects.sink
    machine.up()
    calm = machine.pid("calm")
    projects.back_up()
    machine.await_(lambda: _all_are_well_and_older_than(2.0, machine))
    assert projects.told("everything") == []

    projects.limits("1s", "2h")
    machine.holdfast("reload")
    sink.await_(lambda: projects.told("everything"))
    _assert_three_evaluations_before_the_first_word(machine)
    title = sink.taken("everything")[-1].message["title"]
    assert title == "WARNING: 2 checks overdue (>1s): a, b"

    projects.limits("1s", "2s")
    machine.holdfast("reload")
    sink.await_(lambda: projects.told("critical"))
    sink.await_(lambda: len(projects.told("everything")) == 2)
    title = sink.taken("critical")[-1].message["title"]
    assert title == "CRITICAL: 2 checks overdue (>2s): a, b"
    both = ("a", "b")
    twice = [("open", "warning", both), ("raise", "critical", both)]

    projects.pass_three_evaluations(CANARIES[0])
    assert projects.told("everything") == twice
    machine.await_(lambda: "cooldown" in held_back(machine, "a"))
    assert machine.pid("calm") == calm
    assert machine.history("calm") == []

    machine.kill_the_rest()
    machine.up()
    projects.pass_three_evaluations(CANARIES[1])
    assert projects.told("everything") == twice

    machine.kill_supervisor()
    machine.await_(lambda: machine.status()["hub"]["state"] == "running")
    sink.await_(lambda: any(kind == "meta" for kind, _, _ in sink.told("everything")))
    restart = [each.message for each in sink.taken("everything") if b'"meta"' in each.body]
    assert [notice["title"] for notice in restart] == ["the watchdog restarted the supervisor"]

    projects.limits("1h", "2h")
    machine.holdfast("reload")
    sink.await_(lambda: _ends(projects, "everything") and _ends(projects, "critical"))
    projects.pass_three_evaluations(CANARIES[2])
    assert _ends(projects, "everything") == _ends(projects, "critical") == [both]
    assert projects.told("others") == []
    assert [
        said for said in projects.told("everything") if said[0] not in ("meta", "resolve")
    ] == (twice)


def _all_are_well_and_older_than(least: float, machine: "Machine") -> bool:
    return all(
        row["severity"] == row["confirmed"] == "ok" and (row["age_s"] or 0.0) > least
        for row in rows(machine, "checks", "a", "b")
    )


def _assert_three_evaluations_before_the_first_word(machine: "Machine") -> None:
    """Look at what lies between new limits and the incident: two times half an interval at least."""
    opened = machine.await_(lambda: events(machine, "incident.opened", "a"))[0]["noted_at"]
    began = events(machine, "hub.configured")[-1]["noted_at"]
    assert wall_from_text(opened) - wall_from_text(began) >= EVERY_S
    machine.await_(
        lambda: (
            {"warning": ["a", "b"]}
            in [event["names"] for event in events(machine, "checks.counted")]
        )
    )


def _ends(projects: Projects, path: str) -> list[tuple[str, ...]]:
    return [checks for kind, _, checks in projects.told(path) if kind == "resolve"]


PINGS = """
    warning_cooldown = "{cooldown}"
    critical_cooldown = "{cooldown}"
    group_wait = "0s"
    critical_group_wait = "0s"
    quiet_hours = "{quiet}"
    [notify.all]
    url = "{url}"
    [service.calm]
    command = ["sleep", "8202"]
"""

PING = """
    [check.{name}]
    kind = "ping"
    period = "1h"
    {more}
"""

OLD_AT_ONCE = 'warning_after = "10ms"'
"""What makes a check a warning soon after its ping, and never a critical."""


def configure(
    machine: "Machine",
    sink: "Sink",
    *checks: tuple[str, str],
    cooldown: str = "1h",
    quiet: str = "",
) -> None:
    """Write the configuration of a machine whose checks, each with more lines, wait for pings."""
    machine.has_hub = True
    every = "".join(PING.format(name=name, more=more) for name, more in checks)
    machine.config(ROUNDS + PINGS.format(url=sink.url(), cooldown=cooldown, quiet=quiet) + every)


def test_a_person_steers_who_is_told_by_commands(machine: "Machine", sink: "Sink") -> None:
    configure(machine, sink, *((name, "") for name in ("silenced", "seen", "planned")))
    machine.up()
    assert "all: delivered" in machine.holdfast("alerts", "test").stdout
    silence = rows(machine, "alerts", "silence", "silenced", "--for", "1h", "--by", "me")["id"]
    machine.holdfast("alerts", "maintenance", "plan*", "--for", "1h", "--note", "new disk")
    for name in ("silenced", "planned", "seen"):
        machine.holdfast("ping", name, "fail", "-m", "it broke")
    sink.await_(lambda: ("open", "critical", ("seen",)) in sink.told())
    machine.await_(lambda: held_back(machine, "planned") and held_back(machine, "silenced"))
    assert held_back(machine, "silenced") == ["silence by me"]
    assert {row["check"]: row["muted"] for row in rows(machine, "incidents")} == {
        "silenced": True,
        "planned": True,
        "seen": False,
    }

    machine.holdfast("alerts", "end", str(silence))
    sink.await_(lambda: ("open", "critical", ("silenced",)) in sink.told())
    machine.holdfast("alerts", "silence", "*", "--for", "1h")
    for name in ("silenced", "planned"):
        machine.holdfast("ping", name)
    sink.await_(lambda: ("resolve", "critical", ("silenced",)) in sink.told())
    machine.await_(lambda: [row["check"] for row in rows(machine, "incidents")] == ["seen"])

    machine.holdfast("alerts", "ack", "seen", "--by", "me", "--note", "a disk is on its way")
    assert rows(machine, "incidents")[0]["acknowledged_by"] == "me"
    machine.holdfast("ping", "seen")
    sink.await_(lambda: ("resolve", "critical", ("seen",)) in sink.told())
    assert not [said for said in sink.told() if "planned" in said[2]]


def test_what_is_acknowledged_is_not_reminded_of_until_it_gets_worse(
    machine: "Machine", sink: "Sink"
) -> None:
    configure(machine, sink, ("late", OLD_AT_ONCE), ("other", ""), cooldown="600ms")
    machine.up()
    machine.holdfast("ping", "late")
    sink.await_(lambda: ("remind", "warning", ("late",)) in sink.told())
    machine.holdfast("alerts", "ack", "late")
    machine.await_(lambda: "acknowledged" in held_back(machine, "late"))
    machine.await_(lambda: not _is_waiting(machine, "late"))  # what was under way has arrived
    count = len([said for said in sink.told() if "late" in said[2]])
    machine.holdfast("ping", "other", "fail")
    sink.await_(lambda: ("remind", "critical", ("other",)) in sink.told())
    assert len([said for said in sink.told() if "late" in said[2]]) == count
    machine.holdfast("ping", "late", "fail")
    sink.await_(lambda: ("raise", "critical", ("late",)) in sink.told())


def test_in_quiet_hours_only_a_critical_wakes_people(machine: "Machine", sink: "Sink") -> None:
    hour = time.localtime().tm_hour
    quiet = f"{(hour + 13) % 24:02}-{(hour + 12) % 24:02}"  # all but the hour farthest from now
    configure(machine, sink, ("late", OLD_AT_ONCE), ("dead", ""), quiet=quiet)
    machine.up()
    machine.holdfast("ping", "late")
    machine.await_(lambda: held_back(machine, "late") == ["quiet hours"])
    machine.holdfast("ping", "dead", "fail")
    sink.await_(lambda: sink.told() == [("open", "critical", ("dead",))])
    configure(machine, sink, ("late", OLD_AT_ONCE), ("dead", ""))
    machine.holdfast("reload")
    sink.await_(lambda: sink.told()[1:] == [("open", "warning", ("late",))])


def test_a_channel_that_was_away_gets_what_still_matters_in_order(
    machine: "Machine", sink: "Sink"
) -> None:
    names = ("first", "second", "third")
    configure(machine, sink, *((name, "") for name in (*names, "brief")))
    machine.up()
    sink.status = 503
    for name in (*names, "brief"):
        machine.holdfast("ping", name, "fail")
        machine.await_(functools.partial(_is_waiting, machine, name))
    machine.holdfast("ping", "brief")
    machine.await_(lambda: "brief" not in [row["check"] for row in rows(machine, "incidents")])
    sink.await_(lambda: len(sink.arrivals) >= 1)
    sink.status = 200
    sink.await_(lambda: len(sink.told()) == 4)
    assert sink.told() == [
        *(("open", "critical", (name,)) for name in names),
        ("resolve", "critical", ("brief",)),
    ]
    assert len({each.body for each in sink.arrivals if each.key == sink.arrivals[0].key}) == 1
    assert len(sink.taken()) == 4
    machine.await_(lambda: events(machine, "notification.resumed", "all"))


def _is_waiting(machine: "Machine", check: str) -> bool:
    return any(
        row["checks"] == [check] and row["state"] != "delivered"
        for row in rows(machine, "notifications")
    )


def test_a_hub_that_dies_or_cannot_write_harms_no_service_and_is_never_held(
    machine: "Machine", sink: "Sink"
) -> None:
    configure(machine, sink, ("p", ""))
    machine.up()
    calm = machine.pid("calm")
    for _ in range(5):
        pid = machine.pid("hub")
        machine.kill(pid)
        machine.await_new_pid("hub", pid)
    assert machine.row("hub")["state"] != "held"
    hub = machine.await_state("hub", "running")["pid"]
    with closing(sqlite3.connect(machine.home / "hub.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = machine.beside("ping", "p", "fail")
        machine.holdfast("restart", "calm")
        assert machine.row("calm")["state"] == "running"
        other.execute("ROLLBACK")
    machine.finished(started)
    sink.await_(lambda: sink.told() == [("open", "critical", ("p",))])
    assert machine.pid("hub") == hub
    assert calm not in (None, machine.pid("calm"))
    assert [row["reason"] for row in machine.history("calm")] == ["manual"]
    assert not events(machine, "service.held")
