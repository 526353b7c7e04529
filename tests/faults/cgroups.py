"""Control groups of this machine, v1 or v2, for tests: made below the group that the test is in, or at the root, and removed again."""
import contextlib, os, pathlib, re, subprocess, sys, time, unittest

HOLD = """
import mmap, pathlib, sys
usage, used = pathlib.Path(sys.argv[1]), int(sys.argv[2])
try:
    pathlib.Path("/proc/self/oom_score_adj").write_text("-1000")
except OSError:
    pass
held = []
while (missing := used - int(usage.read_text())) > 0:
    held.append(mmap.mmap(-1, missing, mmap.MAP_PRIVATE))
    for at in range(0, missing, mmap.PAGESIZE):
        held[-1][at] = 1
print("held", flush=True)
sys.stdin.read()
"""
ROOT = pathlib.Path("/sys/fs/cgroup")


def parents_of(controller):
    """Folders where a group of this controller may be made, the likeliest first, each with its version."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            yield ROOT / controllers / path.lstrip("/"), 1
            yield ROOT / controllers, 1
        elif number == "0":
            # Groups with processes have no children with controllers; the root may.
            for mount in (ROOT, ROOT / "unified"):
                yield mount, 2


class Group:
    """A group of its own, for the processes that enter() is called in. Raises SkipTest, with the reason, where there can be none."""

    def __init__(self, controller, v1, v2):
        """`v1` and `v2`: what to write into which of its files."""
        reasons = []
        for parent, version in parents_of(controller):
            try:
                if version == 2:
                    if controller not in (parent / "cgroup.controllers").read_text().split():
                        raise OSError(f"{parent} has no controller {controller}")
                    if controller not in (parent / "cgroup.subtree_control").read_text().split():
                        (parent / "cgroup.subtree_control").write_text("+" + controller)
                self.folder = parent / f"weft-test-{os.getpid()}-{time.monotonic_ns()}"
                self.folder.mkdir()
                self.version = version
                for name, value in (v1 if version == 1 else v2).items():
                    (self.folder / name).write_text(str(value))
                return
            except OSError as error:
                reasons.append(str(error))
                if getattr(self, "folder", None) and self.folder.exists():
                    self.folder.rmdir()
        raise unittest.SkipTest(f"NOT TESTED: no control group of {controller} can be made here ({'; '.join(reasons) or 'no hierarchy has it'})")

    def enter(self):
        """For subprocess's preexec_fn."""
        (self.folder / "cgroup.procs").write_text("0" if self.version == 1 else str(os.getpid()))

    @contextlib.contextmanager
    def holding(self, used):
        """So many bytes of a group of memory are taken meanwhile, by a process that the kernel ends last."""
        usage = self.folder / ("memory.usage_in_bytes" if self.version == 1 else "memory.current")
        holder = subprocess.Popen([sys.executable, "-c", HOLD, str(usage), str(used)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  preexec_fn=self.enter)
        try:
            if holder.stdout.readline() != "held\n":
                raise unittest.SkipTest(f"NOT TESTED: {used} bytes cannot be held in a control group")
            yield
        finally:
            holder.communicate()

    def throttled(self):
        """In how many periods the group of CPUs used its quota up."""
        return int(re.search(r"(?m)^nr_throttled (\d+)$", (self.folder / "cpu.stat").read_text())[1])

    def remove(self):
        for _ in range(200):
            try:
                return self.folder.rmdir()
            except OSError:  # its last process is just going
                time.sleep(0.01)
        self.folder.rmdir()


def cpu_quota(cpus):
    period = 100000
    quota = int(cpus * period)
    return Group("cpu", {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota}, {"cpu.max": f"{quota} {period}"})


def memory_limit(mebibytes):
    limit = mebibytes << 20
    return Group("memory", {"memory.limit_in_bytes": limit}, {"memory.max": limit})
