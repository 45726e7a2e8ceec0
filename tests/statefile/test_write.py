"""write_atomic replaces a file whole, and keeps what the old one had."""

import errno
import hashlib
import os
import socket
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.errors import (
    CommittedNotDurable,
    Conflict,
    InvalidContent,
    StateIOError,
)
from holdfast.statefile.durability import Durability
from holdfast.statefile.lock import locked
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def refusing(call: str, code: int) -> Ops:
    """Return a system that refuses one call."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    ops = Ops()
    setattr(ops, call, refuse)
    return ops


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_write_tells_what_it_did(target: Path) -> None:
    result = write_atomic(target, "grüße\n")

    assert target.read_bytes() == "grüße\n".encode()
    assert (result.path, result.bytes) == (str(target), 8)
    assert result.sha256 == sha256(target.read_bytes())
    assert result.requested is result.achieved is Durability.FULL
    assert (result.lost, result.swept) == ((), 0)
    assert sorted(os.listdir(target.parent)) == [".state.json.lock", "state.json"]


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize("content", [b"", b"x", b"\0\xff" * 700_000])
def test_every_level_writes_all_bytes(
    target: Path, durability: Durability, content: bytes
) -> None:
    target.write_bytes(b"old")

    result = write_atomic(target, content, durability=durability)

    assert target.read_bytes() == content
    assert result.achieved is durability


def test_only_the_levels_that_promise_it_pay_for_a_sync(target: Path) -> None:
    synced = []

    class Counting(Ops):
        def sync_file(self, fd: int) -> bool:
            synced.append("file")
            return super().sync_file(fd)

        def sync_folder(self, folder: Folder) -> bool:
            synced.append("folder")
            return super().sync_folder(folder)

    for durability in Durability:
        synced.append(durability.value)
        write_atomic(target, "x", durability=durability, ops=Counting())

    assert synced == ["atomic", "file", "file", "full", "file", "folder"]


def test_text_that_is_not_unicode_is_refused_before_anything_is_touched(target: Path) -> None:
    with pytest.raises(InvalidContent, match="position 1"):
        write_atomic(target, "a\udc80")

    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_a_file_system_without_folder_sync_lowers_the_level_and_says_so(
    target: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(code, os.strerror(code))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)

    result = write_atomic(target, "new")

    assert (result.requested, result.achieved) == (Durability.FULL, Durability.FILE)
    assert target.read_text() == "new"


def test_a_failed_folder_sync_is_committed_not_durable(target: Path) -> None:
    with pytest.raises(CommittedNotDurable, match="new content") as caught:
        write_atomic(target, "new", ops=refusing("sync_folder", errno.EIO))

    assert caught.value.path == str(target)
    assert target.read_text() == "new"
    assert leftovers(target.parent) == []


def test_a_full_disk_that_shows_only_at_a_close_keeps_the_old(target: Path) -> None:
    target.write_text("old")

    with pytest.raises(StateIOError) as caught:
        write_atomic(
            target, "new", durability=Durability.ATOMIC, ops=refusing("close_copy", errno.EDQUOT)
        )

    assert caught.value.errno_name == "EDQUOT"
    assert target.read_text() == "old"


class ShortWrites(Ops):
    """A disk that takes three bytes at a time."""

    def write(self, fd: int, content: bytes | memoryview) -> int:
        return super().write(fd, bytes(content[:3]))


def test_short_writes_are_carried_on_to_the_end(target: Path) -> None:
    write_atomic(target, b"0123456789" * 50, ops=ShortWrites())

    assert target.read_bytes() == b"0123456789" * 50


def test_a_disk_that_takes_nothing_is_an_error_not_an_endless_loop(target: Path) -> None:
    def take_nothing(*_: object) -> int:
        return 0

    stuck = Ops()
    setattr(stuck, "write", take_nothing)  # noqa: B010 - a method is replaced on purpose
    target.write_bytes(b"old")

    with pytest.raises(StateIOError) as caught:
        write_atomic(target, b"new", ops=stuck)

    assert caught.value.errno_name == "EIO"
    assert target.read_bytes() == b"old"


_LIMITED_WRITER = """
import resource, sys
from holdfast.errors import StateIOError
from holdfast.statefile import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_atomic(sys.argv[1], b"n" * 300)
except StateIOError as error:
    print(error.errno_name)
"""


def test_a_real_short_write_at_the_file_size_limit_keeps_the_old(target: Path) -> None:
    target.write_bytes(b"old")

    run = subprocess.run(
        [sys.executable, "-c", _LIMITED_WRITER, str(target)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == "EFBIG\n"
    assert target.read_bytes() == b"old"
    assert leftovers(target.parent) == []


def test_expect_lets_only_the_one_who_knows_the_content_write(target: Path) -> None:
    write_atomic(target, "1", expect="absent")

    write_atomic(target, "2", expect=sha256(b"1"))
    with pytest.raises(Conflict, match=sha256(b"2")):
        write_atomic(target, "3", expect=sha256(b"1"))
    with pytest.raises(Conflict, match="absent"):
        write_atomic(target, "3", expect="absent")
    target.unlink()
    with pytest.raises(Conflict, match="is absent"):
        write_atomic(target, "3", expect=sha256(b"2"))

    assert not target.exists()


def test_create_only_never_replaces(target: Path) -> None:
    write_atomic(target, "first", create_only=True)

    with pytest.raises(Conflict):
        write_atomic(target, "second", create_only=True)

    assert target.read_text() == "first"
    assert target.stat().st_nlink == 1


def test_create_only_loses_to_a_stranger_who_takes_no_lock(target: Path) -> None:
    class Late(Ops):
        def link(self, folder: Folder, source: str, target_name: str) -> None:
            target.write_text("the stranger's")
            super().link(folder, source, target_name)

    with pytest.raises(Conflict):
        write_atomic(target, "mine", create_only=True, ops=Late())

    assert target.read_text() == "the stranger's"
    assert leftovers(target.parent) == []


def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(target: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(target, "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640

    target.chmod(0o4751)
    write_atomic(target, "newer")
    assert stat.S_IMODE(target.stat().st_mode) == 0o4751


def test_an_explicit_mode_is_set_exactly(target: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomic(target, "new", mode=0o664)
        assert stat.S_IMODE(target.stat().st_mode) == 0o664
        write_atomic(target, "newer", mode=0o600)
    finally:
        os.umask(before)

    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_nobody_else_can_read_a_replacement_before_it_has_its_final_mode(target: Path) -> None:
    modes = []

    class Looking(Ops):
        def write(self, fd: int, content: bytes | memoryview) -> int:
            modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
            return super().write(fd, content)

    target.write_bytes(b"old")
    target.chmod(0o644)
    write_atomic(target, "new", ops=Looking())

    assert set(modes) == {0o600}


def test_a_hard_link_is_reported_lost_and_keeps_the_old(target: Path) -> None:
    target.write_text("old")
    other = target.with_name("other")
    os.link(target, other)

    result = write_atomic(target, "new")

    assert result.lost == ("links",)
    assert other.read_text() == "old"


def test_a_link_stays_and_its_target_is_replaced_in_its_own_folder(tmp_path: Path) -> None:
    real = tmp_path / "real" / "state.json"
    real.parent.mkdir()
    real.write_text("old")
    (tmp_path / "chain").symlink_to("link")
    (tmp_path / "link").symlink_to("real/state.json")

    write_atomic(tmp_path / "chain", "new")

    assert real.read_text() == "new"
    assert (tmp_path / "chain").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert (real.parent / ".state.json.lock").exists()


def test_a_dangling_link_creates_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real.json")

    write_atomic(tmp_path / "link", "new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(StateIOError) as caught:
        write_atomic(tmp_path / "a", "new")

    assert caught.value.errno_name == "ELOOP"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_without_follow_the_link_itself_is_replaced(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(real)

    write_atomic(link, "new", follow=False)

    assert not link.is_symlink()
    assert (link.read_text(), real.read_text()) == ("new", "old")


def test_a_folder_a_pipe_and_a_socket_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
    for name, errno_name in [("pipe", "EINVAL"), ("folder", "EISDIR"), ("socket", "EINVAL")]:
        with pytest.raises(StateIOError) as caught:
            write_atomic(tmp_path / name, "new")
        assert caught.value.errno_name == errno_name

    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe", "socket"]


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StateIOError, match="create its folder first") as caught:
        write_atomic(tmp_path / "nowhere" / "state.json", "new")

    assert caught.value.errno_name == "ENOENT"


def test_a_file_mounted_by_itself_is_a_typed_error(target: Path) -> None:
    target.write_text("old")

    with pytest.raises(StateIOError, match="mount its folder") as caught:
        write_atomic(target, "new", ops=refusing("replace", errno.EBUSY))

    assert caught.value.errno_name == "EBUSY"
    assert target.read_text() == "old"
    assert leftovers(target.parent) == []


def test_the_longest_names_work(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127, "v" * 180, "v" * 181):
        write_atomic(tmp_path / name, "old")
        write_atomic(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"

    with pytest.raises(StateIOError) as caught:
        write_atomic(tmp_path / ("n" * 256), "new")
    assert caught.value.errno_name == "ENAMETOOLONG"


def test_a_write_stays_in_the_folder_it_opened(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    class Moving(Ops):
        def replace(self, where: Folder, source: str, target: str) -> None:
            folder.rename(tmp_path / "moved")
            folder.mkdir()
            super().replace(where, source, target)

    write_atomic(folder / "state.json", "new", ops=Moving())

    assert (tmp_path / "moved" / "state.json").read_text() == "new"
    assert os.listdir(folder) == []


def test_a_relative_path_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    write_atomic("state.json", "new")

    assert (tmp_path / "state.json").read_text() == "new"


def test_globs_do_not_see_lock_or_temp(target: Path) -> None:
    seen = []

    class Looking(Ops):
        def replace(self, folder: Folder, source: str, target_name: str) -> None:
            seen.append(([one.name for one in target.parent.glob("[!.]*")], source))
            super().replace(folder, source, target_name)

    write_atomic(target, "12345", ops=Looking())

    (visible, temp) = seen[0]
    assert visible == []
    assert temp.startswith(f".state.json.5.{zlib.crc32(b'12345'):08x}.")
    assert temp.endswith(".tmp")


@pytest.fixture
def as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give up the rights of root for the test, inside the test's folder."""
    monkeypatch.chdir(tmp_path)
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_a_read_only_folder_is_a_typed_error(as_nobody: None) -> None:
    with suppress(PermissionError):  # of root, as which nobody can change it
        os.chmod(".", 0o555)

    with pytest.raises(StateIOError) as caught:
        write_atomic("state.json", "new")

    assert caught.value.errno_name == "EACCES"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_keeps_the_owner_of_a_file(target: Path) -> None:
    target.write_text("old")
    os.chown(target, 1234, 4321)
    target.chmod(0o6751)

    result = write_atomic(target, "new")

    kept = target.stat()
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (1234, 4321, 0o6751)
    assert result.lost == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file of somebody else")
def test_who_cannot_keep_the_owner_grants_nothing_to_strangers(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_text("old")
    os.chown(target, 1234, 4321)
    target.chmod(0o6775)

    result = write_atomic(target, "new", ops=refusing("chown", errno.EPERM))

    assert result.lost == ("owner", "group", "mode")
    assert stat.S_IMODE(target.stat().st_mode) == 0o705


if sys.platform == "linux":  # elsewhere attributes are reported as lost

    class TestAttributes:
        def set_or_skip(self, path: Path, name: str, value: bytes) -> None:
            try:
                os.setxattr(path, name, value)
            except OSError as error:
                pytest.skip(f"{name} cannot be set here: {error.strerror}")

        def test_attributes_of_the_user_are_kept(self, target: Path) -> None:
            target.write_text("old")
            self.set_or_skip(target, "user.origin", b"\0elsewhere")

            result = write_atomic(target, "new")

            assert os.getxattr(target, "user.origin") == b"\0elsewhere"
            assert result.lost == ()

        def test_an_access_list_is_kept(self, target: Path) -> None:
            target.write_text("old")
            target.chmod(0o640)
            # Version 2; owner rw, user 1234 r, group r, mask r, others none.
            entries = [(1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
            value = (2).to_bytes(4, "little") + b"".join(
                tag.to_bytes(2, "little")
                + rights.to_bytes(2, "little")
                + who.to_bytes(4, "little", signed=True)
                for tag, rights, who in entries
            )
            self.set_or_skip(target, "system.posix_acl_access", value)

            result = write_atomic(target, "new")

            assert os.getxattr(target, "system.posix_acl_access") == value
            assert result.lost == ()

        def test_an_attribute_that_cannot_be_set_is_reported(self, target: Path) -> None:
            target.write_text("old")
            self.set_or_skip(target, "user.origin", b"elsewhere")

            result = write_atomic(target, "new", ops=refusing("set_attribute", errno.ENOTSUP))

            assert result.lost == ("attribute user.origin",)

        def test_a_full_disk_while_attributes_are_set_keeps_the_old_file(
            self, target: Path
        ) -> None:
            target.write_text("old")
            self.set_or_skip(target, "user.origin", b"elsewhere")

            with pytest.raises(StateIOError) as caught:
                write_atomic(target, "new", ops=refusing("set_attribute", errno.ENOSPC))

            assert caught.value.errno_name == "ENOSPC"
            assert target.read_text() == "old"

        def test_a_file_system_without_attributes_is_fine(
            self, target: Path, monkeypatch: pytest.MonkeyPatch
        ) -> None:
            def refuse(_: int) -> list[str]:
                raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

            monkeypatch.setattr(os, "listxattr", refuse)
            target.write_text("old")

            assert write_atomic(target, "new").lost == ()


def test_an_old_file_that_cannot_be_read_is_still_replaced(target: Path) -> None:
    class Unreadable(Ops):
        def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
            if name == "state.json":
                raise PermissionError(errno.EACCES, "Permission denied")
            return super().open(folder, name, flags, mode)

    target.write_text("old")
    target.chmod(0o620)

    result = write_atomic(target, "new", ops=Unreadable())

    assert stat.S_IMODE(target.stat().st_mode) == 0o620
    assert result.lost == ("attributes",)
    with pytest.raises(StateIOError):
        write_atomic(target, "newer", expect=sha256(b"new"), ops=Unreadable())


def test_a_write_enters_the_lock_its_thread_already_holds(target: Path) -> None:
    with locked(target):
        write_atomic(target, "1")
        write_atomic(target, "2")

    assert target.read_text() == "2"


def test_an_access_list_of_the_folder_lets_nobody_in_whom_the_old_file_kept_out(
    tmp_path: Path,
) -> None:
    if sys.platform != "linux":
        pytest.skip("access lists as attributes are Linux'")
    target = tmp_path / "state.json"
    target.write_bytes(b"old")
    target.chmod(0o640)
    nobody = (0x01, 7, -1), (0x02, 7, 65534), (0x04, 5, -1), (0x10, 7, -1), (0x20, 0, -1)
    entries = b"".join(struct.pack("<HHi", tag, may, who) for tag, may, who in nobody)
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", struct.pack("<I", 2) + entries)
    except OSError:
        pytest.skip("this file system keeps no access lists")

    for _ in range(2):
        assert write_atomic(target, "new").lost == ()
        assert os.listxattr(target) == []
        assert target.stat().st_mode & 0o777 == 0o640


def test_the_lock_of_a_file_belongs_to_whom_the_file_belongs(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root writes files of others")
    target = tmp_path / "state.json"
    target.write_bytes(b"old")
    os.chown(target, 1234, 1234)

    write_atomic(target, "new")

    assert (tmp_path / ".state.json.lock").stat().st_uid == 1234
