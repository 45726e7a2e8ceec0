"""Every module has its tests where a reader looks for them."""

from pathlib import Path

import pytest

import holdfast

SOURCE = Path(holdfast.__file__).parent
TESTS = Path(__file__).parents[1]

ELSEWHERE = {
    # The reading of holdfast.toml is one pipeline; its parts are tested by what a file turns into.
    "config/agree.py": "config/test_load.py",
    "config/crosscheck.py": "config/test_load.py",
    "config/kinds/amounts.py": "config/test_load.py",
    "config/kinds/base.py": "config/test_load.py",
    "config/kinds/paths.py": "config/test_load.py",
    "config/kinds/process.py": "config/test_load.py",
    "config/notes.py": "config/test_load.py",
    "config/origin.py": "config/test_load.py",
    "config/read.py": "config/test_load.py",
    "config/sections/base.py": "config/test_schema.py",
    "config/sections/machine.py": "config/test_load.py",
    "config/sections/service.py": "config/test_load.py",
    "config/sections/watching.py": "config/test_load.py",
    "config/sections/work.py": "config/test_load.py",
    "config/settings.py": "config/test_load.py",
    "config/shape.py": "config/test_schema.py",
    "config/sources.py": "config/test_load.py",
    "config/specs.py": "config/test_load.py",
    "config/toml.py": "config/test_show.py",
    "config/unfit.py": "config/test_load.py",
    "cli/options/records.py": "cli/test_commands.py",
    "cli/options/services.py": "cli/test_commands.py",
    "cli/options/setup.py": "cli/test_commands.py",
    "cli/options/shared.py": "cli/test_commands.py",
    "cli/options/alerting.py": "cli/test_commands.py",
    "cli/options/backup.py": "cli/test_commands.py",
    "cli/options/hub.py": "cli/test_commands.py",
    # Declarations without a decision of their own.
    "model/alert.py": "rules/test_alerting.py",
    "model/backup.py": "rules/test_backups.py",
    "model/check.py": "rules/test_freshness.py",
    "model/hub.py": "config/test_hub.py",
    "model/message.py": "rules/test_batching.py",
    "model/notice.py": "machine/supervisor/test_notices.py",
    "model/project.py": "config/test_backups.py",
    "hub/parts.py": "hub/test_run.py",
    "hub/store/interface.py": "hub/store/test_sqlite.py",
    "cli/checkups/finding.py": "cli/test_doctor.py",
    "model/beat.py": "rules/test_liveness.py",
    "model/event.py": "rules/test_supervise.py",
    # The steps of one write, tested by failing each of them in turn.
    "statefile/draft.py": "statefile/test_write.py",
    "statefile/durability.py": "statefile/test_write.py",
    "statefile/system/flock.py": "statefile/test_lock.py",
    "statefile/metadata.py": "statefile/test_write.py",
    "statefile/system/ops.py": "statefile/test_write.py",
    "statefile/place.py": "statefile/test_write.py",
    "statefile/system/this.py": "statefile/test_write.py",
    # Bindings that only another operating system can run.
    "statefile/system/kernel32.py": "statefile/system/test_windows.py",
    "machine/process/kernel32.py": "machine/process/test_windows.py",
    # The parts of one program, tested together as real processes.
    "machine/watchdog/callers.py": "machine/watchdog/test_run.py",
    "machine/watchdog/talk.py": "machine/watchdog/test_run.py",
    # The steps of one engine, tested by what a snapshot and a restore turn into, and by ending them at each.
    "machine/backup/copy_restore.py": "machine/backup/test_copy.py",
    "machine/backup/copy_take.py": "machine/backup/test_copy.py",
    "machine/backup/copy_verify.py": "machine/backup/test_copy.py",
    "machine/backup/engine.py": "machine/backup/test_evidence.py",
    "machine/backup/manifest.py": "machine/backup/test_copy.py",
    "machine/backup/place.py": "machine/backup/test_copy.py",
    "machine/backup/progress.py": "machine/backup/test_run.py",
    "machine/backup/record.py": "machine/backup/test_run.py",
    "machine/backup/retention.py": "machine/backup/test_run.py",
    "machine/backup/scan.py": "machine/backup/test_copy.py",
    "machine/backup/telling.py": "machine/backup/test_run.py",
    "machine/backup/tree.py": "machine/backup/test_copy.py",
    "cli/bar.py": "cli/test_backup.py",
    "cli/backup_edit.py": "cli/test_backup.py",
    "cli/database.py": "cli/test_hub.py",
    # The parts of one way in and of one decision, tested from its front.
    "hub/outbox/condition.py": "hub/outbox/test_deliveries.py",
    "hub/probes/command.py": "hub/probes/test_look.py",
    "hub/probes/fetch.py": "hub/probes/test_look.py",
    "hub/probes/file.py": "hub/probes/test_look.py",
    "hub/probes/http.py": "hub/probes/test_look.py",
    "hub/probes/tcp.py": "hub/probes/test_look.py",
    "hub/situation.py": "hub/test_sweep.py",
    "hub/web/alerting.py": "hub/web/test_api.py",
    "hub/web/asked.py": "hub/web/test_api.py",
    "hub/web/bodies.py": "hub/web/test_front.py",
    "hub/web/checks.py": "hub/web/test_api.py",
    "hub/web/openapi.py": "hub/web/test_api.py",
    "hub/web/problem.py": "hub/web/test_api.py",
    "hub/web/serve.py": "hub/test_run.py",
    "hub/web/status.py": "hub/web/test_api.py",
    "hub/web/tokens.py": "hub/web/test_api.py",
    "rules/telling.py": "rules/test_alerting.py",
    # Shapes without a decision of their own.
    "machine/keeping.py": "machine/output/test_pipes.py",
    "machine/supervisor/care/attendant.py": "machine/supervisor/test_loop.py",
    "machine/supervisor/parts.py": "machine/supervisor/test_loop.py",
    "machine/supervisor/staff.py": "machine/supervisor/test_run.py",
    # The two ends of one pump.
    "machine/output/sink.py": "machine/output/test_pipes.py",
    "machine/output/streams.py": "machine/output/test_pipes.py",
}
"""Modules whose tests stand elsewhere, and where."""


def modules() -> list[str]:
    """Return every module that has something to test."""
    found = (path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    return sorted(str(path) for path in found if not path.stem.startswith("__"))


def mirror_of(module: str) -> Path:
    """Return where the tests of a module belong."""
    return TESTS / Path(module).with_name(f"test_{Path(module).name}")


@pytest.mark.parametrize("module", modules())
def test_every_module_has_a_test_file_at_its_mirror_place(module: str) -> None:
    place = TESTS / ELSEWHERE[module] if module in ELSEWHERE else mirror_of(module)
    assert place.exists()
    assert "\ndef test_" in place.read_text(encoding="utf-8")


@pytest.mark.parametrize("module", ELSEWHERE)
def test_only_what_has_no_mirror_is_listed_as_tested_elsewhere(module: str) -> None:
    assert (SOURCE / module).exists()
    assert not mirror_of(module).exists()


def test_no_two_folders_of_tests_form_a_package() -> None:
    assert list(TESTS.rglob("__init__.py")) == []
