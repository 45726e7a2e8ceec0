"""The table of commands."""

import argparse

from holdfast.cli.parser import Command


def _none(_parser: argparse.ArgumentParser) -> None:
    """Take no options of its own."""


def _config_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="configuration to use (default: $HOLDFAST_CONFIG, ./holdfast.toml, ...)",
    )


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("select", nargs="*", metavar="NAME|PATTERN|group:G", help="which services")
    parser.add_argument("--all", action="store_true", help="every service")


def _up(parser: argparse.ArgumentParser) -> None:
    _config_file(parser)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these services")
    parser.add_argument(
        "--foreground", action="store_true", help="stay in front and end with Ctrl-C"
    )
    parser.add_argument("--no-hub", action="store_true", help="do not start the hub")
    parser.add_argument(
        "--no-wait", action="store_true", help="return before the services are ready"
    )


def _down(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-services", action="store_true", help="end only Holdfast; the services live on"
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", help='kill what has not ended by then ("30s")'
    )


def _status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these services")
    parser.add_argument(
        "--watch", action="store_true", help="keep the table on the screen and current"
    )


def _health(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--score", action="store_true", help="print only the percentage")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once",
        action="store_true",
        help="one look, as the supervisor itself takes it (the default)",
    )


def _start(parser: argparse.ArgumentParser) -> None:
    _selection(parser)
    parser.add_argument("--no-wait", action="store_true", help="return before they are ready")


def _stop(parser: argparse.ArgumentParser) -> None:
    _selection(parser)
    parser.add_argument("--kill", action="store_true", help="do not ask first")


def _reload(parser: argparse.ArgumentParser) -> None:
    _config_file(parser)
    _selection(parser)
    parser.add_argument("--dry-run", action="store_true", help="only tell what would change")


def _signal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("signal", metavar="SIGNAL", help="its name, like HUP or USR1")
    _selection(parser)


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="which services (default: all)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines arrive")
    parser.add_argument(
        "-n",
        "--lines",
        type=int,
        default=None,
        metavar="N",
        help="lines of each log to begin with (default: 20, or all with --since)",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help='a duration ago ("10m") or a time (2026-01-31T08:00:00Z)'
    )
    parser.add_argument(
        "--stream", choices=("stdout", "stderr"), help="one stream of logs kept as JSON"
    )


def _events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on as events happen")
    parser.add_argument(
        "-n",
        "--lines",
        type=int,
        default=None,
        metavar="N",
        help="only the newest N (default: all, or 10 with -f)",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help='a duration ago ("10m") or a time (2026-01-31T08:00:00Z)'
    )
    parser.add_argument(
        "--subject", metavar="NAME", help="only events of this service, or of supervisor"
    )


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the service")
    parser.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="only the newest N (at most 100)"
    )


def _config(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("check", "tell everything that is wrong with the configuration"),
        ("show", "print the configuration as it is understood, defaults filled in"),
        ("schema", "print the JSON Schema, from which editors complete"),
    ):
        action = actions.add_parser(
            name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}."
        )
        if name != "schema":
            _config_file(action)
        _output(action)


def _output(action: argparse.ArgumentParser) -> None:
    """Take what every command takes also behind the action, without undoing what stood before it."""
    group = action.add_argument_group("output")
    for flags, meaning in (
        (("--json",), "print facts as JSON"),
        (("-v", "--verbose"), "say more"),
        (("-q", "--quiet"), "say only what went wrong"),
    ):
        group.add_argument(*flags, action="store_true", default=argparse.SUPPRESS, help=meaning)
    group.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=argparse.SUPPRESS,
        help="least level that is printed (debug is -v, error is -q)",
    )


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        default="holdfast.toml",
        metavar="FILE",
        help="where to write it (default: holdfast.toml)",
    )


def _beat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="the service (default: the one this runs in)"
    )
    parser.add_argument(
        "--status",
        default="healthy",
        metavar="S",
        help="healthy, syncing, error, stopped or running",
    )
    parser.add_argument("--error", metavar="TEXT", help="what is wrong")
    parser.add_argument(
        "--progress", type=int, metavar="N", help="a counter that rises with the work done"
    )
    parser.add_argument(
        "--every", metavar="DURATION", default="30s", help="how often it beats (default: 30s)"
    )
    parser.add_argument(
        "--lease", metavar="DURATION", help="how long one beat is believed (default: three beats)"
    )


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell to complete for")


COMMANDS: tuple[Command, ...] = (
    Command(
        name="init",
        summary="write a commented starter configuration",
        run="holdfast.cli.init:run",
        examples=("holdfast init", "holdfast init conf/holdfast.toml"),
        options=_init,
    ),
    Command(
        name="up",
        summary="start what is not running, in numbered steps, and return when all is ready",
        run="holdfast.cli.up:run",
        examples=(
            "holdfast up",
            "holdfast up -c examples/web-stack/holdfast.toml",
            "holdfast up --foreground",
        ),
        options=_up,
    ),
    Command(
        name="down",
        summary="stop everything in reverse order",
        run="holdfast.cli.down:run",
        examples=("holdfast down", "holdfast down --keep-services", "holdfast down --timeout 30s"),
        options=_down,
    ),
    Command(
        name="status",
        summary="show every service; changes nothing",
        run="holdfast.cli.status:run",
        examples=("holdfast status", "holdfast status api --json", "holdfast status --watch"),
        options=_status,
    ),
    Command(
        name="health",
        summary="show which share of the wanted services is healthy",
        run="holdfast.cli.health:health",
        examples=("holdfast health", "holdfast health --score"),
        options=_health,
    ),
    Command(
        name="check",
        summary="look at every service once and report; changes nothing",
        run="holdfast.cli.health:check",
        examples=("holdfast check --once", "holdfast check --json"),
        options=_check,
    ),
    Command(
        name="start",
        summary="start services; bypasses the restart limit and resets it",
        run="holdfast.cli.orders:start",
        examples=(
            "holdfast start api",
            'holdfast start "api-*" group:web',
            "holdfast start --all",
        ),
        options=_start,
    ),
    Command(
        name="stop",
        summary="stop services with everything they started, and remember it",
        run="holdfast.cli.orders:stop",
        examples=("holdfast stop api", "holdfast stop --all", "holdfast stop --kill api"),
        options=_stop,
    ),
    Command(
        name="restart",
        summary="restart services; neither waits nor counts as a failure",
        run="holdfast.cli.orders:restart",
        examples=("holdfast restart api", "holdfast restart group:web"),
        options=_start,
    ),
    Command(
        name="reload",
        summary="read the configuration again, or tell services to read theirs",
        run="holdfast.cli.reload:run",
        examples=("holdfast reload --dry-run", "holdfast reload", "holdfast reload nginx"),
        options=_reload,
    ),
    Command(
        name="signal",
        summary="send a signal to the main process of services",
        run="holdfast.cli.orders:signal",
        examples=("holdfast signal HUP nginx", "holdfast signal USR1 group:web"),
        options=_signal,
    ),
    Command(
        name="logs",
        summary="show what services printed",
        run="holdfast.cli.logs:run",
        examples=("holdfast logs api -n 50", "holdfast logs -f", "holdfast logs api --since 10m"),
        options=_logs,
    ),
    Command(
        name="events",
        summary="show what happened on this machine",
        run="holdfast.cli.events:run",
        examples=(
            "holdfast events -n 20",
            "holdfast events -f --subject api",
            "holdfast events --since 1h --json",
        ),
        options=_events,
    ),
    Command(
        name="history",
        summary="show the restarts of one service, and why",
        run="holdfast.cli.history:run",
        examples=("holdfast history api", "holdfast history api -n 5 --json"),
        options=_history,
    ),
    Command(
        name="beat",
        summary="send a heartbeat from a script",
        run="holdfast.cli.beat:run",
        examples=("holdfast beat", "holdfast beat nightly --status error --error 'disk full'"),
        options=_beat,
    ),
    Command(
        name="config",
        summary="check, show or describe the configuration",
        run="holdfast.cli.config:run",
        examples=(
            "holdfast config check",
            "holdfast config show -c holdfast.toml",
            "holdfast config schema",
        ),
        options=_config,
    ),
    Command(
        name="doctor",
        summary="look for what is wrong with this machine and say what to do",
        run="holdfast.cli.doctor:run",
        examples=("holdfast doctor", "holdfast doctor --json"),
        options=_none,
    ),
    Command(
        name="completion",
        summary="print the completion script of a shell",
        run="holdfast.cli.completion:run",
        examples=("holdfast completion bash > /etc/bash_completion.d/holdfast",),
        options=_completion,
    ),
)
