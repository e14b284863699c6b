"""Local disks and network file systems, by the kernel's own table."""

from pathlib import Path

import pytest

from modelyard.cli.folders import check_local, disk_kind, is_network
from modelyard.core.errors import Misconfigured

MOUNTS = """\
/dev/vda1 / ext4 rw 0 0
server:/models {top}/models nfs4 rw 0 0
/dev/vdb1 {top}/models/local ext4 rw 0 0
//server/share {top}/with\\040space cifs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_text(MOUNTS.format(top=tmp_path))
    return path


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("", "ext4"),
        ("models", "nfs4"),
        ("models/a/b", "nfs4"),
        ("models/local/a", "ext4"),
        ("with space/x", "cifs"),
        ("modelsx", "ext4"),
    ],
)
def test_the_innermost_mount_decides(tmp_path: Path, mounts: Path, folder: str, kind: str) -> None:
    assert disk_kind(tmp_path / folder, mounts) == kind


def test_a_link_is_followed(tmp_path: Path, mounts: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "models")
    assert disk_kind(tmp_path / "home", mounts) == "nfs4"


def test_sqlite_on_a_network_file_system_is_refused_with_the_mend(tmp_path: Path, mounts: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nfs4.*--home.*MODELYARD_ARTIFACTS"):
        check_local(tmp_path / "models", mounts)
    check_local(tmp_path, mounts)


def test_where_the_kernel_does_not_tell_nothing_is_refused(tmp_path: Path) -> None:
    assert disk_kind(tmp_path, tmp_path / "none") is None
    check_local(tmp_path, tmp_path / "none")


def test_this_machines_own_table_can_be_read(tmp_path: Path) -> None:
    kind = disk_kind(tmp_path)
    assert kind
    assert not is_network(kind)
