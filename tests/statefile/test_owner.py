"""Where files have no locks one owner at a time holds a file, and the death of each is found out."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from holdfast.statefile.owner import Owner, give_back, has_no_locks, living, owned, take_instead
from holdfast.statefile.place import Place, open_place
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.system.origin import Origin

if sys.platform == "win32":
    pytest.skip("the links and processes of POSIX", allow_module_level=True)

REFUSAL = OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
HERE = Origin("box", "0123", "boot-1", "pid:[1]")
CHANCE = "0123456789abcdef"
HOUR = 3600.0


class FakeOps(Ops):
    """Real files, and processes that live as long as they are listed; `before` is called ahead of each call."""

    def __init__(self, pid: int = 100, origin: Origin = HERE) -> None:
        super().__init__()
        self.own_pid = pid
        self.here = origin
        self.starts = {100: "5", 200: "6", 300: "7"}
        self.before: Callable[[str], None] = lambda _call: None

    def pid(self) -> int:
        return self.own_pid

    def origin(self) -> Origin:
        return self.here

    def start_of(self, pid: int) -> str | None:
        return self.starts.get(pid)

    def symlink(self, folder: Folder, text: str, name: str) -> None:
        self.before("symlink")
        super().symlink(folder, text, name)

    def readlink(self, folder: Folder, name: str) -> str:
        self.before("readlink")
        return super().readlink(folder, name)

    def lstat(self, folder: Folder, name: str) -> os.stat_result:
        self.before("lstat")
        return super().lstat(folder, name)

    def unlink(self, folder: Folder, name: str) -> None:
        self.before("unlink")
        super().unlink(folder, name)


class Died(BaseException):
    """A process ended here."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def place(target: Path) -> Iterator[Place]:
    with open_place(target, follow=True, ops=FakeOps()) as place:
        yield place


def seen_by(place: Place, ops: Ops) -> Place:
    return place._replace(ops=ops)


def take(place: Place) -> Owner | None:
    return take_instead(place, REFUSAL)


def record(target: Path) -> Path:
    return target.with_name(f".{target.name}.owner")


def leave(target: Path, origin: Origin = HERE, *, pid: int = 200, started: str = "6") -> None:
    """Leave the record of another process."""
    own = {"pid": pid, "started": started, "chance": CHANCE}
    record(target).symlink_to(json.dumps(origin._asdict() | own))


def age(target: Path, seconds: float) -> None:
    made_at = record(target).lstat().st_mtime - seconds
    os.utime(record(target), (made_at, made_at), follow_symlinks=False)


class TestTaking:
    def test_one_owns_it_until_he_gives_it_back(self, place: Place, target: Path) -> None:
        mine = take(place)
        assert mine is not None
        assert take(place) is None
        assert take(seen_by(place, FakeOps(200))) is None

        give_back(place, mine)

        assert os.listdir(target.parent) == []
        assert take(seen_by(place, FakeOps(200))) is not None

    def test_the_record_says_who_it_is(self, place: Place, target: Path) -> None:
        take(place)

        told = json.loads(os.readlink(record(target)))
        assert told.pop("chance")
        assert told == {
            "host": "box",
            "machine": "0123",
            "boot_id": "boot-1",
            "pid_space": "pid:[1]",
            "pid": 100,
            "started": "5",
        }

    @pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
    def test_having_no_locks_is_no_error(self, place: Place, code: int) -> None:
        refusal = OSError(code, os.strerror(code))

        assert has_no_locks(refusal)
        assert take_instead(place, refusal) is not None

    def test_any_other_refusal_is_one(self, place: Place, target: Path) -> None:
        with pytest.raises(OSError, match="Input/output error"):
            take_instead(place, OSError(errno.EIO, "Input/output error"))

        assert os.listdir(target.parent) == []

    def test_without_links_the_refusal_stands(self, place: Place) -> None:
        class NoLinks(FakeOps):
            def symlink(self, folder: Folder, text: str, name: str) -> None:
                raise PermissionError(errno.EPERM, "Operation not permitted")

        with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)) as caught:
            take(seen_by(place, NoLinks()))

        assert caught.value is REFUSAL

    def test_a_full_disk_is_said(self, place: Place) -> None:
        class Full(FakeOps):
            def symlink(self, folder: Folder, text: str, name: str) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            take(seen_by(place, Full()))

    def test_a_block_owns_it_until_its_end_however_it_ends(
        self, place: Place, target: Path
    ) -> None:
        with suppress(ZeroDivisionError), owned(place, REFUSAL) as mine:
            with owned(place, REFUSAL) as other:
                assert (mine, other) == (True, False)
            assert record(target).is_symlink()
            raise ZeroDivisionError

        assert os.listdir(target.parent) == []

    def test_a_call_that_the_network_repeats_meets_itself(self, place: Place) -> None:
        class Repeating(FakeOps):
            def symlink(self, folder: Folder, text: str, name: str) -> None:
                super().symlink(folder, text, name)
                super().symlink(folder, text, name)

        assert take(seen_by(place, Repeating())) is not None

    @pytest.mark.parametrize(
        "text",
        [
            "elsewhere",
            "[]",
            "{}",
            "[" * 3000,
            json.dumps(
                HERE._asdict() | {"pid": 200, "started": "6", "chance": "../../../../.tmp"}
            ),
            json.dumps(HERE._asdict() | {"pid": 0, "started": "6", "chance": CHANCE}),
            json.dumps(HERE._asdict() | {"pid": 2**40, "started": "6", "chance": CHANCE}),
        ],
    )
    def test_what_is_no_record_is_left_alone(self, place: Place, target: Path, text: str) -> None:
        record(target).symlink_to(text)

        with pytest.raises(FileExistsError, match="where the record of its owner belongs"):
            take(place)

        assert os.listdir(target.parent) == [record(target).name]

    def test_a_file_in_place_of_a_record_is_left_alone(self, place: Place, target: Path) -> None:
        record(target).write_text("mine")

        with pytest.raises(FileExistsError):
            take(place)

        assert record(target).read_text() == "mine"


class TestGivingBack:
    def test_a_forked_child_gives_nothing_back(self, place: Place, target: Path) -> None:
        mine = take(place)
        assert mine is not None

        give_back(seen_by(place, FakeOps(200)), mine)

        assert record(target).is_symlink()

    def test_what_is_not_ours_any_more_stays(self, place: Place, target: Path) -> None:
        mine = take(place)
        assert mine is not None
        record(target).unlink()
        leave(target)

        give_back(place, mine)

        assert record(target).is_symlink()

    def test_a_release_that_failed_keeps_nobody_out(self, place: Place, target: Path) -> None:
        class Stuck(FakeOps):
            def unlink(self, folder: Folder, name: str) -> None:
                raise OSError(errno.EIO, "Input/output error")

        mine = take(place)
        assert mine is not None
        give_back(seen_by(place, Stuck()), mine)
        assert record(target).is_symlink()

        assert take(place) is not None


class TestDeath:
    def test_a_living_owner_keeps_it_however_old(self, place: Place, target: Path) -> None:
        leave(target)
        age(target, 1000 * HOUR)

        assert take(place) is None

    @pytest.mark.parametrize(("pid", "started"), [(400, "8"), (200, "5"), (100, "4")])
    def test_an_owner_that_ended_is_buried(
        self, place: Place, target: Path, pid: int, started: str
    ) -> None:
        leave(target, pid=pid, started=started)

        assert take(place) is not None
        assert os.listdir(target.parent) == [record(target).name]

    def test_where_starts_are_not_told_a_pid_that_lives_is_believed(
        self, place: Place, target: Path
    ) -> None:
        leave(target, started="")

        assert take(place) is None

    def test_an_owner_from_before_the_reboot_is_buried(self, place: Place, target: Path) -> None:
        leave(target, HERE._replace(boot_id="boot-0", pid_space="pid:[9]"))

        assert take(place) is not None

    @pytest.mark.parametrize(
        "origin",
        [
            HERE._replace(host="far"),
            HERE._replace(machine="4567", boot_id="boot-9"),
            HERE._replace(machine="", boot_id="boot-9"),
            HERE._replace(pid_space="pid:[2]"),
        ],
    )
    def test_an_owner_that_cannot_be_seen_is_dead_after_an_hour(
        self, place: Place, target: Path, origin: Origin
    ) -> None:
        leave(target, origin, pid=400)
        assert take(place) is None
        age(target, HOUR - 60)
        assert take(place) is None
        age(target, 61)

        assert take(place) is not None
        assert os.listdir(target.parent) == [record(target).name]

    def test_two_machines_without_an_id_are_not_one(self, place: Place, target: Path) -> None:
        nameless = HERE._replace(machine="")
        leave(target, nameless._replace(boot_id="boot-0"))

        assert take(seen_by(place, FakeOps(origin=nameless))) is None

    def test_a_record_of_the_future_is_no_older_than_now(self, place: Place, target: Path) -> None:
        leave(target, HERE._replace(host="far"))
        age(target, -HOUR * 24)

        assert take(place) is None


class AtStep(FakeOps):
    """Lets something happen ahead of one call, once, and every call fail after a death."""

    def __init__(self, at: int, happen: Callable[[], None]) -> None:
        super().__init__()
        self.steps = 0
        self.at = at
        self.happen = happen
        self.dead = False
        self.before = self._count

    def _count(self, _call: str) -> None:
        self.steps += 1
        if self.dead or self.steps == self.at:
            self.dead = self.happen is die
            self.happen()


def die() -> None:
    raise Died


@contextmanager
def grave(folder: Path, origin: Origin) -> Iterator[Place]:
    """Yield a place whose owner is dead."""
    folder.mkdir()
    leave(folder / "state.json", origin, pid=400)
    age(folder / "state.json", 2 * HOUR)
    with open_place(folder / "state.json", follow=True, ops=FakeOps()) as place:
        yield place


def steps_of_taking(folder: Path, origin: Origin) -> int:
    counting = AtStep(0, die)
    with grave(folder, origin) as place:
        assert take(seen_by(place, counting)) is not None
    assert counting.steps > 5
    return counting.steps


def other_takes(place: Place) -> Owner | None:
    return take(seen_by(place, FakeOps(200)))


def others_take_in_turn(place: Place) -> Owner | None:
    first = take(seen_by(place, FakeOps(200)))
    if first is not None:
        give_back(seen_by(place, FakeOps(200)), first)
    return take(seen_by(place, FakeOps(300)))


def note(
    owners: list[Owner | None], others: Callable[[Place], Owner | None], place: Place
) -> None:
    owners.append(others(place))


class TestRaces:
    """A record of the dead, and two who find it; whatever the order, one of them at most owns the file."""

    @pytest.mark.parametrize("others", [other_takes, others_take_in_turn])
    @pytest.mark.parametrize("origin", [HERE, HERE._replace(host="far")])
    def test_a_rival_between_any_two_steps_leaves_one_owner(
        self, tmp_path: Path, others: Callable[[Place], Owner | None], origin: Origin
    ) -> None:
        winners = set()
        for at in range(1, steps_of_taking(tmp_path / "counted", origin) + 1):
            with grave(tmp_path / f"step{at}", origin) as place:
                other: list[Owner | None] = []
                ops = AtStep(at, partial(note, other, others, place))

                mine = take(seen_by(place, ops))

                owners = [owner for owner in (mine, *other) if owner is not None]
                assert len(owners) == 1, f"at step {at}"
                assert living(place) == owners[0]
                winners.add(mine is not None)
        assert winners == {True, False}

    @pytest.mark.parametrize("origin", [HERE, HERE._replace(host="far")])
    def test_death_before_any_step_keeps_nobody_out(self, tmp_path: Path, origin: Origin) -> None:
        for at in range(1, steps_of_taking(tmp_path / "counted", origin) + 1):
            with grave(tmp_path / f"step{at}", origin) as place:
                with suppress(Died):
                    take(seen_by(place, AtStep(at, die)))
                successor = FakeOps(300)
                del successor.starts[100]

                assert take(seen_by(place, successor)) is not None, f"after a death at step {at}"


class TestLiving:
    def test_nobody_owns_what_has_no_record(self, place: Place) -> None:
        assert living(place) is None

    def test_looking_changes_nothing(self, place: Place, target: Path) -> None:
        leave(target, HERE._replace(host="far"))
        age(target, 2 * HOUR)
        before = target.parent.stat().st_mtime_ns

        assert living(place) is None

        assert target.parent.stat().st_mtime_ns == before
        assert os.listdir(target.parent) == [record(target).name]

    def test_the_living_are_named_and_the_dead_are_not(self, place: Place, target: Path) -> None:
        leave(target)
        found = living(place)
        assert found is not None
        assert found.pid == 200

        del (ops := FakeOps()).starts[200]
        assert living(seen_by(place, ops)) is None


_OWNER = """
import errno, os, sys
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.owner import take_instead
from holdfast.statefile.place import open_place
with open_place(sys.argv[1], follow=True, ops=Ops()) as place:
    assert take_instead(place, OSError(errno.ENOLCK, "none")) is not None
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def owning(target: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that owns the file until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_a_killed_owner_is_found_out(target: Path) -> None:
    with owning(target) as other, open_place(target, follow=True, ops=Ops()) as place:
        assert take(place) is None
        found = living(place)
        assert found is not None
        assert found.pid == other.pid

        other.send_signal(signal.SIGKILL)
        other.wait()

        mine = take(place)
        assert mine is not None
        give_back(place, mine)
    assert os.listdir(target.parent) == []


def test_a_stopped_owner_lives(target: Path) -> None:
    with owning(target) as other, open_place(target, follow=True, ops=Ops()) as place:
        other.send_signal(signal.SIGSTOP)
        os.waitpid(other.pid, os.WUNTRACED)

        assert take(place) is None
