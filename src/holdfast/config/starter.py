"""The commented configuration that `holdfast init` writes."""

import os
from pathlib import Path

from holdfast.errors import Refused

STARTER = '''\
# Holdfast keeps the programs named here alive: `holdfast up`, then `holdfast status`.
# Lines that begin with "#" and no space are settings with their defaults or an example: take the # away to use one.
# Durations: "500ms" "90s" "5m" "24h" "3d". Sizes: "10MB". "${VAR}" is taken from the environment.
# Every key: `holdfast config schema`. Is it right? `holdfast config check`.

# More files that are read as parts of this one.
#include = ["conf.d/*.toml"]

# A long-running program that is started by `up` and restarted when it dies.
[service.hello]
command = ["python3", "-u", "-c", """
import time
while True:
    print("hello", flush=True)
    time.sleep(10)
"""]
#cwd = "."
#env = { GREETING = "hello" }
#needs = []
#group = "examples"

# Whether, when and how often it is started again.
#[service.hello.restart]
#when = "always"
#delay = "100ms"
#max_delay = "60s"
#min_gap = "60s"
#limit = "3/1h"

# How it is asked to end; after the timeout its whole tree is killed.
#[service.hello.stop]
#signal = "TERM"
#timeout = "10s"

# How what it prints is kept.
#[service.hello.log]
#max_size = "10MB"
#keep = 5
#format = "text"

# What tells that it is ready: one of tcp, http, command, log, notify, file.
#[service.hello.ready]
#log = "hello"
#timeout = "90s"

# What tells that it is alive; it is restarted when this fails.
#[service.hello.live]
#command = ["true"]
#every = "10s"
#timeout = "1s"
#failures = 3

# It beats (`holdfast beat`, sd_notify, the Python client) and is restarted when it stops beating.
#[service.hello.heartbeat]
#every = "30s"
#lease = "90s"

# What it may use.
#[service.hello.limits]
#memory = "500MB"
#max_age = "7d"
#nofile = 4096

# Files whose change restarts it.
#[service.hello.watch]
#paths = ["."]
#debounce = "300ms"

# What every service inherits; also [defaults.stop] and [defaults.log].
#[defaults.restart]
#max_delay = "60s"

# Programs that `up` runs before or after it starts the services.
#[startup]
#steps = [{ name = "Say hello", command = ["echo", "hello"], at = "before" }]

# A program run on a schedule; a late, failed or too long run is told to a person.
#[job.report]
#command = ["echo", "report"]
#schedule = "0 7 * * *"
#timeout = "1h"
#grace = "15m"

# A folder that is backed up when it changed, and every hour.
#[backup.notes]
#path = "~/notes"
#repository = "~/backups"
#exclude = ["*.tmp"]
#schedule = "@hourly"

# Anything else that must succeed on time: ping, file, http, tcp or command.
#[check.export]
#kind = "ping"
#period = "1h"
#grace = "10m"

# Where messages go: an Apprise URL, webhook+https://, desktop://, file:///path, or a command.
#[notify.desktop]
#url = "desktop://"
#severities = ["critical"]

# When a person is told.
#[alerts]
#warning_after = "24h"
#critical_after = "72h"
#quiet_hours = "22-07"

# A window of planned work, in which nobody is told.
#[maintenance.sunday]
#schedule = "0 3 * * 0"
#duration = "2h"
#checks = ["*"]

# An agent that this machine starts when there is work for its role.
#[agent.builder]
#role = "builder"
#command = ["my-agent", "--role", "builder"]

# How agents prove that they live.
#[agents]
#heartbeat_every = "30s"
#lease = "90s"

# How tasks are handed out and taken back.
#[tasks]
#max_attempts = 3

# The name of this machine; default: the host name.
#[machine]
#name = "laptop"

# The process with the database and the dashboard.
#[hub]
#listen = "127.0.0.1:8484"

# The process that keeps the supervisor alive.
#[watchdog]
#check_every = "60s"

# The process that keeps the services alive.
#[supervisor]
#look_every = "300s"
'''


def write_starter(path: Path) -> None:
    """Write the starter file, readable by its owner only.

    Raises:
        Refused: something stands there already, or the folder cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(
            f"{path} exists already; nothing was written: edit it, or name another file with -c"
        ) from error
    except OSError as error:
        raise Refused(
            f"{path} could not be written: {error.strerror}; name another file with -c"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(STARTER)
