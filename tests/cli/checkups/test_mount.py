import sys
from pathlib import Path

import pytest

from holdfast.cli.checkups.mount import Mount, find, mount_of

TABLE = [
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n",
    "30 27 0:27 / /srv/my\\040data rw shared:1 master:2 - nfs4 host:/x rw,vers=4.2\n",
    "31 27 0:28 / /var rw - overlay overlay rw,lowerdir=/a,volatile\n",
    "32 27 0:29 / /var rw - tmpfs tmpfs rw\n",
]


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        ("/home", "/", "ext4"),
        ("/", "/", "ext4"),
        ("/srv/my data/home", "/srv/my data", "nfs4"),
        ("/srv/my database", "/", "ext4"),
        ("/var", "/var", "tmpfs"),
    ],
)
def test_a_folder_lies_on_the_deepest_and_newest_mount(path: str, point: str, kind: str) -> None:
    found = find(TABLE, path)

    assert found is not None
    assert (found.point, found.kind) == (point, kind)


def test_options_of_the_file_system_are_told() -> None:
    assert find(TABLE[:3], "/var/x") == Mount(
        point="/var", kind="overlay", options=frozenset({"rw", "lowerdir=/a", "volatile"})
    )


def test_without_a_table_nothing_is_known() -> None:
    assert find([], "/x") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_mount_of_a_folder_here_is_found(tmp_path: Path) -> None:
    found = mount_of(tmp_path)

    assert found is not None
    assert str(tmp_path.resolve()).startswith(found.point)


def test_other_platforms_do_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert mount_of(tmp_path) is None
