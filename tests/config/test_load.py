"""Reading a configuration: what it means, and every way it can be wrong."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast.config.load import find, load
from holdfast.config.settings import Settings
from holdfast.errors import ConfigError
from holdfast.model.spec import (
    Condition,
    HeartbeatPolicy,
    Hooks,
    Limits,
    LogFormat,
    LogPolicy,
    Need,
    OnRestart,
    Probe,
    ProbeKind,
    RestartLimit,
    RestartPolicy,
    ServiceSpec,
    StopPolicy,
    Watch,
    When,
)

DESIGN = Path(__file__).with_name("design.toml")
ENVIRON = {"HOME": "/home/ann", "PATH": "/usr/bin"}


def read(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON, **others: str) -> Settings:
    path = folder / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    for name, content in others.items():
        (folder / f"{name}.toml").write_text(content, encoding="utf-8")
    return load(path, environ)


def problems(
    folder: Path, text: str, environ: Mapping[str, str] = ENVIRON, **others: str
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ, **others)
    assert caught.value.exit_code == 2
    return [str(problem).replace(f"{folder}{os.sep}", "") for problem in caught.value.problems]


A = '[service.a]\ncommand = ["x"]\n'

WRONG: dict[str, tuple[str, str]] = {
    "unknown key": (
        '[service.api]\ncommand = ["x"]\ncomand = "y"',
        "holdfast.toml:3: unknown key `comand` in service.api; did you mean `command`?",
    ),
    "unknown section": (
        '[services.api]\ncommand = ["x"]',
        "holdfast.toml:1: unknown key `services`; did you mean `service`?",
    ),
    "key of an inner section": (
        f"{A}keep = 3",
        "holdfast.toml:3: unknown key `keep` in service.a; did you mean `log.keep`?",
    ),
    "no near key": (
        "[supervisor]\nzzz = 1",
        "holdfast.toml:2: unknown key `zzz` in supervisor; known keys: look_every",
    ),
    "missing command": (
        "[service.a]\nenabled = true",
        "holdfast.toml:1: missing key `command` in service.a; Program and arguments: a list, or a string split into words; no shell.",
    ),
    "empty command": (
        "[service.a]\ncommand = []",
        'holdfast.toml:2: service.a.command = []: empty; write ["program", "argument"]',
    ),
    "empty command string": (
        '[service.a]\ncommand = " "',
        'holdfast.toml:2: service.a.command = " ": empty; write ["program", "argument"]',
    ),
    "command with a number": (
        '[service.a]\ncommand = ["x", 8000]',
        'holdfast.toml:2: service.a.command = ["x", 8000]: every word of a command is a string; write "8000", not 8000',
    ),
    "unbalanced quotes": (
        '[service.a]\ncommand = "echo \'x"',
        'holdfast.toml:2: service.a.command = "echo \'x": unbalanced quotes (no closing quotation); '
        'or write a list: ["program", "argument"]',
    ),
    "command of the wrong kind": (
        "[service.a]\ncommand = 3",
        'holdfast.toml:2: service.a.command = 3: expected a list of words such as ["program", "argument"], or a string of words',
    ),
    "flag of the wrong kind": (
        f"{A}enabled = 1",
        "holdfast.toml:3: service.a.enabled = 1: expected true or false",
    ),
    "not a table": ("service = 3", "holdfast.toml:1: service = 3: expected a table"),
    "section not a table": ("hub = 3", "holdfast.toml:1: hub = 3: expected a table"),
    "not a list": (
        '[startup]\nsteps = "x"',
        'holdfast.toml:2: startup.steps = "x": expected a list',
    ),
    "bare number": (
        f"{A}[service.a.stop]\ntimeout = 10",
        'holdfast.toml:4: service.a.stop.timeout = 10: a bare number says no unit; write "10s"',
    ),
    "number without unit": (
        f'{A}[service.a.stop]\ntimeout = "10"',
        'holdfast.toml:4: service.a.stop.timeout = "10": a number needs its unit; write "10s"',
    ),
    "unknown unit": (
        '[watchdog]\ncheck_every = "3w"',
        'holdfast.toml:2: watchdog.check_every = "3w": unknown unit `w`; units are ms, s, m, h, d',
    ),
    "zero": (
        '[watchdog]\ncheck_every = "0s"',
        'holdfast.toml:2: watchdog.check_every = "0s": must be longer than nothing',
    ),
    "bare size": (
        f"{A}[service.a.log]\nmax_size = 10",
        'holdfast.toml:4: service.a.log.max_size = 10: a bare number says no unit; write "10MB"',
    ),
    "too many": (
        f"{A}[service.a.limits]\nnice = 20",
        "holdfast.toml:4: service.a.limits.nice = 20: expected a whole number from -20 to 19",
    ),
    "too few": (
        "[watchdog]\nfailures = 0",
        "holdfast.toml:2: watchdog.failures = 0: expected a whole number from 1 to 1000000",
    ),
    "choice": (
        f'{A}[service.a.restart]\nwhen = "allways"',
        'holdfast.toml:4: service.a.restart.when = "allways": expected one of "always", "on-failure", "never"',
    ),
    "limit": (
        f'{A}[service.a.restart]\nlimit = "three"',
        'holdfast.toml:4: service.a.restart.limit = "three": expected a number of restarts in a window such as "3/1h", or "none"',
    ),
    "limit of more than is remembered": (
        f'{A}[service.a.restart]\nlimit = "100/1h"',
        'holdfast.toml:4: service.a.restart.limit = "100/1h": no more than 99 restarts are remembered; write a shorter window, or "none"',
    ),
    "limit of none": (
        f'{A}[service.a.restart]\nlimit = "0/1h"',
        'holdfast.toml:4: service.a.restart.limit = "0/1h": no restart would ever be allowed; write when = "never" instead',
    ),
    "signal": (
        f'{A}reload_signal = "TRM"',
        'holdfast.toml:3: service.a.reload_signal = "TRM": unknown signal; did you mean "TERM"?',
    ),
    "umask as a number": (
        f"{A}umask = 27",
        'holdfast.toml:3: service.a.umask = 27: a bare number is not octal; write "027"',
    ),
    "umask not octal": (
        f'{A}umask = "089"',
        'holdfast.toml:3: service.a.umask = "089": expected an octal string such as "027"',
    ),
    "lease": (
        f'{A}heartbeat = {{ every = "60s" }}',
        'holdfast.toml:3: service.a.heartbeat.lease: 90s is shorter than 2 beats of 1m; write at least "2m"',
    ),
    "lease of agents": (
        '[agents]\nlease = "59s"',
        'holdfast.toml:2: agents.lease: 59s is shorter than 2 beats of 30s; write at least "1m"',
    ),
    "no probe": (
        f'{A}[service.a.ready]\ntimeout = "1s"',
        "holdfast.toml:3: service.a.ready: one of tcp, http, command, log, notify, file is needed",
    ),
    "two probes": (
        f'{A}[service.a.live]\ntcp = "localhost:1"\nfile = "x"',
        "holdfast.toml:5: service.a.live.file: stands beside tcp; keep one of them",
    ),
    "regular expression": (
        f'{A}[service.a.ready]\nlog = "("',
        'holdfast.toml:4: service.a.ready.log = "(": not a regular expression: missing ), unterminated subpattern at position 0',
    ),
    "port": (
        f'{A}[service.a.ready]\ntcp = "localhost:65536"',
        'holdfast.toml:4: service.a.ready.tcp = "localhost:65536": there is no port 65536; ports go from 1 to 65535',
    ),
    "no port": (
        '[hub]\nlisten = "127.0.0.1"',
        'holdfast.toml:2: hub.listen = "127.0.0.1": expected an address such as "127.0.0.1:8484"',
    ),
    "url": (
        f'{A}[service.a.ready]\nhttp = "localhost/x"',
        'holdfast.toml:4: service.a.ready.http = "localhost/x": expected a URL such as "http://127.0.0.1:8000/healthz"',
    ),
    "open hub": (
        '[hub]\nlisten = "0.0.0.0:8484"',
        "holdfast.toml:2: hub.listen: 0.0.0.0:8484 is open to other machines without TLS; "
        "set tls_cert_file and tls_key_file, or behind_proxy = true, or listen on 127.0.0.1",
    ),
    "database": (
        '[hub]\ndatabase = "mysql://ann:hidden@db/x"',
        'holdfast.toml:2: hub.database = "mysql://***": expected "sqlite" or "postgresql://user@host/database"',
    ),
    "quiet hours": (
        '[alerts]\nquiet_hours = "22-24"',
        'holdfast.toml:2: alerts.quiet_hours = "22-24": expected two hours of the day such as "22-07", or ""',
    ),
    "thresholds": (
        '[alerts]\ncritical_after = "24h"',
        "holdfast.toml:2: alerts.critical_after: must be longer than warning_after; warning_after is 1d",
    ),
    "last resort": (
        '[alerts]\nlast_resort = { command = ["x"], file = "y" }',
        "holdfast.toml:2: alerts.last_resort.file: stands beside command; keep one of them",
    ),
    "cron fields": (
        '[job.j]\ncommand = "x"\nschedule = "0 7 * *"',
        'holdfast.toml:3: job.j.schedule = "0 7 * *": a cron expression has 5 fields, found 4; '
        "minute hour day-of-month month day-of-week, or a preset such as @hourly",
    ),
    "cron range": (
        '[job.j]\ncommand = "x"\nschedule = "60 7 * * *"',
        'holdfast.toml:3: job.j.schedule = "60 7 * * *": `60` is no minute; minute goes from 0 to 59',
    ),
    "cron preset": (
        '[job.j]\ncommand = "x"\nschedule = "@often"',
        'holdfast.toml:3: job.j.schedule = "@often": unknown preset @often; '
        "presets are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually",
    ),
    "time zone": (
        '[job.j]\ncommand = "x"\ntimezone = "Europe/Berln"',
        'holdfast.toml:3: job.j.timezone = "Europe/Berln": unknown time zone; did you mean "Europe/Berlin"?',
    ),
    "backup thresholds": (
        '[backup.b]\npath = "x"\nwarning_after = "100h"',
        "holdfast.toml:1: backup.b: critical_after (3d) must be longer than warning_after (100h); "
        "what a backup does not say comes from [alerts]",
    ),
    "copy to a remote repository": (
        '[backup.b]\npath = "x"\nengine = "copy"\nrepository = "sftp:host:/x"',
        'holdfast.toml:4: backup.b.repository: the engine copy writes to folders only; set engine = "restic"',
    ),
    "check without its key": (
        '[check.c]\nkind = "tcp"',
        "holdfast.toml:1: check.c: a tcp check needs the key `address`",
    ),
    "check with a key of another kind": (
        '[check.c]\nkind = "ping"\nperiod = "1h"\npath = "x"',
        "holdfast.toml:4: check.c.path: belongs to kind file, this is a ping check",
    ),
    "check without a time": (
        '[check.c]\nkind = "ping"',
        'holdfast.toml:1: check.c: a ping check needs period or schedule; write period = "1h"',
    ),
    "check with two times": (
        '[check.c]\nkind = "ping"\nperiod = "1h"\nschedule = "@hourly"',
        "holdfast.toml:4: check.c.schedule: stands beside period; keep one of them",
    ),
    "channel without target": (
        "[notify.n]\nseverities = []",
        "holdfast.toml:1: notify.n: one of url, url_file, command is needed",
    ),
    "channel URL": (
        '[notify.n]\nurl = "ntfy.example"',
        'holdfast.toml:2: notify.n.url = "ntfy.example": expected a URL such as "ntfys://ntfy.example/topic", "desktop://" or "file:///path"',
    ),
    "severity in a list": (
        '[notify.n]\nurl = "desktop://"\nseverities = ["critical", "bad"]',
        'holdfast.toml:3: notify.n.severities[1] = "bad": expected one of "warning", "critical"',
    ),
    "name": (
        '[service.API]\ncommand = "x"',
        "holdfast.toml:1: `API` is not a name; names are small letters, digits, - and _, and begin with a letter or digit",
    ),
    "reserved name": (
        '[job.hub]\ncommand = "x"',
        "holdfast.toml:1: the name `hub` is reserved; choose another",
    ),
    "long name": (
        f'[service.{"a" * 49}]\ncommand = "x"',
        f"holdfast.toml:1: `{'a' * 49}` is longer than 48 characters; shorten it",
    ),
    "name taken": (
        f'{A}[job.a]\ncommand = "x"',
        "holdfast.toml:3: the name `a` is taken by service.a at holdfast.toml:1; "
        "names are unique over services, jobs, backups, checks and agents",
    ),
    "name taken by an instance": (
        f'{A}instances = 2\n[service.a-2]\ncommand = "x"',
        "holdfast.toml:4: the name `a-2` is taken by service.a at holdfast.toml:1; "
        "names are unique over services, jobs, backups, checks and agents",
    ),
    "need": (
        f'{A}needs = ["dbb"]\n[service.db]\ncommand = "x"',
        "holdfast.toml:3: service.a needs `dbb`, which is no service; did you mean `db`?",
    ),
    "need condition": (
        f'{A}needs = {{ db = "up" }}\n[service.db]\ncommand = "x"',
        'holdfast.toml:3: service.a.needs = { db = "up" }: db = "up"; one of started, ready, completed',
    ),
    "own need": (
        f'{A}needs = ["a"]',
        "holdfast.toml:3: services need each other in a circle: a -> a; remove one of these needs",
    ),
    "circle": (
        f'{A}needs = ["b"]\n[service.b]\ncommand = "x"\nneeds = ["c"]\n[service.c]\ncommand = "x"\nneeds = ["a"]',
        "holdfast.toml:3: services need each other in a circle: a -> b -> c -> a; remove one of these needs",
    ),
    "variable": (
        f'{A}env = {{ X = "${{NOPE}}/${{NOPE}}/${{NEVER}}" }}',
        'holdfast.toml:3: service.a.env.X = "${NOPE}/${NOPE}/${NEVER}": not set in the environment: NOPE, NEVER; '
        "set it, or write a default: ${NOPE:-value}",
    ),
    "malformed reference": (
        f'{A}user = "${{X"',
        'holdfast.toml:3: service.a.user = "${X": malformed reference ${; write ${VAR} or ${VAR:-default}, and $$ for a dollar sign',
    ),
    "name of a variable": (
        f'{A}env = {{ "A-B" = "x" }}',
        'holdfast.toml:3: service.a.env.A-B = "A-B": no name of a variable; letters, digits and _ only',
    ),
    "value of a variable": (
        f"{A}env = {{ PORT = 8000 }}",
        "holdfast.toml:3: service.a.env.PORT = 8000: expected a string",
    ),
    "NUL": (
        f'{A}user = "a\\u0000b"',
        'holdfast.toml:3: service.a.user = "a\0b": contains a NUL character',
    ),
    "secret file missing": (
        '[hub]\ntoken_file = "nothing"',
        'holdfast.toml:2: hub.token_file = "nothing": cannot be read: No such file or directory; looked for nothing',
    ),
    "certificate without key": (
        '[hub]\ntls_cert_file = "x"',
        "holdfast.toml:1: hub: tls_cert_file and tls_key_file belong together; set both or none",
    ),
    "nothing to watch": (
        f"{A}watch = {{ paths = [] }}",
        'holdfast.toml:3: service.a.watch.paths: names nothing to watch; write paths = ["src"]',
    ),
    "step": (
        '[startup]\nsteps = [{ name = "x" }]',
        "holdfast.toml:2: missing key `command` in startup.steps[0]; Program and arguments; never run through a shell.",
    ),
    "syntax": (
        "[hub]\nlisten 3",
        "holdfast.toml:2: not valid TOML: Expected '=' after a key in a key/value pair at column 8",
    ),
    "unfinished": (
        "[hub]\nlisten = [1,",
        "holdfast.toml:2: not valid TOML: Invalid value at the end of the file",
    ),
    "missing include": (
        'include = ["nothing.toml"]',
        'holdfast.toml:1: include = "nothing.toml": there is no such file; looked at nothing.toml',
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_with_its_place_and_a_way_out(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert problems(tmp_path, text) == [expected]


def test_all_mistakes_of_a_file_and_its_includes_are_told_at_once_in_their_order(
    tmp_path: Path,
) -> None:
    found = problems(
        tmp_path,
        'include = ["more.toml"]\n[hub]\nlisten = 3\n[service.a]\ncomand = "x"\nenabled = 1\n',
        more='[service.b]\ncommand = ""\nneeds = ["zz"]\n',
    )

    assert [line.split(";")[0] for line in found] == [
        'holdfast.toml:3: hub.listen = 3: expected an address such as "127.0.0.1:8484"',
        "holdfast.toml:4: missing key `command` in service.a",
        "holdfast.toml:5: unknown key `comand` in service.a",
        "holdfast.toml:6: service.a.enabled = 1: expected true or false",
        'more.toml:2: service.b.command = "": empty',
    ]


def test_a_refused_key_brings_no_second_complaint_about_its_default(tmp_path: Path) -> None:
    text = f'{A}heartbeat = {{ every = "60s", lease = "2x" }}'

    assert problems(tmp_path, text) == [
        'holdfast.toml:3: service.a.heartbeat.lease = "2x": unknown unit `x`; units are ms, s, m, h, d'
    ]


def test_a_broken_include_does_not_make_its_services_missing(tmp_path: Path) -> None:
    text = f'include = ["more.toml"]\n{A}needs = ["b"]'

    found = problems(tmp_path, text, more="[service.b]\ncommand")

    assert found == [
        "more.toml:2: not valid TOML: Expected '=' after a key in a key/value pair at the end of the file"
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name = '\xe9'"])
def test_a_file_that_is_not_utf8_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"holdfast.toml: cannot be read: not UTF-8 at byte"):
        load(path, ENVIRON)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, ENVIRON)


def test_nesting_without_end_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, "x = " + "[" * 5000) == [
        "holdfast.toml: not valid TOML: nested too deep"
    ]


def test_the_example_of_the_design_loads_once_the_service_it_needs_is_there(
    tmp_path: Path,
) -> None:
    text = DESIGN.read_text(encoding="utf-8")

    settings = read(tmp_path, text + '[service.db]\ncommand = "db"\n')

    assert settings.machine == "laptop"
    assert settings.steps[0].command == (str(tmp_path / "scripts/load-session"),)
    assert settings.alerts.quiet_hours is None
    assert settings.backups["notes"].path == "/home/ann/notes"
    assert settings.backups["notes"].critical_after == 72 * 3600
    assert settings.channels["phone"].severities == ("critical",)
    assert settings.agents["builder"].on_demand
    assert settings.jobs["report"].timezone == "Europe/Berlin"
    assert settings.checks["export"].grace == 600


def test_every_key_of_a_service_reaches_its_spec(tmp_path: Path) -> None:
    text = DESIGN.read_text(encoding="utf-8") + '[service.db]\ncommand = "db"\n'
    spec = read(tmp_path, text).services[0]

    assert spec == ServiceSpec(
        name="api",
        command=("python", "api.py"),
        cwd=str(tmp_path),
        env={"PORT": "8000"},
        env_file=str(tmp_path / ".env"),
        user="www",
        umask=0o027,
        needs=(Need(name="db"),),
        reload_signal="HUP",
        group="web",
        hooks=Hooks(before_start=(str(tmp_path / "migrate"),)),
        restart=RestartPolicy(
            when=When.ALWAYS,
            delay=0.1,
            max_delay=60.0,
            min_gap=60.0,
            limit=RestartLimit(count=3, within=3600.0),
        ),
        stop=StopPolicy(signal="TERM", timeout=10.0),
        ready=Probe(
            kind=ProbeKind.TCP, target=("127.0.0.1:8000",), timeout=90.0, every=0.5, failures=1
        ),
        live=Probe(
            kind=ProbeKind.HTTP,
            target=("http://127.0.0.1:8000/healthz",),
            timeout=1.0,
            every=10.0,
            failures=3,
        ),
        heartbeat=HeartbeatPolicy(every=30.0, lease=90.0, progress_within=600.0),
        log=LogPolicy(max_size=10_000_000, keep=5, format=LogFormat.TEXT),
        limits=Limits(memory=500_000_000, max_age=604_800.0, nofile=4096),
        watch=Watch(paths=(str(tmp_path / "src"),), debounce=0.3),
    )


def test_a_service_that_says_nothing_gets_the_defaults_of_the_model(tmp_path: Path) -> None:
    (spec,) = read(tmp_path, A).services

    assert spec == ServiceSpec(name="a", command=("x",), cwd=str(tmp_path))


def test_defaults_stand_under_what_a_service_says(tmp_path: Path) -> None:
    text = (
        '[defaults.restart]\nmin_gap = "0s"\nlimit = "none"\n[defaults.stop]\nsignal = "int"\n'
        '[defaults.log]\nformat = "json"\nkeep = 0\n'
        f'{A}[service.a.restart]\nlimit = "9/1m"\n[service.a.log]\nkeep = 2\n[service.b]\ncommand = "x"\n'
    )

    a, b = read(tmp_path, text).services

    assert a.restart == RestartPolicy(min_gap=0.0, limit=RestartLimit(count=9, within=60.0))
    assert b.restart == RestartPolicy(min_gap=0.0, limit=None)
    assert a.stop == b.stop == StopPolicy(signal="INT")
    assert a.log == LogPolicy(format=LogFormat.JSON, keep=2)
    assert b.log == LogPolicy(format=LogFormat.JSON, keep=0)


def test_a_mistake_in_the_defaults_is_told_once(tmp_path: Path) -> None:
    text = f'[defaults.stop]\ntimeout = 3\n{A}[service.b]\ncommand = "x"\n'

    assert problems(tmp_path, text) == [
        'holdfast.toml:2: defaults.stop.timeout = 3: a bare number says no unit; write "3s"'
    ]


def test_instances_become_services_of_their_own_and_needs_name_each(tmp_path: Path) -> None:
    text = (
        '[service.db]\ncommand = "db"\ninstances = 2\n'
        f'{A}needs = {{ db = {{ condition = "started", on_restart = "restart" }} }}\n'
        '[service.b]\ncommand = "x"\nneeds = ["db-2"]\n'
    )

    services = {spec.name: spec for spec in read(tmp_path, text).services}

    assert list(services) == ["db-1", "db-2", "a", "b"]
    assert services["a"].needs == tuple(
        Need(name=name, condition=Condition.STARTED, on_restart=OnRestart.RESTART)
        for name in ("db-1", "db-2")
    )
    assert services["b"].needs == (Need(name="db-2"),)


def test_a_command_string_is_split_into_words_and_never_given_to_a_shell(tmp_path: Path) -> None:
    text = "[service.a]\ncommand = \"echo 'a b' $HOME | tee ${WORDS} *\""

    (spec,) = read(tmp_path, text, {"WORDS": "one two"}).services

    assert spec.command == ("echo", "a b", "$HOME", "|", "tee", "one two", "*")


def test_variables_are_filled_in_everywhere_and_two_dollars_are_one(tmp_path: Path) -> None:
    text = (
        '[service.a]\ncommand = ["${BIN}/x", "${PORT:-80}", "${EMPTY:-none}", "${EMPTY}", "$$5", "a$"]\n'
        'umask = "${MASK}"\nstop = { timeout = "${WAIT}s" }\n'
    )
    environ = {"BIN": "/opt", "EMPTY": "", "MASK": "077", "WAIT": "3"}

    (spec,) = read(tmp_path, text, environ).services

    assert spec.command == ("/opt/x", "80", "none", "", "$5", "a$")
    assert spec.umask == 0o077
    assert spec.stop.timeout == 3.0


def test_relative_paths_start_at_the_folder_of_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.toml").write_text('[service.b]\ncommand = "./b"\n')
    text = 'include = ["conf.d/*.toml"]\n[service.a]\ncommand = ["bin/a", "./arg"]\ncwd = "~/w"\n'

    a, b = read(tmp_path, text).services

    assert a.command == (str(tmp_path / "bin/a"), "./arg")
    assert a.cwd == "/home/ann/w"
    assert b.command == (str(tmp_path / "conf.d" / "b"),)
    assert b.cwd == str(tmp_path / "conf.d")


def test_includes_are_read_in_the_order_of_their_names_and_never_twice(tmp_path: Path) -> None:
    text = f'include = ["c*.toml", "*.toml", "none/*.toml"]\n{A}'
    service = '[service.{}]\ncommand = "x"\n'

    settings = read(
        tmp_path, text, c2=service.format("c2"), c1=service.format("c1"), b=service.format("b")
    )

    assert [spec.name for spec in settings.services] == ["a", "c1", "c2", "b"]
    names = [path.name for path in settings.files]
    assert names == ["holdfast.toml", "c1.toml", "c2.toml", "b.toml"]
    assert settings.path == tmp_path / "holdfast.toml"


def test_a_folder_with_an_odd_name_includes_what_stands_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "[a]*"
    folder.mkdir()

    settings = read(folder, 'include = ["m*.toml"]', more=A)

    assert [spec.name for spec in settings.services] == ["a"]


def test_files_may_share_a_section_but_not_a_key_or_a_name(tmp_path: Path) -> None:
    text = (
        'include = ["more.toml"]\n[alerts]\nconfirm = 2\n[defaults.stop]\nsignal = "INT"\n'
        '[service.a]\ncommand = "x"\n'
    )

    found = problems(
        tmp_path,
        text,
        more='include = []\n[alerts]\nconfirm = 4\nremind = false\n[defaults.stop]\ntimeout = "1s"\nsignal = "TERM"\n'
        "[service.a.stop]\n",
    )

    assert found == [
        "more.toml:1: only the main file may include others",
        "more.toml:3: alerts.confirm is defined twice: here and at holdfast.toml:3; keep one of them",
        "more.toml:7: defaults.stop.signal is defined twice: here and at holdfast.toml:5; keep one of them",
        "more.toml:8: service.a is defined twice: here and at holdfast.toml:6; keep one of them",
    ]


def test_sections_of_several_files_make_one(tmp_path: Path) -> None:
    text = f'include = ["more.toml"]\n[defaults.stop]\nsignal = "INT"\n{A}'

    settings = read(
        tmp_path, text, more='[defaults.stop]\ntimeout = "1s"\n[alerts]\nconfirm = 9\n'
    )

    assert settings.services[0].stop == StopPolicy(signal="INT", timeout=1.0)
    assert settings.alerts.confirm == 9


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are of another kind there")
def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("hidden")
    secret.chmod(0o644)
    text = '[hub]\nurl = "https://hub.example:8484"\ntoken_file = "token"'

    assert problems(tmp_path, text) == [
        'holdfast.toml:3: hub.token_file = "token": every user of this machine can read the secret; run: chmod 600 token'
    ]
    secret.chmod(0o600)
    assert read(tmp_path, text).hub.token_file == str(secret)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "[::1]:8484", "localhost:0", "127.9.9.9:80"])
def test_a_loopback_address_needs_no_tls(tmp_path: Path, listen: str) -> None:
    assert read(tmp_path, f'[hub]\nlisten = "{listen}"').hub.listen == listen


@pytest.mark.parametrize("listen", [":8484", "0.0.0.0:1", "[::]:1", "hub.example:80"])
def test_any_other_address_needs_tls_or_a_proxy(tmp_path: Path, listen: str) -> None:
    (found,) = problems(tmp_path, f'[hub]\nlisten = "{listen}"')

    assert "is open to other machines without TLS" in found
    text = f'[hub]\nlisten = "{listen}"\nbehind_proxy = true'
    assert read(tmp_path, text).hub.listen == listen


def test_the_machine_is_named_after_its_host_unless_told(tmp_path: Path) -> None:
    assert read(tmp_path, "").machine
    assert read(tmp_path, '[machine]\nname = "Box-1.lan"').machine == "Box-1.lan"


def test_a_file_with_a_byte_order_mark_and_windows_lines_is_read(tmp_path: Path) -> None:
    text = "\ufeff" + A.replace("\n", "\r\n") + "\r\nzz = 1\r\n"

    assert problems(tmp_path, text)[0].startswith("holdfast.toml:4: unknown key `zz` in service.a")


def test_the_named_file_wins_then_the_variable_then_the_folder_then_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    own = tmp_path / "config" / "holdfast"
    here.mkdir()
    own.mkdir(parents=True)
    monkeypatch.chdir(here)
    for path in (tmp_path / "named.toml", tmp_path / "var.toml", own / "holdfast.toml"):
        path.touch()
    Path("holdfast.toml").touch()
    named = str(tmp_path / "named.toml")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "APPDATA": str(tmp_path / "config")}
    with_variable = environ | {"HOLDFAST_CONFIG": str(tmp_path / "var.toml")}

    assert find(named, with_variable) == Path(named)
    assert find(None, with_variable) == tmp_path / "var.toml"
    assert find(None, environ) == Path("holdfast.toml")
    Path("holdfast.toml").unlink()
    if sys.platform != "darwin":
        assert find(None, environ) == own / "holdfast.toml"


def test_a_missing_file_is_told_with_what_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path)}

    with pytest.raises(ConfigError) as caught:
        find(None, environ)
    assert str(tmp_path / "holdfast.toml") in str(caught.value)
    assert str(tmp_path / ".config") in str(caught.value) or sys.platform != "linux"
    assert str(caught.value).endswith("create one with: holdfast init")

    with pytest.raises(ConfigError, match=r"^x.toml: there is no such file; create one with"):
        find("x.toml", environ)
    with pytest.raises(ConfigError, match=r"no such file \(from \$HOLDFAST_CONFIG\)"):
        find(None, {"HOLDFAST_CONFIG": "y.toml"})


def test_what_is_valid_and_not_acted_on_is_noted_once_a_kind(tmp_path: Path) -> None:
    text = (
        f'{A}[agent.a1]\nrole = "b"\ncommand = "true"\n[agent.b1]\nrole = "b"\ncommand = "true"\n'
        "[tasks]\n"
    )

    noted = [line.removeprefix(f"{tmp_path}{os.sep}") for line in read(tmp_path, text).notes]

    assert any("agent.a1 and 1 more: not acted on by this version" in line for line in noted)
    assert any(line.endswith("tasks are not served yet") for line in noted)
    assert read(tmp_path, A).notes == ()
