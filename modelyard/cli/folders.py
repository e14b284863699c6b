"""What kind of disk a folder lies on: SQLite's write-ahead log needs shared memory, which no network has."""

from pathlib import Path

from modelyard.core.errors import Misconfigured

NETWORK = frozenset(
    {
        "9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs",
        "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "ocfs2", "smb3", "smbfs",
    }
)  # fmt: skip
MOUNTS = Path("/proc/self/mounts")


def disk_kind(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the file system that holds `folder`, as the kernel names it; None where it does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = folder.resolve()
    best: tuple[int, str] | None = None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        if (point == place or point in place.parents) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2])
    return best[1] if best else None


def is_network(kind: str | None) -> bool:
    """Tell whether a file system of this type is shared between machines."""
    return kind in NETWORK


def check_local(folder: Path, mounts: Path = MOUNTS) -> None:
    """Check that `folder` is on a disk of this machine.

    Raises:
        Misconfigured: when it is on a network file system, where SQLite loses data.
    """
    kind = disk_kind(folder, mounts)
    if is_network(kind):
        raise Misconfigured(
            f"the home folder {folder} is on a network file system ({kind}), where SQLite loses data: choose a local "
            "folder with --home; artifacts and exchange may stay there, with MODELYARD_ARTIFACTS and MODELYARD_EXCHANGE"
        )
