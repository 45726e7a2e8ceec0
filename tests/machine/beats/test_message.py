"""Every line of sd_notify(3) is understood, and no datagram, however broken, raises."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.machine.beats.message import LONGEST_TEXT, Message, parse


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"READY=1", Message(is_ready=True)),
        (b"READY=0", Message()),
        (b"RELOADING=1\nMONOTONIC_USEC=8080", Message(is_reloading=True)),
        (b"STOPPING=1\nSTATUS=bye", Message(is_stopping=True, text="bye")),
        (b"WATCHDOG=1", Message(is_beat=True)),
        (b"WATCHDOG=trigger", Message(is_trigger=True)),
        (b"WATCHDOG_USEC=20000000", Message(lease=20.0)),
        (b"EXTEND_TIMEOUT_USEC=1500000", Message(extend_by=1.5)),
        (b"MAINPID=4711", Message(main_pid=4711)),
        (b"BARRIER=1", Message(is_barrier=True)),
        (b"ERRNO=2", Message(error=f"{os.strerror(2)} (errno 2)")),
        (b"ERRNO=99999999", Message(error="errno 99999999")),
        (b"STATUS=first\nSTATUS=last\n", Message(text="last")),
        (b"STATUS=a=b", Message(text="a=b")),
        ("STATUS=für alle ✓".encode(), Message(text="für alle ✓")),
        (
            b"X_HOLDFAST_STATUS=error\nX_HOLDFAST_ERROR=disk full\nERRNO=28",
            Message(status="error", error="disk full"),
        ),
        (b"X_HOLDFAST_PROGRESS=12.5", Message(progress=12.5)),
        (b"X_HOLDFAST_INTERVAL=30.0\nX_HOLDFAST_LEASE=90", Message(interval=30.0, lease=90.0)),
        (b'X_HOLDFAST_EXTRA={"project": "n\\nn"}', Message(extra={"project": "n\nn"})),
    ],
)
def test_each_line_says_what_the_manual_says(payload: bytes, said: Message) -> None:
    assert parse(payload) == said


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\n\n",
        b"=",
        b"READY",
        b"FDSTORE=1\nFDNAME=x\nNOTIFYACCESS=all\nBUSERROR=org.x",
        b"MAINPID=0",
        b"MAINPID=-3",
        b"MAINPID=" + "٣".encode(),
        b"MAINPID=" + b"9" * 5000,
        b"ERRNO=0",
        b"WATCHDOG=2",
        b"WATCHDOG_USEC=0",
        b"WATCHDOG_USEC=18446744073709551615",
        b"EXTEND_TIMEOUT_USEC=1.5",
        b"X_HOLDFAST_LEASE=nan\nX_HOLDFAST_INTERVAL=inf\nX_HOLDFAST_PROGRESS=-inf",
        b"X_HOLDFAST_LEASE=-4",
        b"X_HOLDFAST_PROGRESS=half",
        b"X_HOLDFAST_EXTRA=[1]",
        b"X_HOLDFAST_EXTRA={",
        b"X_HOLDFAST_EXTRA=" + b"[" * 60_000,
    ],
)
def test_what_makes_no_sense_is_passed_over(payload: bytes) -> None:
    assert parse(payload) == Message()


def test_the_rest_of_a_broken_message_counts() -> None:
    found = parse(b"\xff\xfe junk\nMAINPID=x\nWATCHDOG=1\n\0\0")

    assert found == Message(is_beat=True)


def test_a_line_for_people_is_kept_short_and_printable() -> None:
    found = parse(b"STATUS=\x1b[31mred\x07" + b"x" * 9000)

    assert found.text is not None
    assert len(found.text) <= LONGEST_TEXT
    assert found.text.isprintable()


@given(st.binary(max_size=300))
def test_no_bytes_raise(payload: bytes) -> None:
    parse(payload)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["MAINPID", "ERRNO", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "STATUS"]
                + [f"X_HOLDFAST_{name}" for name in ("PROGRESS", "LEASE", "INTERVAL", "EXTRA")]
            ),
            st.text(max_size=40),
        )
    )
)
def test_no_value_raises_and_every_span_is_a_finite_length(lines: list[tuple[str, str]]) -> None:
    found = parse("\n".join(f"{name}={value}" for name, value in lines).encode("utf-8", "ignore"))

    for span in (found.lease, found.interval, found.extend_by):
        assert span is None or (span > 0 and math.isfinite(span))
