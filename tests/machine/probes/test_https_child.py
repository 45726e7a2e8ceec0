import socket
import ssl
import subprocess
import sys

import pytest

from holdfast.machine.probes import https_child
from holdfast.machine.probes.https import CHILD


def test_a_loopback_host_needs_no_certificate_and_any_other_does() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "localhost", "::1"):
        assert https_child._context(host).verify_mode is ssl.CERT_NONE
    for host in ("example.com", "10.0.0.1", "localhost.example.com"):
        trusting = https_child._context(host)
        assert trusting.verify_mode is ssl.CERT_REQUIRED
        assert trusting.check_hostname


def test_it_runs_as_a_file_with_nothing_but_the_standard_library() -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD), f"https://127.0.0.1:{port}/", "30"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert done.stderr == ""


def test_it_ends_by_itself_when_nobody_is_left_to_end_it() -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no timer that ends a process")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD), url, "0.05"], capture_output=True, check=False
        )
    assert done.returncode != 0
