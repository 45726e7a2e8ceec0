"""What the hub is told of a configuration: its own sections, and the checks jobs and backups make."""

from pathlib import Path

import pytest

from holdfast.config.hub import checks_of, hub_settings
from holdfast.config.load import load
from holdfast.config.settings import Settings
from holdfast.errors import ConfigError
from holdfast.model.check import CheckKind, CheckSpec, Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Delivery
from holdfast.model.wire import from_plain, to_plain


def settings(folder: Path, text: str) -> Settings:
    path = folder / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def checks(folder: Path, text: str) -> dict[str, CheckSpec]:
    return {one.name: one for one in checks_of(settings(folder, text))}


def test_jobs_and_backups_make_checks_that_bear_their_names(tmp_path: Path) -> None:
    found = checks(
        tmp_path,
        """
        [alerts]
        warning_after = "10h"
        critical_after = "20h"
        [backup.notes]
        path = "notes"
        critical_after = "30h"
        [backup.old]
        path = "old"
        enabled = false
        [job.report]
        command = "true"
        schedule = "0 7 * * *"
        timezone = "Europe/Berlin"
        timeout = "1h"
        """,
    )

    assert list(found) == ["notes", "report"]
    notes, report = found["notes"], found["report"]
    assert (notes.kind, notes.warning_after, notes.critical_after) == (
        CheckKind.BACKUP,
        36_000.0,
        108_000.0,
    )
    assert (report.kind, report.schedule, report.timezone) == (
        CheckKind.JOB,
        "0 7 * * *",
        "Europe/Berlin",
    )
    assert (report.grace, report.timeout) == (900.0, 3600.0)


def test_checks_that_the_hub_makes_by_itself_have_a_rhythm_and_a_limit(tmp_path: Path) -> None:
    found = checks(
        tmp_path,
        """
        [check.site]
        kind = "http"
        url = "http://127.0.0.1:1/healthz"
        [check.port]
        kind = "tcp"
        address = "127.0.0.1:1"
        period = "5s"
        timeout = "1s"
        [check.fresh]
        kind = "command"
        command = ["./look", "here"]
        depends_on = ["site"]
        [check.export]
        kind = "ping"
        period = "1h"
        confirm = 1
        flapping = false
        """,
    )

    assert (found["site"].target, found["site"].period) == (("http://127.0.0.1:1/healthz",), 60.0)
    assert (found["port"].period, found["port"].timeout) == (5.0, 1.0)
    assert (found["fresh"].target, found["fresh"].cwd) == (
        (str(tmp_path / "look"), "here"),
        str(tmp_path),
    )
    assert found["fresh"].depends_on == ("site",)
    export = found["export"]
    assert (export.period, export.timeout, export.confirm, export.flapping) == (
        3600.0,
        None,
        1,
        False,
    )


def test_all_of_it_travels_to_the_hub_and_back(tmp_path: Path) -> None:
    told = hub_settings(
        settings(
            tmp_path,
            """
            [machine]
            name = "laptop"
            [hub]
            listen = "127.0.0.1:9000"
            [alerts]
            quiet_hours = "22-07"
            last_resort = { command = ["logger", "-t", "holdfast"] }
            dead_man_url = "https://example.org/ping"
            [notify.phone]
            url = "webhook+https://example.org/hook"
            severities = ["critical"]
            escalate_after = "1h"
            delivery = "at-most-once"
            [maintenance.sunday]
            schedule = "0 3 * * 0"
            duration = "2h"
            checks = ["db-*"]
            """,
        )
    )

    assert (told.machine, told.listen, told.listen_chosen) == ("laptop", "127.0.0.1:9000", True)
    assert told.policy.quiet_hours == (22, 7)
    assert told.last_resort_command == ("logger", "-t", "holdfast")
    phone = told.channels[0]
    assert (phone.severities, phone.escalate_after) == ((Severity.CRITICAL,), 3600.0)
    assert phone.delivery is Delivery.AT_MOST_ONCE
    assert (told.maintenance[0].checks, told.maintenance[0].duration) == (("db-*",), 7200.0)
    assert from_plain(HubSettings, to_plain(told)) == told


def test_the_default_address_was_chosen_by_nobody(tmp_path: Path) -> None:
    assert hub_settings(settings(tmp_path, "")).listen_chosen is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[check.a]\nkind = "ping"\nperiod = "1h"\ndepends_on = ["b"]\n', "depends on `b`"),
        (
            '[check.a]\nkind = "ping"\nperiod = "1h"\nwarning_after = "2h"\ncritical_after = "1h"\n',
            "longer than warning_after",
        ),
        ('[notify.a]\nurl = "ntfy://b"\nsecret_file = "key"\n', "webhooks only"),
    ],
)
def test_what_does_not_agree_is_refused_with_its_place(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "key").touch(mode=0o600)
    with pytest.raises(ConfigError, match=told):
        settings(tmp_path, text)
