"""What restic says becomes progress, unread paths and the right error, in every version."""

from holdfast.machine.backup.engine import (
    BackupFailed,
    Phase,
    RepositoryMissing,
    RepositoryUnusable,
)
from holdfast.machine.backup.restic_words import Messages, failure_of, is_locked, status
from holdfast.machine.backup.tool import Ended


def test_each_failure_has_its_error() -> None:
    nowhere = "Fatal: unable to open config file: stat /r/config: no such file or directory"
    cases: list[tuple[int, str, type[BackupFailed], str]] = [
        (10, "Fatal: repository does not exist", RepositoryMissing, ""),
        (1, nowhere, RepositoryMissing, ""),
        (
            1,
            "Fatal: unable to open config file: dial tcp: refused",
            RepositoryUnusable,
            "unreachable",
        ),
        (12, "Fatal: wrong password or no key found", RepositoryUnusable, "password"),
        (1, "Fatal: wrong password or no key found", RepositoryUnusable, "password"),
        (1, "Resolving password failed: Fatal: /x does not exist", RepositoryUnusable, "password"),
        (11, "Fatal: locked", RepositoryUnusable, "locked"),
        (1, "unable to create lock: repository is already locked", RepositoryUnusable, "locked"),
        (1, "Save: write /r: no space left on device", RepositoryUnusable, "full"),
        (1, "Fatal: repository contains errors", RepositoryUnusable, "damaged"),
        (1, "", BackupFailed, ""),
        (-9, "killed", BackupFailed, ""),
    ]
    for code, text, kind, cause in cases:
        error = failure_of(Ended(code, text), "/r")
        assert type(error) is kind, text
        assert getattr(error, "cause", "") == cause, text
    assert is_locked(Ended(11, ""))
    assert not is_locked(Ended(0, "already locked"))


def test_messages_tell_how_far_it_is_and_what_could_not_be_read() -> None:
    messages = Messages()
    assert messages.take("no JSON") == {}
    assert messages.take("{broken") == {}
    step = status(
        messages.take(
            '{"message_type":"status","percent_done":0.5,"files_done":1,"bytes_done":7}'
        ),
        Phase.SAVE,
    )
    assert step is not None
    assert (step.percent, step.files, step.bytes) == (50.0, 1, 7)
    assert (
        status(messages.take('{"message_type":"summary","snapshot_id":"x"}'), Phase.SAVE) is None
    )
    assert messages.summary["snapshot_id"] == "x"
    errors = '{"message_type":"error","item":"/a"}\nignoring error for /b: denied\n'
    assert messages.unread(errors) == ("/a", "/b")
