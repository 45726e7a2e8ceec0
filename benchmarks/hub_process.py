"""A hub in a process of its own; how soon it is ready, and what it costs while it runs."""

import contextlib
import os
import secrets
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LINUX_ONLY, cpu_seconds, pss_mib
from benchmarks.table import draw, number
from holdfast import statefile
from holdfast.home import Home
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.hub import HubSettings
from holdfast.model.wire import to_plain

READY_WITHIN = 60.0
SETTLE_S = 3.0
HEADER = ("checks", "start s", "start again s", "PSS MiB", "CPU s per minute idle")


class Hub:
    """A hub that has said it is ready."""

    def __init__(self, home: Home, process: "subprocess.Popen[bytes]", took: float) -> None:
        self.home = home
        self.pid = process.pid
        self.took = took
        self.port = _port_of(home)

    @property
    def ping_key(self) -> str:
        """Return the key in its ping addresses."""
        return self.home.ping_key.read_text(encoding="utf-8").strip()


def settings(**own: object) -> HubSettings:
    """Return settings that listen on a free port of this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return HubSettings(
        machine="bench",
        listen=f"127.0.0.1:{port}",
        listen_chosen=True,
        **own,  # type: ignore[arg-type]  # the caller names fields of HubSettings
    )


def daily(count: int) -> tuple[CheckSpec, ...]:
    """Return so many checks that wait for a ping a day."""
    return tuple(
        CheckSpec(name=f"check-{number}", kind=CheckKind.PING, period=86_400.0, grace=3_600.0)
        for number in range(count)
    )


@contextlib.contextmanager
def running(root: Path, wanted: HubSettings) -> Iterator[Hub]:
    """Start a hub in this state folder and end it afterwards."""
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    home = Home(root)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    statefile.write_json(home.config_pointer, {"hub": to_plain(wanted)}, mode=0o600)
    address = root / f"n{secrets.token_hex(2)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        began = time.monotonic()
        process = _launched(root, address)
        try:
            _wait_until_ready(notify, process, root)
            yield Hub(home, process, time.monotonic() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _launched(root: Path, address: Path) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-P", "-m", "holdfast.assemble", "hub"]
    own = {"HOLDFAST_HOME": str(root), "NOTIFY_SOCKET": str(address)}
    with (root / "said").open("ab") as said:
        return subprocess.Popen(words, env={**os.environ, **own}, stdout=said, stderr=said)


def _wait_until_ready(
    notify: socket.socket, process: "subprocess.Popen[bytes]", root: Path
) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        readable, _, _ = select.select([notify], [], [], 0.2)
        if readable and b"READY=1" in notify.recv(65_536):
            return
    said = (root / "said").read_text(encoding="utf-8", errors="replace")[-500:]
    raise RuntimeError(f"the hub did not get ready; it said: {said}")


def _port_of(home: Home) -> int:
    said = statefile.read_json(home.hub_address)
    assert isinstance(said, dict)
    return int(str(said["url"]).rpartition(":")[2].rstrip("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a hub with so many checks costs; `first` with an empty folder, `again` with its database there."""

    checks: int
    first_s: float
    again_s: float
    pss_mib: float
    idle_cpu_s: float

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            f"{self.checks:,}",
            number(self.first_s),
            number(self.again_s),
            number(self.pss_mib),
            number(self.idle_cpu_s),
        )

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "checks": self.checks,
            "first_s": self.first_s,
            "again_s": self.again_s,
            "pss_mib": self.pss_mib,
            "idle_cpu_s_per_minute": self.idle_cpu_s,
        }


def measure(folder: Path, *, quick: bool, tell: Callable[[str], None]) -> list[Cost]:
    """Start hubs with ever more checks, again and again, and watch one of each do nothing."""
    sizes = (0, 10_000)
    starts, idle_s = (2, 6.0) if quick else (5, 60.0)
    costs = []
    for size in sizes:
        tell(f"a hub with {size} checks")
        root, wanted = folder / f"size-{size}", settings(checks=daily(size))
        with running(root, wanted) as hub:
            first = hub.took
        again = []
        for _ in range(starts):
            with running(root, wanted) as hub:
                again.append(hub.took)
        with running(root, wanted) as hub:
            time.sleep(SETTLE_S)
            memory, before = pss_mib([hub.pid]), cpu_seconds([hub.pid])
            time.sleep(idle_s)
            spent = cpu_seconds([hub.pid]) - before
        costs.append(
            Cost(
                checks=size,
                first_s=first,
                again_s=statistics.median(again),
                pss_mib=memory,
                idle_cpu_s=spent * 60 / idle_s,
            )
        )
    return costs


def table(costs: Sequence[Cost]) -> str:
    """Draw the table."""
    return draw("The process of the hub", HEADER, [each.cells() for each in costs])
