"""File systems are told apart by the mount table."""

from pathlib import Path

import pytest

from art_training.stores.mounts import file_system, network_file_system

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw
31 30 8:2 / /home/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:42 / /drive rw - fuse.gcsfuse bucket rw
34 22 0:43 / /merged rw - fuse.mergerfs a:b rw
35 22 0:44 / /over rw - nfs server:/x rw
36 35 0:45 / /over rw - tmpfs tmpfs rw
broken line
"""


@pytest.mark.parametrize(
    ("folder", "kind", "network"),
    [
        ("/", "ext4", ""),
        ("/srv/x", "ext4", ""),
        ("/home/ada/p", "nfs4", "nfs4"),
        ("/homeless", "ext4", ""),
        ("/home/local/p", "xfs", ""),
        ("/mnt/my share/p", "cifs", "cifs"),
        ("/drive", "fuse.gcsfuse", "fuse.gcsfuse"),
        ("/merged/p", "fuse.mergerfs", ""),
        ("/over/p", "tmpfs", ""),
    ],
)
def test_the_deepest_mount_decides(tmp_path: Path, folder: str, kind: str, network: str) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    assert file_system(Path(folder), table) == kind
    assert network_file_system(Path(folder), table) == network


def test_a_system_that_does_not_say_is_not_suspected(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "missing") == ""


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert isinstance(file_system(tmp_path), str)
