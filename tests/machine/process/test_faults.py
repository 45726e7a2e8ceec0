import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import StartFailed
from holdfast.machine.process.faults import candidates, explain
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

Case = Callable[[Path], Launch]


def program(folder: Path, content: str, mode: int = 0o755) -> str:
    path = folder / "program"
    path.write_bytes(content.encode())
    path.chmod(mode)
    return str(path)


def of(*argv: str, cwd: str | None = None, path: str = "/usr/bin:/bin") -> Launch:
    return Launch(argv=argv, env={"PATH": path}, cwd=cwd)


def dangling(folder: Path) -> Launch:
    (folder / "link").symlink_to("/no/target")
    return of(str(folder / "link"))


def in_a_file(folder: Path) -> Launch:
    (folder / "file").touch()
    return of("true", cwd=str(folder / "file"))


REFUSED: dict[str, tuple[Case, str]] = {
    "nothing": (lambda _: of(), "the command is empty"),
    "empty name": (lambda _: of(""), "the command is empty"),
    "not in PATH": (
        lambda _: of("no-such", path="/a:/b"),
        r"no such program in its PATH \(/a:/b\)",
    ),
    "empty PATH": (lambda d: of("true", path="", cwd=str(d)), "no such program in its PATH"),
    "absolute": (lambda _: of("/no/such"), "'/no/such' cannot be started: there is no such file$"),
    "relative": (lambda d: of("./no-such", cwd=str(d)), "there is no such file in /.*"),
    "under a file": (
        lambda d: of(program(d, "#!/bin/sh\n") + "/x"),
        r"there is no such file \(Not a directory\)",
    ),
    "a folder": (lambda d: of(str(d)), "is a folder"),
    "not executable": (
        lambda d: of(program(d, "#!/bin/sh\n", 0o644)),
        "is not executable; `chmod",
    ),
    "no interpreter": (
        lambda d: of(program(d, "#!/no/python3 -u\n")),
        r"exists, but its interpreter /no/python3 \(its first line\) does not",
    ),
    "windows line end": (
        lambda d: of(program(d, "#!/bin/sh\r\n")),
        r"its interpreter /bin/sh\\r \(its first line\) does not",
    ),
    "interpreter not executable": (
        lambda d: of(program(d, "#!/etc/passwd\n")),
        "its interpreter /etc/passwd .* is not executable",
    ),
    "no format": (lambda d: of(program(d, "echo hi\n")), "neither a program for this machine nor"),
    "dangling link": (dangling, "is a link to /no/target, which does not exist"),
    "no cwd": (lambda _: of("true", cwd="/no/folder"), "its folder /no/folder does not exist"),
    "cwd a file": (in_a_file, "is not a folder"),
    "too long": (lambda _: of("true", "x" * 3_000_000), "arguments and environment .* too long"),
    "NUL": (lambda _: of("true", "a\0b"), "embedded null byte"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_executed_is_refused_for_good_and_says_why(
    name: str, tmp_path: Path
) -> None:
    case, message = REFUSED[name]

    with pytest.raises(StartFailed, match=message) as raised:
        spawn(case(tmp_path))

    assert raised.value.permanent


def test_a_bad_variable_name_is_refused_for_good() -> None:
    with pytest.raises(StartFailed, match="illegal environment variable name") as raised:
        spawn(Launch(argv=("true",), env={"A=B": "1"}))

    assert raised.value.permanent


def test_a_program_somebody_writes_may_be_tried_again(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\n")

    with open(path, "a"), pytest.raises(StartFailed, match="somebody is writing") as raised:
        spawn(of(path))

    assert not raised.value.permanent


def test_what_the_user_may_not_do_is_named(
    as_nobody: Callable[[str], dict[str, object]], tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    tmp_path.chmod(0o700)
    told = as_nobody(f"""
said = []
closed = tempfile.mkdtemp()
os.chmod(closed, 0)
for launch in (
    Launch(argv=("/bin/true",), env={{}}, cwd=closed),
    Launch(argv=("/bin/true",), env={{}}, cwd="{tmp_path}/inner"),
    Launch(argv=("/bin/true",), env={{}}, uid=0),
    Launch(argv=("/bin/true",), env={{}}, user="root"),
):
    try:
        spawn(launch)
    except StartFailed as failed:
        said.append(f"{{failed}} {{failed.permanent}}")
os.rmdir(closed)
print(json.dumps({{"said": said, "closed": closed}}))
""")

    assert told["said"] == [
        f"'/bin/true' cannot be started: its folder {told['closed']} may not be entered by this user True",
        f"'/bin/true' cannot be started: its folder {tmp_path}/inner may not be entered by this user True",
        "'/bin/true' cannot be started: only root may run it as another user or group;"
        " leave out user, or run the supervisor as root True",
        "'/bin/true' cannot be started: only root may run it as another user or group;"
        " leave out user, or run the supervisor as root True",
    ]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_may_pass(number: int) -> None:
    failed = explain(of("true"), OSError(number, "short"))

    assert not failed.permanent
    assert "could not be started now" in str(failed)


def test_a_program_the_user_may_not_execute_names_the_user(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\n", 0o700)
    launch = Launch(argv=(path,), env={}, uid=65534)

    failed = explain(launch, PermissionError(errno.EACCES, "denied"))

    assert "may not be executed by user 65534" in str(failed)


def test_a_binary_without_its_loader_says_so(tmp_path: Path) -> None:
    path = program(tmp_path, "\x7fELF")

    failed = explain(of(path), FileNotFoundError(errno.ENOENT, "missing"))

    assert "the loader it was built for does not" in str(failed)


def test_whatever_else_the_kernel_says_is_passed_on(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\n")

    failed = explain(of(path), OSError(errno.EINVAL, "no"))

    assert failed.permanent
    assert "Invalid argument" in str(failed)


def test_a_name_is_looked_for_in_the_path_and_folder_of_the_child(tmp_path: Path) -> None:
    looked = list(candidates(of("tool", cwd="/srv", path="bin:/usr/bin")))

    assert looked == ["/srv/bin/tool", "/usr/bin/tool"]
