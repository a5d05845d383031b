"""On what kind of file system a folder lies."""

from functools import lru_cache
from pathlib import Path

# Other machines may write to these at the same time, or they do not share memory maps between processes.
_NETWORK = frozenset(
    [
        "9p",
        "acfs",
        "afs",
        "afp",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "prl_fs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "webdav",
        "wekafs",
    ]
)
# Most file systems in user space are a bridge to somewhere else (sshfs, s3fs, gcsfuse, a drive in a notebook service).
_LOCAL_IN_USER_SPACE = frozenset(
    f"fuse.{name}"
    for name in ["bindfs", "cryfs", "encfs", "exfat", "fuse-overlayfs", "gocryptfs", "mergerfs", "ntfs-3g", "overlayfs"]
)


def network_file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the network file system that `folder` lies on; empty where it is none, or the system does not say."""
    kind = file_system(folder, mounts)
    bridge = kind.partition(".")[0] == "fuse" and kind not in _LOCAL_IN_USER_SPACE
    return kind if bridge or kind in _NETWORK else ""


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system that `folder` lies on, e.g. `ext4`; empty where the system does not say (not Linux)."""
    try:
        table = _read(mounts)
    except OSError:
        return ""
    place = folder.absolute().resolve()
    found = [
        (len(point.parts), number, kind) for number, (point, kind) in enumerate(table) if place.is_relative_to(point)
    ]
    return max(found)[2] if found else ""  # The deepest mount point; of two on one point, the later lies on top.


def _read(mounts: Path) -> tuple[tuple[Path, str], ...]:
    """Mount points with their types: fields 5 and, after the separator `-`, 1 of `mountinfo` (see proc(5))."""
    return _parse(mounts.read_text(encoding="utf-8", errors="surrogateescape"))


@lru_cache(maxsize=4)
def _parse(text: str) -> tuple[tuple[Path, str], ...]:
    table: list[tuple[Path, str]] = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) > 4 and kind:
            table.append((Path(_unescaped(fields[4])), kind))
    return tuple(table)


def _unescaped(field: str) -> str:
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(octal, character)
    return field
