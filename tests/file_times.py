"""Whether times of files tell that they changed (tools/file_times.cc); where not, digests are not remembered."""
import subprocess


def file_system(path):
    return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True).stdout.strip()


def times_tell(path):
    return file_system(path) not in ("tmpfs", "ramfs", "fuse", "fuseblk", "squashfs")
