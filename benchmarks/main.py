"""The command line of the benchmark."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import crash, logs, scale, takeover
from benchmarks.bench import Bench
from benchmarks.command import (
    add_shared_options,
    chosen,
    leave_on_terminate,
    load,
    machine_facts,
    print_report,
)
from benchmarks.peers.catalogue import LEFT_OUT, PEERS
from benchmarks.peers.peer import ALL_ROWS, SCALE_ROWS, Peer
from benchmarks.processes import LINUX_ONLY
from benchmarks.toolbox import NotInstalledError

QUICK_CRASH = crash.CrashPlan(kills=60, seconds=20.0)
FULL_CRASH = crash.CrashPlan(kills=500, seconds=150.0)
QUICK_TAKEOVER = takeover.TakeoverPlan(rounds={10: 1})
FULL_TAKEOVER = takeover.TakeoverPlan(rounds={10: 20, 100: 10, 1000: 3})


def main(words: Sequence[str]) -> int:
    """Measure what is asked for and print the tables; return the exit code."""
    asked = _parser().parse_args(words)
    if sys.platform != "linux":
        sys.stderr.write(f"{LINUX_ONLY}\n")
        return 2
    _raise_descriptor_limit()
    leave_on_terminate()
    folder = Path(tempfile.mkdtemp(prefix="hfb-"))
    try:
        return _measure(asked, folder)
    except NotInstalledError as missing:
        sys.stderr.write(
            f"The benchmark needs a C compiler: {missing}. Install gcc and the C library's headers.\n"
        )
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="supervision.py", description="Measure Holdfast beside its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="in about 4 minutes; at most 100 children"
    )
    parser.add_argument(
        "--only", type=_names, help="peers, separated by commas: " + ", ".join(_all_names())
    )
    parser.add_argument(
        "--rows", type=_rows, default=ALL_ROWS, help="of: " + ",".join(sorted(ALL_ROWS))
    )
    parser.add_argument(
        "--kills", type=int, help="kills of each peer in the crash rows, if time allows"
    )
    add_shared_options(parser)
    return parser


def _all_names() -> list[str]:
    return [peer.name for peer in PEERS]


def _names(text: str) -> frozenset[str]:
    return chosen(text, frozenset(_all_names()))


def _rows(text: str) -> frozenset[str]:
    return chosen(text, ALL_ROWS)


def _raise_descriptor_limit() -> None:
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    import resource  # not there on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _measure(asked: argparse.Namespace, folder: Path) -> int:
    bench = Bench(folder=folder, cache=asked.cache)
    wanted = [peer for peer in PEERS if asked.only is None or peer.name in asked.only]
    missing = {} if asked.only else dict(LEFT_OUT)
    wanted = [peer for peer in wanted if peer.rows & asked.rows]
    peers = _available(bench, wanted, missing, quick=asked.quick and asked.only is None)
    machine = machine_facts()
    figures: dict[str, object] = {"machine": machine, "versions": bench.tools.versions}
    drawn: list[str] = []
    if "crash" in asked.rows:
        lanes = [peer for peer in peers if "crash" in peer.rows]
        measured, failed = crash.measure(bench, lanes, _crash_plan(asked))
        drawn.append(crash.table(measured))
        figures["crash"] = [crash.as_json(lane) for lane in measured]
        missing |= failed
    if "takeover" in asked.rows:
        takeovers = QUICK_TAKEOVER if asked.quick else FULL_TAKEOVER
        lanes = [peer for peer in peers if "takeover" in peer.rows]
        taken, failed = takeover.measure(bench, lanes, takeovers)
        drawn.append(takeover.table(taken))
        figures["takeover"] = [each.as_json() for each in taken]
        missing |= failed
    if "logs" in asked.rows:
        lanes = [peer for peer in peers if "logs" in peer.rows]
        logged, failed = logs.measure(bench, lanes, logs.loads(quick=asked.quick))
        drawn.append(logs.table(logged))
        figures["logs"] = [each.as_json() for each in logged]
        missing |= failed
    if asked.rows & SCALE_ROWS:
        plan = _scale_plan(asked)
        scaled, failed = scale.measure(
            bench, [peer for peer in peers if peer.rows >= SCALE_ROWS], plan
        )
        drawn += scale.tables(scaled, plan)
        figures["scale"] = [row.as_json() for row in scaled]
        missing |= failed
    bench.tell("done\n")
    machine["load after"] = load()
    figures["missing"] = missing
    print_report(drawn, figures, missing)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _available(
    bench: Bench, wanted: Sequence[Peer], missing: dict[str, str], *, quick: bool
) -> list[Peer]:
    peers = []
    for peer in wanted:
        if quick and not peer.in_quick:
            missing[peer.name] = "too slow for --quick"
            continue
        bench.tell(f"looking for {peer.name}")
        why = bench.why_missing(peer)
        if why is None:
            peers.append(peer)
        else:
            missing[peer.name] = why
    return peers


def _crash_plan(asked: argparse.Namespace) -> crash.CrashPlan:
    plan = QUICK_CRASH if asked.quick else FULL_CRASH
    if asked.kills is None:
        return plan
    return crash.CrashPlan(kills=asked.kills, seconds=plan.seconds)


def _scale_plan(asked: argparse.Namespace) -> scale.ScalePlan:
    if asked.quick:
        return scale.ScalePlan(
            sizes=(1, 100),
            starts=1,
            settle_s=1.0,
            idle_s=3.0,
            asks=5,
            rows=asked.rows & SCALE_ROWS,
        )
    return scale.ScalePlan(
        sizes=(1, 100, 1000),
        starts=3,
        settle_s=3.0,
        idle_s=20.0,
        asks=20,
        rows=asked.rows & SCALE_ROWS,
    )
