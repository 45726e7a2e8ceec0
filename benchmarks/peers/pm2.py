"""PM2, the supervisor of the Node world."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import PATH, Plan, Program
from benchmarks.toolbox import Toolbox


def pm2(tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
    """Run PM2 in fork mode with its defaults."""
    script = str(tools.npm_script("pm2", "bin/pm2"))
    node = tools.on_path("node")
    apps = [
        {
            "name": each.name,
            "script": each.command[0],
            "args": list(each.command[1:]),
            "interpreter": "none",
        }
        for each in programs
    ]
    config = folder / "ecosystem.json"
    config.write_text(json.dumps({"apps": apps}))
    return Plan(
        launch=[str(node), script, "start", str(config)],
        returns=True,
        status=[str(node), script, "list"],
        status_json=[str(node), script, "jlist"],
        environment={"PM2_HOME": str(folder / "pm2"), "PATH": f"{node.parent}:{PATH}"},
    )
