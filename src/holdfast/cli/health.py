"""`holdfast health` and `holdfast check`: how well everything is; both only look."""

import argparse
from typing import Any

from holdfast.cli import reach, render, status
from holdfast.errors import NotRunning


def health(options: argparse.Namespace) -> int:
    """Print the share of wanted services that are healthy; 1 when it is not all of them."""
    found, code = status.read([])
    score = found["health"]
    if options.json:
        render.print_json(score)
    elif options.score:
        print(f"{score['score']:g}")
    else:
        _tell(score, found["services"])
    return code or (0 if score["healthy"] == score["total"] else 1)


def check(options: argparse.Namespace) -> int:
    """Take one look at every service, as the supervisor's own loop does, and report it."""
    found, code = _look()
    if options.json:
        render.print_json(found)
    elif not options.quiet:
        rows = [(one["name"], one["verdict"], one["why"]) for one in found["findings"]]
        print("\n".join(render.table(("SERVICE", "VERDICT", "WHY"), rows)))
    return code or (0 if found["healthy"] else 1)


def _look() -> tuple[dict[str, Any], int]:
    try:
        with reach.supervisor() as control:
            found: dict[str, Any] = control.call("look")
            return found, 0
    except NotRunning:
        from holdfast.machine.supervisor.look import look_from_disk

        return look_from_disk(reach.home()), NotRunning.exit_code


def _tell(score: dict[str, Any], services: list[dict[str, Any]]) -> None:
    colour = "green" if score["healthy"] == score["total"] else "red"
    print(
        render.paint(f"{score['healthy']}/{score['total']} healthy ({score['score']:g} %)", colour)
    )
    for row in services:
        if row["desired"] == "up" and row["health"] != "ok":
            print(f"  {row['name']}: {row['state']}" + (f": {row['why']}" if row["why"] else ""))
