"""From the section of a backup to what is backed up, and to the job that does it."""

import sys
from pathlib import Path

import pytest

from holdfast.config.backups import backup_jobs, backups_of
from holdfast.config.load import load
from holdfast.config.settings import Settings
from holdfast.errors import ConfigError
from holdfast.model.backup import BackupSpec, EngineName
from holdfast.model.job import Overlap
from holdfast.model.project import Project
from holdfast.model.spec import When
from holdfast.model.wire import from_plain, to_plain


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "holdfast.toml"
    path.write_text(f'[machine]\nname = "laptop"\n{text}', encoding="utf-8")
    return load(path, {})


def project(tmp_path: Path, text: str, home: Path = Path("/home")) -> Project:
    return backups_of(settings(tmp_path, text), home)[0]


def test_what_the_section_says_reaches_the_engine(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    found = project(
        tmp_path,
        """
        [alerts]
        warning_after = "5h"
        critical_after = "9h"
        [backup.notes]
        path = "notes/"
        repository = "sftp:ann@host:/b"
        password_file = "password"
        exclude = ["*.tmp"]
        engine = "restic"
        verify_every = "3d"
        critical_after = "7h"
        on_change = "never"
        timezone = "Europe/Berlin"
        keep = { daily = 30 }
        """,
    )
    assert (found.name, found.path, found.host) == ("notes", str(tmp_path / "notes"), "laptop")
    assert (found.repository, found.engine) == ("sftp:ann@host:/b", EngineName.RESTIC)
    assert (found.password_file, found.exclude) == (str(secret), ("*.tmp",))
    assert (found.warning_after, found.critical_after) == (5 * 3600.0, 7 * 3600.0)
    assert (found.verify_every, found.timezone) == (3 * 86_400.0, "Europe/Berlin")
    assert (found.keep.daily, found.keep.weekly) == (30, 4)
    assert (found.on_change, found.enabled) == (None, True)


def test_what_is_not_said_stands_in_the_state_folder(tmp_path: Path) -> None:
    found = project(tmp_path, '[backup.notes]\npath = "/srv/notes"\n', Path("/state"))
    assert found.repository == "/state/repository"
    assert found.password_file == "/state/repository-password"
    assert (found.engine, found.on_change, found.exclude) == (None, 60.0, ())


def test_it_is_remembered_and_read_again_as_it_was(tmp_path: Path) -> None:
    found = project(tmp_path, '[backup.notes]\npath = "/srv/notes"\nenabled = false\n')
    plain = to_plain(found)
    assert from_plain(Project, plain) == found
    assert from_plain(BackupSpec, plain).path == "/srv/notes"


def test_a_project_never_holds_its_own_repository_or_the_state_folder(tmp_path: Path) -> None:
    text = '[backup.all]\npath = "/home/ann"\nrepository = "/home/ann/x/backups"\n'
    found = project(tmp_path, text, Path("/home/ann/.local/state/holdfast"))
    assert found.exclude == ("/x/backups", "/.local/state/holdfast")


def test_a_project_within_its_repository_is_refused(tmp_path: Path) -> None:
    for path, repository in (("/a", "/a"), ("/a", "/a/"), ("/a/b", "/a"), ("/a/b", "/")):
        text = f'[backup.notes]\npath = "{path}"\nrepository = "{repository}"\n'
        with pytest.raises(ConfigError, match=r"holdfast\.toml:3: backup\.notes: the project"):
            project(tmp_path, text)


def test_a_project_within_the_state_folder_s_repository_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="within its repository"):
        project(tmp_path, '[backup.notes]\npath = "/home/repository/x"\n')
    load_path = tmp_path / "holdfast.toml"
    load_path.write_text('[backup.notes]\npath = "/a/b"\nrepository = "/a"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="within its repository"):
        load(load_path, {})  # what `config check` sees


def test_each_project_is_a_job_of_the_supervisor(tmp_path: Path) -> None:
    text = """
        [backup.notes]
        path = "/srv/notes"
        schedule = "*/5 * * * *"
        timezone = "UTC"
        [backup.photos]
        path = "/srv/photos"
        enabled = false
        """
    notes, photos = backup_jobs(settings(tmp_path, text), Path("/state"))
    assert notes.program.command[-2:] == ("backup-run", "notes")
    assert notes.program.command[0] == sys.executable
    assert (notes.schedule, notes.timezone, notes.overlap) == (
        "*/5 * * * *",
        "UTC",
        Overlap.QUEUE,
    )
    assert (notes.program.autostart, notes.program.restart.when) == (False, When.NEVER)
    assert (photos.schedule, photos.program.enabled) == ("@hourly", False)
