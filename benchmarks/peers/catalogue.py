"""Every peer, in the order of the tables, and what this benchmark leaves out."""

from benchmarks.peers.holdfast import AT_ONCE, SUPERVISOR, WATCHDOG, Holdfast
from benchmarks.peers.loops import asyncio_loop, c_loop, python_loop
from benchmarks.peers.monit import Monit
from benchmarks.peers.peer import USUAL_ROWS, Peer
from benchmarks.peers.pm2 import pm2
from benchmarks.peers.process_trees import S6, runit
from benchmarks.peers.python_peers import Circus, supervisord

CRASH = frozenset({"crash"})
TAKEOVER = frozenset({"takeover"})
LOGS = frozenset({"logs"})

PEERS = (
    Peer(name="c-loop", label="C loop, pidfd + posix_spawn (the limit)", prepare=c_loop),
    Peer(name="python-loop", label="Python, minimal loop", prepare=python_loop),
    Peer(name="asyncio-loop", label="Python, asyncio + pidfd", prepare=asyncio_loop),
    Peer(name="runit", label="runit", prepare=runit, rows=USUAL_ROWS | TAKEOVER),
    Peer(
        name="s6-ready",
        label="s6, service declares readiness",
        prepare=S6(readiness=True),
        rows=CRASH,
        readiness=True,
    ),
    Peer(name="s6", label="s6", prepare=S6(readiness=False), rows=USUAL_ROWS | TAKEOVER),
    Peer(name="pm2", label="PM2", prepare=pm2, rows=USUAL_ROWS | TAKEOVER, relaunched=True),
    Peer(
        name="circus-fast",
        label="circus, check_delay 0.1 s",
        prepare=Circus(check_delay=0.1),
        rows=CRASH | TAKEOVER,
        relaunched=True,
    ),
    Peer(
        name="circus",
        label="circus",
        prepare=Circus(check_delay=5.0),
        rows=USUAL_ROWS | LOGS,
    ),
    Peer(
        name="supervisord",
        label="supervisord",
        prepare=supervisord,
        rows=USUAL_ROWS | TAKEOVER | LOGS,
        relaunched=True,
    ),
    Peer(
        name="monit-fast",
        label="monit, cycle 1 s",
        prepare=Monit(cycle_s=1),
        rows=CRASH,
        detaches=True,
    ),
    Peer(
        name="monit",
        label="monit, cycle 30 s",
        prepare=Monit(cycle_s=30),
        rows=CRASH,
        detaches=True,
        in_quick=False,
    ),
    Peer(
        name="holdfast-fast",
        label="Holdfast, delay 0 s",
        prepare=Holdfast(defaults=AT_ONCE),
        rows=CRASH | TAKEOVER,
    ),
    Peer(
        name="holdfast-both",
        label="Holdfast, delay 0 s, watchdog killed with it",
        prepare=Holdfast(defaults=AT_ONCE, killed=(WATCHDOG, SUPERVISOR)),
        rows=TAKEOVER,
        relaunched=True,
    ),
    Peer(
        name="holdfast",
        label="Holdfast",
        prepare=Holdfast(),
        rows=USUAL_ROWS | LOGS,
        kills_of_one=1,
        note="with its defaults a second restart comes 60 s after the first, so each child is killed once",
    ),
)

LEFT_OUT = {
    "systemd": "its user instance is not measured here; it needs a machine that systemd booted",
}
