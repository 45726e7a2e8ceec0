"""Refusals of the system come out typed, with advice."""

import errno

import pytest

from holdfast.statefile.faults import io_error


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "writable"),
        (errno.EBUSY, "mount its folder"),
        (errno.EACCES, "permission"),
        (errno.EIO, "system log"),
    ],
)
def test_the_error_says_what_happened_and_what_to_do(code: int, advice: str) -> None:
    error = io_error(OSError(code, "words of the system"), "/state.json", "written")

    assert error.errno_name == errno.errorcode[code]
    assert error.path == "/state.json"
    assert str(error).startswith("/state.json could not be written: words of the system")
    assert advice in str(error)


def test_an_error_without_a_number_is_an_io_error() -> None:
    assert io_error(OSError("odd"), "/state.json", "read").errno_name == "EIO"
