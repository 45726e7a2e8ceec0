import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.machine.probes.errand import Errands
from holdfast.machine.probes.https import look
from holdfast.model.finding import WELL, Finding, Found, failed

if sys.platform != "linux":
    pytest.skip("waits by pidfd", allow_module_level=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a key and a certificate that nobody vouches for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=elsewhere.example"
        f" -keyout {path} -out {path}.crt"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    with path.open("ab") as both:
        both.write(Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


async def asked(listener: socket.socket, certificate: Path, status: bytes) -> Finding:
    """Look at a server with this certificate that answers with this status."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=listener, ssl=context)
    errands = Errands(asyncio.get_running_loop())
    async with server:
        port = listener.getsockname()[1]
        found = await look(errands, f"https://127.0.0.1:{port}/health", 30.0, "/home")
    assert errands.pids == set()
    return found


def test_a_success_over_tls_is_well_and_no_certificate_is_asked_for_on_loopback(
    listener: socket.socket, certificate: Path
) -> None:
    assert asyncio.run(asked(listener, certificate, b"200 OK")) == WELL


def test_another_status_fails_and_is_named(listener: socket.socket, certificate: Path) -> None:
    found = asyncio.run(asked(listener, certificate, b"503 Busy"))
    assert found == failed("it answered with status 503")


def test_plain_text_where_tls_was_expected_fails_with_the_reason() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 TLS wanted\r\n\r\n")
        writer.close()

    async def scene() -> Finding:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            errands = Errands(asyncio.get_running_loop())
            return await look(errands, f"https://127.0.0.1:{port}/", 30.0, "/home")

    found = asyncio.run(scene())
    assert found.found is Found.FAILED
    assert "SSL" in found.why


def test_a_look_that_is_cancelled_leaves_no_process_and_no_descriptor() -> None:
    async def scene(port: int) -> None:
        before = len(os.listdir("/proc/self/fd"))
        errands = Errands(asyncio.get_running_loop())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await look(errands, f"https://127.0.0.1:{port}/", 30.0, "/home")
        while errands.pids:  # noqa: ASYNC110 - the loop reaps it in its own time
            await asyncio.sleep(0.002)
        assert len(os.listdir("/proc/self/fd")) == before

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(scene(silent.getsockname()[1]))


def test_the_supervisor_looks_without_loading_openssl() -> None:
    code = (
        "import sys; sys.modules['ssl'] = None; import holdfast.machine.probes.https;"
        " print('http.client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
