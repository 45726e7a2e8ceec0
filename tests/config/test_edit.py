"""A backup is added to and removed from a file of a person, who finds everything else as it was."""

import stat
import sys
from pathlib import Path

import pytest

from holdfast.config.edit import add_backup, remove_backup
from holdfast.config.load import load
from holdfast.errors import ConfigError, Refused, UnknownName

NOTES = {"path": "/srv/notes"}

COMMENTED = """\
# Our machine; ask Ann before you change it.
[service.api]
command = ["sleep", "9"]   # never ends

# What must not be lost.
[backup.photos]
path = "/srv/photos"
# exclude = ["*.raw"]

[backup.photos.keep]
daily = 30

# The reports
[job.report]
command = ["true"]
"""


def file(tmp_path: Path, text: str, name: str = "holdfast.toml") -> Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    return path


def test_a_table_is_added_behind_everything_and_nothing_else_changes(tmp_path: Path) -> None:
    path = file(tmp_path, COMMENTED)
    path.chmod(0o640)

    changed = add_backup(path, "notes", {**NOTES, "exclude": ["*.tmp"]}, {})

    assert changed == path
    added = '\n[backup.notes]\npath = "/srv/notes"\nexclude = ["*.tmp"]\n'
    assert path.read_text(encoding="utf-8") == COMMENTED + added
    assert load(path, {}).backups["notes"].exclude == ("*.tmp",)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_was_added_can_be_removed_without_a_trace(tmp_path: Path) -> None:
    for text in (COMMENTED, "", COMMENTED.replace("\n", "\r\n"), "\ufeff" + COMMENTED):
        path = file(tmp_path, text)
        add_backup(path, "notes", NOTES, {})
        remove_backup(path, "notes", {})
        assert path.read_bytes().decode().rstrip("\r\n") == text.rstrip("\r\n")


def test_a_file_that_does_not_end_its_last_line_is_no_trap(tmp_path: Path) -> None:
    path = file(tmp_path, '[machine]\nname = "a"')
    add_backup(path, "notes", NOTES, {})
    assert load(path, {}).backups["notes"].path == "/srv/notes"


def test_a_table_is_removed_with_its_parts_and_every_comment_around_it_stays(
    tmp_path: Path,
) -> None:
    path = file(tmp_path, COMMENTED)

    remove_backup(path, "photos", {})

    assert path.read_text(encoding="utf-8") == (
        "# Our machine; ask Ann before you change it.\n"
        '[service.api]\ncommand = ["sleep", "9"]   # never ends\n\n'
        "# What must not be lost.\n\n"
        '# The reports\n[job.report]\ncommand = ["true"]\n'
    )


def test_tables_written_otherwise_are_edited_too(tmp_path: Path) -> None:
    for text in (
        'backup = { photos = { path = "/a" } }   # all of them\n',
        '[backup]\nphotos = { path = "/a" }   # inline\n',
        '[backup]\nphotos.path = "/a"\n',
        "[backup.'photos'] # quoted\npath = '''\n/a'''\n",
        '[ backup . photos ]\npath = "/a"\nexclude = [\n  "[a]",\n  "b",\n]\n',
    ):
        path = file(tmp_path, text + "\n[machine]\nname = 'a' # ours\n")
        add_backup(path, "notes", NOTES, {})
        assert set(load(path, {}).backups) == {"notes", "photos"}
        remove_backup(path, "photos", {})
        remove_backup(path, "notes", {})
        left = load(path, {})
        assert (set(left.backups), left.machine) == (set(), "a")
        assert "# ours" in path.read_text(encoding="utf-8")


def test_a_header_inside_a_text_is_no_header(tmp_path: Path) -> None:
    text = (
        '[backup.notes]\npath = "/a"\n\n'
        "[service.api]\ncommand = ['sh', '-c', '''\n[backup.notes]\npath = x\n''']\n"
    )
    path = file(tmp_path, text)
    remove_backup(path, "notes", {})
    assert "[backup.notes]\npath = x" in load(path, {}).services[0].command[2]


def test_a_backup_of_an_included_file_is_removed_there(tmp_path: Path) -> None:
    part = file(tmp_path, '[backup.notes]\npath = "/a"\n# end\n', "conf.d/notes.toml")
    main_text = 'include = ["conf.d/*.toml"]\n'
    main = file(tmp_path, main_text)

    with pytest.raises(Refused, match=r"conf\.d/notes\.toml:1"):
        add_backup(main, "notes", NOTES, {})
    assert remove_backup(main, "notes", {}) == part

    assert main.read_text(encoding="utf-8") == main_text
    assert load(main, {}).backups == {}


def test_a_file_that_is_not_there_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    add_backup(path, "notes", NOTES, {})
    settings = load(path, {})
    assert (set(settings.backups), settings.services) == ({"notes"}, ())
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_would_not_load_is_never_written(tmp_path: Path) -> None:
    text = '[service.notes]\ncommand = ["true"]\n'
    path = file(tmp_path, text)
    for name, table in (
        ("notes", NOTES),
        ("Photos", NOTES),
        ("hub", NOTES),
        ("photos", {"path": "/a", "engine": "rsync"}),
        ("photos", {}),
        ("photos", {"path": "/srv/a", "repository": "/srv"}),
    ):
        with pytest.raises(ConfigError):
            add_backup(path, name, table, {})
        with pytest.raises(ConfigError):
            add_backup(tmp_path / "other.toml", "Bad name", table, {})
        assert path.read_text(encoding="utf-8") == text
        assert not (tmp_path / "other.toml").exists()


def test_a_file_that_is_wrong_already_is_left_alone_and_told(tmp_path: Path) -> None:
    text = "[service.api]\ncomand = 'true'\n"
    path = file(tmp_path, text)
    with pytest.raises(ConfigError, match="comand"):
        add_backup(path, "notes", NOTES, {})
    with pytest.raises(ConfigError, match="comand"):
        remove_backup(path, "notes", {})
    assert path.read_text(encoding="utf-8") == text


def test_a_name_nobody_bears_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, COMMENTED)
    with pytest.raises(UnknownName, match="known: photos"):
        remove_backup(path, "notes", {})
