"""A history is made anew from its summaries, in their order, and never over one that can be read."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import Conflict, Corrupt, StateIOError
from holdfast.statefile.documents import read_json, write_json
from holdfast.statefile.recovery.rebuild import Entry, natural_order, rebuild
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.temp import checksum, temp_name

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

NAME = "agent-history.json"
AT = "2026-01-01T00:00:00.125Z"

Tell = Callable[..., None]


class FixedClock:
    def wall(self) -> float:
        return 1_767_225_600.125

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def summary(tmp_path: Path) -> Tell:
    (tmp_path / "summaries").mkdir()

    def summary(plan: str, text: str = "# Done\n") -> None:
        (tmp_path / "summaries" / f"{plan}-SUMMARY.md").write_text(text, encoding="utf-8")

    return summary


def with_status(status: str) -> str:
    return f"---\nplan: x\nstatus: {status}\n---\n# Summary\n"


def plans(folder: Path) -> list[str]:
    document: Any = read_json(folder / NAME)
    return [entry["plan"] for entry in document["entries"]]


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_the_history_has_the_form_of_the_one_it_replaces_and_says_that_it_was_rebuilt(
    tmp_path: Path, summary: Tell
) -> None:
    summary("18-02", with_status("failed"))
    summary("18-01")

    rebuilt = rebuild(tmp_path, clock=FixedClock())

    assert read_json(tmp_path / NAME) == {
        "version": "1.0",
        "max_entries": 50,
        "entries": [
            {"plan": "18-01", "status": "completed"},
            {"plan": "18-02", "status": "failed"},
        ],
        "reconstructed": True,
        "reconstructed_at": AT,
        "sources": ["summaries/18-01-SUMMARY.md", "summaries/18-02-SUMMARY.md"],
    }
    assert rebuilt.path == str(tmp_path / NAME)
    assert rebuilt.entries == (Entry("18-01", "completed"), Entry("18-02", "failed"))
    assert rebuilt.latest == "18-02"
    assert (rebuilt.pruned, rebuilt.ignored, rebuilt.evidence) == ((), (), None)
    assert json.loads(json.dumps(rebuilt.plain()))["entries"][0]["plan"] == "18-01"


def test_plans_stand_in_natural_order_under_their_whole_names(
    tmp_path: Path, summary: Tell
) -> None:
    ordered = ["2-01", "2-1b", "18-01", "18-02", "18-10", "18.1-01", "19", "100-1", "fix", "fix-2"]
    for plan in sorted(ordered):
        summary(plan)

    rebuild(tmp_path)

    assert plans(tmp_path) == ordered


@given(st.lists(st.tuples(st.integers(0, 10**30), st.integers(0, 999)), unique=True))
def test_numbers_in_names_are_ordered_as_numbers(numbers: list[tuple[int, int]]) -> None:
    names = [f"{major}-{minor:02}" for major, minor in numbers]

    assert sorted(names, key=natural_order) == [
        f"{major}-{minor:02}" for major, minor in sorted(numbers)
    ]


@given(st.lists(st.text(), unique=True))
def test_any_names_have_one_order(names: list[str]) -> None:
    other_way = names[::-1]

    assert sorted(other_way, key=natural_order) == sorted(names, key=natural_order)


@pytest.mark.parametrize(
    "plan",
    [
        'a "quoted" plan',
        "it's",
        "two\nlines",
        "tab\tand \\ backslash",
        "größer-01",
        "計画-3",
        "*",
        "$(touch owned)",
        "-n",
        "18-01-SUMMARY.md",
        "a b",
    ],
)
def test_any_name_of_a_plan_stays_whole(tmp_path: Path, summary: Tell, plan: str) -> None:
    summary(plan)

    assert rebuild(tmp_path).latest == plan
    assert plans(tmp_path) == [plan]


def test_a_name_that_is_not_utf8_is_escaped_not_lost(tmp_path: Path, summary: Tell) -> None:
    folder = os.fsencode(tmp_path / "summaries")
    try:
        os.close(os.open(folder + b"/caf\xe9-SUMMARY.md", os.O_WRONLY | os.O_CREAT))
    except OSError:
        pytest.skip("this file system knows no such names")

    rebuild(tmp_path)

    assert plans(tmp_path) == ["caf\\xe9"]


def test_an_empty_or_damaged_summary_still_says_that_its_plan_ended(
    tmp_path: Path, summary: Tell
) -> None:
    summary("1")
    (tmp_path / "summaries" / "2-SUMMARY.md").write_bytes(b"")
    (tmp_path / "summaries" / "3-SUMMARY.md").write_bytes(b"\0" * 4096)
    (tmp_path / "summaries" / "4-SUMMARY.md").write_bytes(
        b"---\nname: \xff\nstatus: failed\n---\n"
    )
    (tmp_path / "summaries" / "5-SUMMARY.md").write_bytes(
        b"\xef\xbb\xbf---\r\nstatus: failed\r\n---\r\n"
    )

    rebuilt = rebuild(tmp_path)

    assert [entry.status for entry in rebuilt.entries] == [
        *["completed"] * 3,
        *["failed"] * 2,
    ]


def test_only_the_start_of_a_huge_summary_is_read(tmp_path: Path, summary: Tell) -> None:
    class CountingOps(Ops):
        total = 0

        def read(self, fd: int, size: int) -> bytes:
            chunk = super().read(fd, size)
            self.total += len(chunk)
            return chunk

    summary("1", with_status("failed") + "x" * 3_000_000)
    ops = CountingOps()

    rebuilt = rebuild(tmp_path, dry_run=True, ops=ops)

    assert rebuilt.entries == (Entry("1", "failed"),)
    assert ops.total <= 1 << 16


def test_a_status_that_cannot_be_read_changes_nothing_and_names_the_summary(
    tmp_path: Path, summary: Tell
) -> None:
    summary("1", with_status("[a, b]"))
    before = everything(tmp_path)

    with pytest.raises(Corrupt, match=r"1-SUMMARY\.md.*\[a, b\]"):
        rebuild(tmp_path)

    assert everything(tmp_path) == before


def test_of_more_than_fifty_the_oldest_finished_are_left_out(
    tmp_path: Path, summary: Tell
) -> None:
    for number in range(1, 61):
        summary(f"{number}-01", with_status("failed" if number % 2 else "completed"))

    rebuilt = rebuild(tmp_path)

    assert plans(tmp_path) == [f"{number}-01" for number in range(11, 61)]
    assert [entry.plan for entry in rebuilt.pruned] == [f"{number}-01" for number in range(1, 11)]
    assert len(rebuilt.sources) == 60


def test_an_open_entry_is_never_left_out(tmp_path: Path, summary: Tell) -> None:
    for number in range(1, 61):
        is_open = number <= 5 or number == 8
        summary(f"{number}-01", with_status("in_progress" if is_open else "Cancelled"))

    rebuild(tmp_path)

    left_out = {6, 7, *range(9, 17)}
    assert plans(tmp_path) == [f"{one}-01" for one in range(1, 61) if one not in left_out]


def test_more_than_fifty_open_entries_all_stay(tmp_path: Path, summary: Tell) -> None:
    for number in range(60):
        summary(str(number), with_status("blocked"))
    summary("60")

    rebuilt = rebuild(tmp_path)

    assert len(rebuilt.entries) == 60
    assert rebuilt.pruned == (Entry("60", "completed"),)


def test_links_folders_pipes_and_hidden_files_are_passed_over_and_reported(
    tmp_path: Path, summary: Tell
) -> None:
    folder = tmp_path / "summaries"
    summary("1")
    (folder / "2-SUMMARY.md").symlink_to("1-SUMMARY.md")
    (folder / "3-SUMMARY.md").mkdir()
    os.mkfifo(folder / "4-SUMMARY.md")
    summary("")
    summary("._1")
    (folder / "5-SUMMARY.md.tmp.123").touch()
    (folder / "6-summary.md").touch()

    rebuilt = rebuild(tmp_path)

    assert plans(tmp_path) == ["1"]
    assert {one.name: one.why for one in rebuilt.ignored} == {
        "-SUMMARY.md": "a summary of no plan",
        "._1-SUMMARY.md": "a hidden file",
        "2-SUMMARY.md": "a symbolic link",
        "3-SUMMARY.md": "a folder",
        "4-SUMMARY.md": "no regular file",
    }


def test_a_history_that_can_be_read_is_left_alone(tmp_path: Path, summary: Tell) -> None:
    summary("1")
    write_json(tmp_path / NAME, {"entries": [{"plan": "1", "agent_id": "a"}]})
    before = everything(tmp_path)

    with pytest.raises(Conflict, match="force"):
        rebuild(tmp_path)
    with pytest.raises(Conflict):
        rebuild(tmp_path, dry_run=True)

    assert everything(tmp_path) == before


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("is_broken", [True, False])
def test_copies_of_which_none_is_surely_the_history_are_not_rebuilt_over(
    tmp_path: Path, summary: Tell, is_broken: bool, dry_run: bool
) -> None:
    summary("18-01")
    for at, content in enumerate((b'{"entries": [1]}', b'{"entries": [2]}')):
        name = temp_name(NAME, len(content), checksum(content), f"{at:016}")
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (1000.0, 1000.0))
    if is_broken:
        (tmp_path / NAME).write_bytes(b"{")
    (tmp_path / f".{NAME}.lock").write_bytes(b"         7\n")
    before = everything(tmp_path)

    with pytest.raises(Conflict, match="--use"):
        rebuild(tmp_path, dry_run=dry_run)

    assert everything(tmp_path) == before
    assert rebuild(tmp_path, force=True).latest == "18-01"


def test_a_refused_rebuild_does_not_make_the_temp_of_the_last_writer_look_old(
    tmp_path: Path, summary: Tell
) -> None:
    summary("18-01")
    content = b'{"entries": [1]}'
    temp = tmp_path / temp_name(NAME, len(content), checksum(content), "0" * 16)
    temp.write_bytes(content)
    (tmp_path / f".{NAME}.lock").write_bytes(b"         7\n")
    for path in (temp, tmp_path / f".{NAME}.lock"):
        os.utime(path, (1000.0, 1000.0))

    with pytest.raises(Conflict, match="recovered whole"):
        rebuild(tmp_path)

    assert recover(tmp_path / NAME).source == temp.name


def test_what_a_writer_leaves_while_it_is_waited_for_is_not_rebuilt_over(
    tmp_path: Path, summary: Tell
) -> None:
    class Dying(Ops):
        """As if a writer had died just before the lock was free."""

        def lock(self, fd: int) -> bool:
            (tmp_path / temp_name(NAME, 2, checksum(b"[]"), "0" * 16)).write_bytes(b"[]")
            return super().lock(fd)

    summary("18-01")
    (tmp_path / NAME).write_bytes(b"{")

    with pytest.raises(Conflict, match="has just left it whole"):
        rebuild(tmp_path, ops=Dying())

    assert (tmp_path / NAME).read_bytes() == b"{"
    assert recover(tmp_path / NAME).evidence


def test_force_twice_keeps_the_real_history_beside(tmp_path: Path, summary: Tell) -> None:
    summary("18-01")
    (tmp_path / NAME).write_text('{"entries": ["real"]}', encoding="utf-8")

    for _ in range(2):
        rebuild(tmp_path, force=True)

    assert (tmp_path / f"{NAME}.~1~").read_text() == '{"entries": ["real"]}'
    assert plans(tmp_path) == ["18-01"]


def test_a_history_that_never_was_is_rebuilt_in_a_dry_run_too(
    tmp_path: Path, summary: Tell
) -> None:
    summary("18-01")

    assert rebuild(tmp_path, dry_run=True).latest == "18-01"
    assert rebuild(tmp_path).latest == "18-01"


def test_force_replaces_it_and_keeps_the_old_one_beside(tmp_path: Path, summary: Tell) -> None:
    summary("1")
    write_json(tmp_path / NAME, {"entries": [{"plan": "0"}]}, mode=0o640)

    rebuilt = rebuild(tmp_path, force=True)

    assert plans(tmp_path) == ["1"]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o640
    assert read_json(tmp_path / f"{NAME}.~1~") == {"entries": [{"plan": "0"}]}
    assert rebuilt.evidence is None


@pytest.mark.parametrize("content", [b"", b'{"entries": [', b"\0" * 100, b"{}{}"])
@pytest.mark.parametrize("force", [False, True])
def test_a_history_that_cannot_be_read_is_set_aside_first(
    tmp_path: Path, summary: Tell, content: bytes, force: bool
) -> None:
    summary("1")
    (tmp_path / NAME).write_bytes(content)

    rebuilt = rebuild(tmp_path, force=force, clock=FixedClock())

    assert plans(tmp_path) == ["1"]
    assert rebuilt.evidence is not None
    assert Path(rebuilt.evidence).read_bytes() == content
    assert re.fullmatch(
        re.escape(NAME) + r"\.corrupt-20260101T000000\.125Z-[0-9a-f]{16}",
        Path(rebuilt.evidence).name,
    )


@pytest.mark.parametrize("content", [None, b"{cut"])
def test_a_history_that_is_whole_beside_is_to_be_recovered_instead(
    tmp_path: Path, summary: Tell, content: bytes | None
) -> None:
    summary("1")
    whole = b'{"entries": [{"plan": "1", "agent_id": "a"}]}\n'
    (tmp_path / f"{NAME}.~1~").write_bytes(whole)
    if content is not None:
        (tmp_path / NAME).write_bytes(content)

    for dry_run in (True, False):
        with pytest.raises(Conflict, match=r"recover.*~1~"):
            rebuild(tmp_path, dry_run=dry_run)
    rebuild(tmp_path, force=True)

    assert plans(tmp_path) == ["1"]
    assert (tmp_path / f"{NAME}.~1~").read_bytes() == whole


@pytest.mark.parametrize("content", [None, b"{cut"])
def test_a_dry_run_tells_the_same_and_changes_nothing(
    tmp_path: Path, summary: Tell, content: bytes | None
) -> None:
    for number in range(52):
        summary(str(number))
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    before = everything(tmp_path)

    planned = rebuild(tmp_path, dry_run=True)

    assert everything(tmp_path) == before
    done = rebuild(tmp_path)
    assert (planned.dry_run, done.dry_run) == (True, False)
    assert (planned.entries, planned.pruned) == (done.entries, done.pruned)
    assert (planned.sources, planned.latest) == (done.sources, done.latest)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("there", ["no folder", "empty", "others", "no state folder"])
def test_without_a_summary_nothing_is_written(tmp_path: Path, there: str, dry_run: bool) -> None:
    folder = tmp_path / ("gone" if there == "no state folder" else "")
    if there in ("empty", "others"):
        (tmp_path / "summaries").mkdir()
    if there == "others":
        (tmp_path / "summaries" / "README.md").touch()
        (tmp_path / "summaries" / "1-SUMMARY.md").mkdir()
    before = everything(tmp_path)

    with pytest.raises(Corrupt, match="no summaries/"):
        rebuild(folder, dry_run=dry_run)

    assert everything(tmp_path) == before


def test_a_damaged_history_stays_where_it_is_when_there_is_no_summary(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"{cut")

    with pytest.raises(Corrupt):
        rebuild(tmp_path)

    assert everything(tmp_path) == {NAME: b"{cut"}


class RefusingOps(Ops):
    """Refuses to open one name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
        if os.path.basename(name) == self._name:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return super().open(folder, name, flags, mode)


@pytest.mark.parametrize("name", ["2-SUMMARY.md", NAME])
def test_what_cannot_be_read_is_not_taken_for_damaged(
    tmp_path: Path, summary: Tell, name: str
) -> None:
    summary("1")
    summary("2")
    (tmp_path / NAME).write_bytes(b"{cut")
    before = everything(tmp_path)

    with pytest.raises(StateIOError, match=re.escape(name)) as refused:
        rebuild(tmp_path, dry_run=True, ops=RefusingOps(name))
    with pytest.raises(StateIOError):
        rebuild(tmp_path, ops=RefusingOps(name))

    assert refused.value.errno_name == "EACCES"
    after = everything(tmp_path)
    assert {path: after[path] for path in before} == before
    assert set(after) <= {*before, f".{NAME}.lock"}


def test_summaries_that_are_no_folder_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "summaries").touch()

    with pytest.raises(StateIOError, match="summaries"):
        rebuild(tmp_path)


def test_it_waits_for_a_writer_of_the_history(tmp_path: Path, summary: Tell) -> None:
    summary("1")
    writer = (
        "import sys; from holdfast.statefile import locked, write_json\n"
        "with locked(sys.argv[1]):\n"
        "  print('held', flush=True); sys.stdin.read(1); write_json(sys.argv[1], {'mine': 1})\n"
    )
    with subprocess.Popen(
        [sys.executable, "-B", "-c", writer, str(tmp_path / NAME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        class LettingGoOps(Ops):
            def pause(self, seconds: float) -> None:
                assert seconds > 0
                process.communicate(b"x")

        with pytest.raises(Conflict):
            rebuild(tmp_path, ops=LettingGoOps())

    assert read_json(tmp_path / NAME) == {"mine": 1}


class Died(BaseException):
    """The process is gone: after this it changes nothing."""


class DyingOps(Ops):
    """Dies before the call of a chosen number; `bury` then closes what the kernel would close."""

    def __init__(self, at: int = 0) -> None:
        super().__init__()
        self._at = at
        self._open: set[int] = set()
        self.made = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name == "bury" or not callable(found):
            return found
        self.made += 1
        if 0 < self._at <= self.made:
            raise Died
        return found

    def open_folder(self, path: str, within: Folder | None = None) -> Folder:
        folder = super().open_folder(path, within)
        self._open.add(folder.fd)
        return folder

    def close_folder(self, folder: Folder) -> None:
        self._open.discard(folder.fd)
        super().close_folder(folder)

    def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
        fd = super().open(folder, name, flags, mode)
        self._open.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self._open.discard(fd)
        super().close(fd)

    def bury(self) -> None:
        for fd in self._open:
            os.close(fd)


@pytest.mark.parametrize("content", [None, b"{cut", b'{"entries": []}\n'])
def test_a_death_at_any_step_leaves_the_old_or_the_new_history_and_rebuilding_again_mends_it(
    tmp_path: Path, content: bytes | None
) -> None:
    def prepared(name: str) -> Path:
        (tmp_path / name / "summaries").mkdir(parents=True)
        (tmp_path / name / "summaries" / "1-SUMMARY.md").touch()
        if content is not None:
            (tmp_path / name / NAME).write_bytes(content)
        return tmp_path / name

    def kept(folder: Path) -> list[bytes]:
        """Return the old content, under whatever name it stands now."""
        return [path.read_bytes() for path in folder.glob(f"{NAME}*") if path.is_file()]

    counting = DyingOps()
    rebuild(prepared("whole"), force=True, clock=FixedClock(), ops=counting)
    new = (tmp_path / "whole" / NAME).read_bytes()
    assert counting.made > 20

    for at in range(1, counting.made):
        folder, ops = prepared(str(at)), DyingOps(at)
        with suppress(Died):
            rebuild(folder, force=True, clock=FixedClock(), ops=ops)
        ops.bury()
        assert content is None or content in kept(folder)
        assert {*kept(folder)} <= {content, new}
        rebuild(folder, force=True, clock=FixedClock())
        assert (folder / NAME).read_bytes() == new
        assert not [name for name in os.listdir(folder) if name.endswith(".tmp")]
