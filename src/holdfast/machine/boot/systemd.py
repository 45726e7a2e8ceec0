"""The unit by which systemd starts the watchdog, and with it everything else."""

import re
from collections.abc import Mapping
from pathlib import Path

from holdfast.errors import Refused
from holdfast.machine.boot.entry import Boot, Command, Entry, Scope

SYSTEM_FOLDER = Path("/etc/systemd/system")

_MARK = "# Written by `holdfast boot install` for the home "
_PLAIN = re.compile(r"[A-Za-z0-9_@/.:=+,-]+")

# Exit codes of the watchdog: 0 after an orderly end of everything, 4 when another watchdog took its place; whatever
# else it ends with, systemd starts it again. Restart=always would undo every `holdfast down`.
_UNIT = """\
{mark}
[Unit]
Description=Holdfast keeps services alive ({name})
{after}StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
{environment}
ExecStart={watchdog}
ExecStartPost=-{up}
ExecReload={reload}
ExecStop={stop}
Restart=on-failure
RestartPreventExitStatus=4
RestartSec=1
WatchdogSec=180
# Holdfast has limits of its own for each service, which these must not cut short.
TimeoutStartSec=infinity
TimeoutStopSec=infinity
# Services outlive the watchdog: only `boot stop` ends them.
KillMode=process
Delegate=yes

[Install]
WantedBy={target}
"""


def entry(boot: Boot, environ: Mapping[str, str]) -> Entry:
    """Return the unit file and what systemctl must be told.

    Raises:
        Refused: the path of the Python holds a character that systemd allows in no program.
    """
    if set(boot.python) & set("\"'\\"):
        raise Refused(
            f"{boot.python} has a quote or a backslash in it, and systemd runs no such program; install Holdfast elsewhere"
        )
    unit = f"{boot.name}.service"
    systemctl: Command = ("systemctl",)
    folder = SYSTEM_FOLDER
    if boot.scope is Scope.USER:
        systemctl = ("systemctl", "--user")
        config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~"), ".config"))
        folder = Path(config).expanduser() / "systemd" / "user"
    reload = (*systemctl, "daemon-reload")
    return Entry(
        file=folder / unit,
        content=unit_text(boot).encode(),
        home_in=home_in,
        enable=(reload, (*systemctl, "enable", unit)),
        disable=((*systemctl, "disable", unit),),
        forget=(reload,),
        ask=(*systemctl, "is-enabled", "--quiet", unit),
        begin=(*systemctl, "start", unit),
    )


def unit_text(boot: Boot) -> str:
    """Return the unit."""
    variables = (f"HOLDFAST_HOME={boot.home}", f"PATH={boot.path}")
    is_system = boot.scope is Scope.SYSTEM
    return _UNIT.format(
        mark=_MARK + boot.home,
        name=boot.name.replace("%", "%%"),
        after="After=network.target\n" if is_system else "",
        environment="\n".join(f"Environment={quoted(each)}" for each in variables),
        watchdog=command_line(
            (boot.python, "-P", "-m", "holdfast.assemble", "watchdog", "--take-over")
        ),
        up=command_line((*boot.holdfast, "up", "--quiet", *boot.config_option)),
        reload=command_line((*boot.holdfast, "reload")),
        stop=command_line((*boot.holdfast, "boot", "stop")),
        target="multi-user.target" if is_system else "default.target",
    )


def command_line(words: Command) -> str:
    """Return a command as ExecStart= takes it; a colon in front keeps systemd from reading variables into it."""
    prefix = ":" if any("$" in word for word in words) else ""
    return prefix + " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """Return one word as systemd.syntax(7) reads it: specifiers doubled, C escapes inside double quotes."""
    told = word.replace("%", "%%")
    if _PLAIN.fullmatch(word):
        return told
    escaped = told.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def home_in(content: bytes) -> str | None:
    """Return the home a unit of ours starts; None when Holdfast did not write it."""
    first = content.decode(errors="replace").partition("\n")[0]
    return first.removeprefix(_MARK) if first.startswith(_MARK) else None
