import os
import select
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import IO

import pytest

from holdfast.clock import boot_id
from holdfast.machine.process.identity import ProcStat, stat
from holdfast.machine.process.spawn import Spawned
from holdfast.machine.process.tree import (
    Member,
    Roots,
    Roster,
    Snapshot,
    group_is_empty,
    instance_of_pid,
    members,
    signal_member,
    signal_tree,
)
from holdfast.model.service import Exit, Identity

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

Talk = Callable[..., tuple[Spawned, IO[bytes]]]
Start = Callable[..., Spawned]

# A main process with a descendant of every kind; each says what it is and where.
FAMILY = """
import os, signal
def stay(kind):
    if kind.endswith("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, f"{kind} {os.getpid()}\\n".encode())
    while True:
        signal.pause()
for kind in KINDS:
    child = os.fork()
    if child == 0:
        if not kind.startswith("group"):
            os.setsid()
        if kind.startswith("daemon"):
            if os.fork():
                os._exit(0)
        if kind.startswith("own group"):
            os.setpgid(0, 0)
        stay(kind)
    if kind.startswith("daemon"):  # it is an orphan, and its parent a zombie, before anybody looks
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
stay("main")
"""
KINDS = ("group", "group deaf", "session", "session deaf", "daemon", "daemon deaf")


def family(talk: Talk) -> tuple[Spawned, dict[str, int]]:
    spawned, said = talk(FAMILY.replace("KINDS", repr(KINDS)))
    pids = {}
    for _ in range(len(KINDS) + 1):
        kind, _, pid = said.readline().decode().rpartition(" ")
        pids[kind] = int(pid)
    return spawned, pids


def of(spawned: Spawned, tag: str) -> Roots:
    return Roots(main=spawned.identity, instance=tag)


def pids_of(tree: Iterable[Member]) -> set[int]:
    return {member.pid for member in tree}


def until_dead(tree: Iterable[Member]) -> None:
    for member in tree:
        try:
            pidfd = os.pidfd_open(member.pid)
        except OSError:
            continue
        found = stat(member.pid)
        if found is not None and found.start_ticks == member.start_ticks:
            select.select([pidfd], [], [])
        os.close(pidfd)


def test_descendants_of_every_kind_are_found_main_first(talk: Talk, tag: str) -> None:
    spawned, pids = family(talk)

    tree = members(Roster().look(), of(spawned, tag))

    assert pids_of(tree) == set(pids.values())
    assert tree[0] == Member(pid=spawned.pid, start_ticks=spawned.identity.start_ticks)


def test_they_are_found_when_the_main_process_is_dead_and_reaped(
    talk: Talk, tag: str, ended: Callable[[Spawned], Exit]
) -> None:
    spawned, pids = family(talk)
    os.kill(spawned.pid, signal.SIGKILL)
    ended(spawned)

    snapshot = Roster().look()

    left = {pid for kind, pid in pids.items() if kind != "main"}
    assert pids_of(members(snapshot, of(spawned, tag))) == left
    assert pids_of(members(snapshot, Roots(main=None, instance=tag))) == left


def test_a_zombie_is_no_member(talk: Talk, tag: str) -> None:
    spawned, _ = family(talk)
    assert spawned.pidfd is not None
    os.kill(spawned.pid, signal.SIGKILL)
    select.select([spawned.pidfd], [], [])

    assert spawned.pid not in pids_of(members(Roster().look(), of(spawned, tag)))


def test_term_then_kill_leaves_nobody(talk: Talk, tag: str) -> None:
    spawned, pids = family(talk)
    roster, roots = Roster(), of(spawned, tag)
    tree = members(roster.look(), roots)

    assert signal_tree(tree, signal.SIGTERM) == len(pids)
    deaf = {pid for kind, pid in pids.items() if kind.endswith("deaf")}
    until_dead(member for member in tree if member.pid not in deaf)
    assert pids_of(members(roster.look(), roots)) == deaf

    while tree := members(roster.look(), roots):
        signal_tree(tree, signal.SIGKILL)
        until_dead(tree)


def test_other_services_and_the_caller_are_no_members(
    talk: Talk, start: Start, tag: str, environment: dict[str, str]
) -> None:
    spawned, _ = family(talk)
    another = start("/bin/sleep", "60", env={**environment, "HOLDFAST_INSTANCE": tag + "-other"})
    ourselves = stat(os.getpid())
    assert ourselves is not None

    snapshot = Roster().look()
    caller = Identity(pid=os.getpid(), start_ticks=ourselves.start_ticks, boot_id=boot_id())

    assert another.pid not in pids_of(members(snapshot, of(spawned, tag)))
    assert os.getpid() not in pids_of(members(snapshot, Roots(main=caller, instance=tag)))


def test_who_is_spared_is_no_member(talk: Talk, tag: str) -> None:
    spawned, pids = family(talk)
    spared = frozenset({pids["group"], pids["daemon"]})

    tree = members(Roster().look(), Roots(main=spawned.identity, instance=tag, spared=spared))

    assert pids_of(tree) == set(pids.values()) - spared


def test_term_reaches_a_stopped_process(talk: Talk, ended: Callable[[Spawned], Exit]) -> None:
    spawned, said = talk(FAMILY.replace("KINDS", "()"))
    said.readline()
    os.kill(spawned.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, spawned.pid, os.WSTOPPED)

    signal_tree(
        [Member(pid=spawned.pid, start_ticks=spawned.identity.start_ticks)], signal.SIGTERM
    )

    assert ended(spawned) == Exit(signal=signal.SIGTERM)


def test_a_process_that_is_not_the_one_seen_gets_no_signal(start: Start) -> None:
    spawned = start("/bin/sleep", "60")
    seen = Member(pid=spawned.pid, start_ticks=spawned.identity.start_ticks)
    open_now = set(os.listdir("/proc/self/fd"))

    assert not signal_member(replace(seen, start_ticks=seen.start_ticks - 1), signal.SIGKILL)
    assert signal_member(seen, signal.SIGCONT)
    assert set(os.listdir("/proc/self/fd")) == open_now


def test_who_is_gone_gets_no_signal(start: Start, ended: Callable[[Spawned], Exit]) -> None:
    spawned = start("/bin/true")
    assert spawned.pidfd is not None
    seen = Member(pid=spawned.pid, start_ticks=spawned.identity.start_ticks)
    select.select([spawned.pidfd], [], [])

    assert not signal_member(seen, signal.SIGTERM)
    ended(spawned)
    assert not signal_member(seen, signal.SIGTERM)


def test_a_signal_that_is_not_permitted_did_not_reach(
    start: Start, as_nobody: Callable[[str], dict[str, object]]
) -> None:
    roots = start("/bin/sleep", "60")

    told = as_nobody(f"""
member = Member(pid={roots.pid}, start_ticks={roots.identity.start_ticks})
print(json.dumps({{"reached": signal_member(member, signal.SIGTERM)}}))
""")

    assert told == {"reached": False}


def test_a_group_is_empty_once_its_last_process_is_reaped(
    start: Start, ended: Callable[[Spawned], Exit]
) -> None:
    spawned = start("/bin/sleep", "60")
    assert not group_is_empty(spawned.pid)

    os.kill(spawned.pid, signal.SIGKILL)
    ended(spawned)

    assert group_is_empty(spawned.pid)


def test_a_group_of_another_user_is_not_empty(
    start: Start, as_nobody: Callable[[str], dict[str, object]]
) -> None:
    roots = start("/bin/sleep", "60")

    told = as_nobody(f"""
from holdfast.machine.process.tree import group_is_empty
print(json.dumps({{"empty": group_is_empty({roots.pid})}}))
""")

    assert told == {"empty": False}


def test_the_instance_is_read_from_the_environment(
    start: Start, tag: str, as_nobody: Callable[[str], dict[str, object]]
) -> None:
    bearing = start("/bin/sleep", "60")
    without = start(
        "/bin/sleep", "60", env={"XHOLDFAST_INSTANCE": "no", "A": f"HOLDFAST_INSTANCE={tag}"}
    )

    told = as_nobody(f"""
from holdfast.machine.process.tree import instance_of_pid
print(json.dumps({{"forbidden": instance_of_pid({bearing.pid})}}))
""")

    assert instance_of_pid(bearing.pid) == tag
    assert instance_of_pid(without.pid) is None
    assert told == {"forbidden": None}


def row(pid: int, ppid: int = 1, group: int = 0, ticks: int = 100, state: str = "S") -> ProcStat:
    return ProcStat(
        pid=pid,
        state=state,
        ppid=ppid,
        pgid=group or pid,
        sid=group or pid,
        threads=1,
        start_ticks=ticks,
        cpu_s=0.0,
        rss_bytes=0,
    )


MAIN = Identity(pid=500, start_ticks=100, boot_id=boot_id())


def found(*rows: ProcStat, main: Identity = MAIN, **instances: str) -> set[int]:
    snapshot = Snapshot({row.pid: row for row in rows}, lambda row: instances.get(f"p{row.pid}"))
    return pids_of(members(snapshot, Roots(main=main, instance="mine")))


def test_the_group_of_a_reused_number_is_not_ours() -> None:
    assert found(row(500, ticks=900), row(501, ppid=500, group=500, ticks=901)) == set()


def test_a_daemon_is_found_though_the_number_was_reused() -> None:
    assert found(row(500, ticks=900), row(600, ticks=300), p600="mine") == {600}


def test_a_group_left_behind_is_ours_unless_it_is_older_or_anothers() -> None:
    left = [row(501, group=500), row(502, group=500, ticks=50), row(503, group=500)]

    assert found(*left, p503="another") == {501}


def test_descendants_of_a_daemon_are_ours_too() -> None:
    assert found(row(500), row(600), row(601, ppid=600), p600="mine") == {500, 600, 601}


def test_a_process_older_than_the_service_is_not_even_asked() -> None:
    assert found(row(500), row(600, ticks=99), p600="mine") == {500}


def test_an_identity_of_another_boot_counts_for_nothing() -> None:
    before = replace(MAIN, boot_id="another")

    assert found(row(500), row(501, ppid=500), row(600, ticks=1), main=before, p600="mine") == {
        600
    }


@pytest.mark.parametrize("who", ["nobody", "init", "caller"])
def test_neither_init_nor_the_caller_is_ever_a_member(who: str) -> None:
    pid = {"nobody": 0, "init": 1, "caller": os.getpid()}[who]
    main = replace(MAIN, pid=2**22 + 1)

    rows = (row(main.pid), row(pid, ppid=main.pid, group=main.pid))

    assert found(*rows, main=main, **{f"p{pid}": "mine"}) == {main.pid}


def test_a_roster_reads_each_environment_once_and_forgets_the_dead() -> None:
    table = [row(500), row(600), row(601)]
    read: list[int] = []

    def instance_of(pid: int) -> str | None:
        read.append(pid)
        return "mine" if pid == 600 else None

    roster = Roster(lambda _since, _known: table, instance_of)
    roots = Roots(main=MAIN, instance="mine")
    for _ in range(3):
        assert pids_of(members(roster.look(), roots)) == {500, 600}
    assert sorted(read) == [500, 600, 601]

    del table[1]
    roster.look()
    table.append(row(600))
    members(roster.look(), roots)
    assert sorted(read) == [500, 600, 600, 601]


def test_a_process_that_is_being_executed_has_no_environment_yet_and_is_asked_again() -> None:
    told = iter(["", "mine"])
    roster = Roster(lambda _since, _known: [row(600)], lambda _pid: next(told))
    roots = Roots(main=None, instance="mine")

    assert pids_of(members(roster.look(), roots)) == set()
    assert pids_of(members(roster.look(), roots)) == {600}
    assert pids_of(members(roster.look(), roots)) == {600}


def test_one_snapshot_serves_services_of_any_age() -> None:
    rows = {
        row.pid: row for row in (row(500, ticks=100), row(600, ticks=200), row(700, ticks=300))
    }
    snapshot = Snapshot(rows, lambda row: f"i{row.pid}")

    assert [each.pid for each in snapshot.bearing("i700", 250)] == [700]
    assert [each.pid for each in snapshot.bearing("i500", 50)] == [500]
    assert [each.pid for each in snapshot.bearing("i700", 300)] == [700]
    assert snapshot.bearing("i600", 250)[0].pid == 600


def test_a_look_for_leftovers_reads_neither_the_older_nor_the_known(
    start: Callable[..., Spawned],
) -> None:
    older, known = start("/bin/sleep", "60"), start("/bin/sleep", "60")
    roster = Roster()
    whole = roster.look()
    assert {older.pid, known.pid} <= set(whole.rows)

    part = roster.look(older.identity.start_ticks + 1, {known.pid})

    assert older.pid not in part.rows
    assert known.pid not in part.rows
    assert {older.pid, known.pid} <= set(roster.look().rows)
