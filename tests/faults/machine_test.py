#!/usr/bin/env python3
"""Machines that lack something: places to write, memory, descriptors, file systems of the kernel, huge pages. Usage: machine_test.py path/to/weft
path/to/shim [unittest arguments]

What takes root happens in mount namespaces of its own and leaves nothing behind; elsewhere those tests are skipped, and say so."""
import ctypes, os, pathlib, shutil, subprocess, unittest

from faults import GREEDY, WEFT, FaultTest

WEFT_RUN = WEFT + "-run"
PR_SET_THP_DISABLE = 41


def can_mount():
    return subprocess.run(["unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0


NEEDS_MOUNTS = unittest.skipUnless(can_mount(), "NOT TESTED: no mount namespaces here; run as root in a container that allows them")


class MachineTest(FaultTest):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.model = self.copy("gpt2")
        self.plan = self.folder / "m.weft"
        self.succeeds("compile", self.model, "-o", self.plan)
        self.text = self.succeeds("run", self.plan, *GREEDY)
        shutil.rmtree(self.folder / "cache")

    def inside(self, mounts, program, *arguments, user=None, **variables):
        """Runs with what the shell commands `mounts` make in a mount namespace of its own."""
        as_user = f"setpriv --reuid={user} --regid={user} --clear-groups " if user else ""
        script = f'set -e; {mounts}; exec {as_user}"$0" "$@"'
        return subprocess.run(
            ["unshare", "-m", "--propagation", "private", "bash", "-c", script, program, *map(str, arguments)], input="", capture_output=True, text=True,
            timeout=120, env={**self.environment, **variables})

    def answers(self, result):
        self.assertEqual((result.returncode, result.stdout), (0, self.text), result.stderr)

    def runs_all(self, mounts, programs=None, **options):
        """A model, by the cache and without, and its plan, by both programs, or by what stands in for these."""
        for program, *arguments in ([WEFT, "run", self.model], [WEFT, "run", self.model, "--no-cache"], [WEFT, "run", self.plan], [WEFT_RUN, self.plan]):
            with self.subTest(command=arguments, mounts=mounts):
                self.answers(self.inside(mounts, (programs or {}).get(program, program), *arguments, *GREEDY, **options))


class Places(MachineTest):
    @NEEDS_MOUNTS
    def test_read_only(self):
        cache = self.folder / "cache"
        cache.mkdir()
        read_only = f"mount --bind {self.folder} {self.folder}; mount -o remount,ro,bind {self.folder}"
        self.runs_all(read_only)
        result = self.inside(read_only, WEFT, "run", self.model, *GREEDY)
        self.assertIn("is not kept: ", result.stderr)
        for command, message in ((["compile", self.model, "-o", self.folder / "new.weft"], "new.weft: .*Read-only file system .use a folder that can be written"),
                                 (["logits", self.plan, "--ids", "1", "-o", self.folder / "l"], "/l: .*Read-only file system"),
                                 (["synth", "tiny", "-o", self.folder / "s"], "/s.*Read-only file system"),
                                 (["pull", "plain/model"], "HF_HUB_OFFLINE")):
            result = self.inside(read_only, WEFT, *command)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertRegex(result.stderr, message)
        result = self.inside(read_only, WEFT, "cache", "list")
        self.assertEqual(result.returncode, 0, result.stderr)
        # A cache that was filled before is of use all the same.
        self.succeeds("run", self.model, *GREEDY)
        result = self.inside(read_only, WEFT, "run", self.model, *GREEDY)
        self.answers(result)
        self.assertNotIn("compiled", result.stderr)
        self.assertNotIn("is not kept", result.stderr)

    @NEEDS_MOUNTS
    def test_of_another_user(self):
        """Neither read nor written by who must not, and what others can write to is not run: the cache has a plan that would say something else."""
        self.succeeds("run", self.model, *GREEDY)
        cache = self.folder / "cache"
        (plan,) = (cache / "weft" / "plans").glob("*.weft")
        self.succeeds("compile", self.copy("gpt2-wide"), "-o", plan)
        self.assertNotEqual(self.succeeds("run", plan, *GREEDY), self.text)
        # The programs' own folder may be closed to others.
        programs = {name: shutil.copy(name, self.folder) for name in (WEFT, WEFT_RUN)}
        for mode in (0o755, 0o700, 0o777):
            cache.chmod(mode)
            (cache / "weft").chmod(mode)
            self.runs_all("true", user=65534, programs=programs)

    def test_home(self):
        del self.environment["XDG_CACHE_HOME"]
        for home in (None, "", "/nonexistent/home", str(self.plan)):
            if home is None:
                self.environment.pop("HOME", None)
            else:
                self.environment["HOME"] = home
            # Root can make any folder.
            user = 65534 if os.geteuid() == 0 else None
            programs = [shutil.copy(name, self.folder) for name in (WEFT, WEFT_RUN)]  # whose own folder may be closed to others
            for program, *arguments in ([programs[0], "run", self.model], [programs[0], "run", self.plan], [programs[1], self.plan]):
                prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
                result = self.weft(*arguments, *GREEDY, program=program, prefix=prefix)
                self.answers(result)
                self.assertEqual("is not kept: " in result.stderr, arguments[-1] == self.model)
            result = self.weft("pull", "plain/model")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, "set HOME or XDG_CACHE_HOME" if not home else "HF_HUB_OFFLINE")

    def test_the_cache_is_a_file(self):
        for name in ("", "weft", "weft/plans", "weft/code", "weft/digests"):
            cache = self.folder / "cache" / name
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_text("x")
            for program, *arguments in ([WEFT, "run", self.model], [WEFT, "run", self.plan], [WEFT_RUN, self.plan]):
                self.answers(self.weft(*arguments, *GREEDY, program=program))
            self.assertEqual(cache.read_text() if name != "weft/digests" else "x", "x")
            (shutil.rmtree if name else pathlib.Path.unlink)(self.folder / "cache")

    def test_temporary_folder(self):
        for temporary in ("/nonexistent", str(self.plan), ""):
            plan = self.folder / "new.weft"
            self.succeeds("compile", self.model, "-o", plan, TMPDIR=temporary)
            self.assertEqual(plan.read_bytes(), self.plan.read_bytes())

    @NEEDS_MOUNTS
    def test_no_temporary_folder_at_all(self):
        # The test's own lies below it, and the build may.
        shutil.copy(WEFT, self.folder / "weft-copy")
        mounts = f"mkdir /mnt/keep; mount --bind {self.folder} /mnt/keep; mount -t tmpfs -o ro none /tmp"
        result = self.inside(f"mount -t tmpfs none /mnt; {mounts}", "/mnt/keep/weft-copy", "compile", "/mnt/keep/gpt2", "-o", "/mnt/keep/new.weft")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stderr, "weft: /tmp: cannot create a folder in it: Read-only file system .*set TMPDIR")
        result = self.inside(f"mount -t tmpfs none /mnt; {mounts}", "/mnt/keep/weft-copy", "compile", "/mnt/keep/gpt2", "-o", "/mnt/keep/new.weft", TMPDIR="/mnt/keep")
        self.assertEqual(result.returncode, 0, result.stderr)


@NEEDS_MOUNTS
class FileSystems(MachineTest):
    def test_noexec(self):
        cache = self.folder / "cache"
        cache.mkdir()
        noexec_cache = f"mount -t tmpfs -o noexec,mode=700 none {cache}"
        self.runs_all(noexec_cache)
        result = self.inside(f"{noexec_cache}; mount -t tmpfs none /proc", WEFT, "run", self.plan, *GREEDY)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stderr, "m.weft: cannot load machine code, neither from a file .* nor from memory .*set XDG_CACHE_HOME to a folder .*noexec")
        everything = f"mount --bind {self.folder} {self.folder}; mount -o remount,noexec,bind {self.folder}"
        self.runs_all(everything)
        result = self.inside(everything, WEFT, "compile", self.model, "-o", self.folder / "new.weft", TMPDIR=str(self.folder))
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_without(self):
        for what in ("/dev/shm", "/sys", "/proc"):
            self.runs_all(f"mount -t tmpfs none {what}")
        self.runs_all("mount -t tmpfs none /dev/shm; mount -t tmpfs none /sys; mount -t tmpfs none /proc")
        plan = self.folder / "new.weft"
        result = self.inside("mount -t tmpfs none /proc", WEFT, "compile", self.model, "-o", plan)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(plan.read_bytes(), self.plan.read_bytes())
        self.assertEqual([path.name for path in self.folder.glob("*tmp*")], [])

    def test_full_disk(self):
        """A real one of every size: a plan is whole or not there, and the cache says that it is full."""
        disk = self.folder / "disk"
        disk.mkdir()
        for kilobytes in (0, 4, 16, 64, 256, 1024, 2048):
            mount = f"mount -t tmpfs -o size={max(kilobytes, 1)}k,mode=700 none {disk}"
            script = f'"$0" compile {self.model} -o {disk}/m.weft; code=$?; ls -A {disk}; [ $code != 0 ] || cmp {disk}/m.weft {self.plan}; exit $code'
            result = self.inside(mount, "bash", "-c", script.replace('"$0"', f'"{WEFT}"'))
            self.assertIn(result.returncode, (0, 1))
            left = [line for line in result.stdout.splitlines() if line.endswith(".weft") and not line.startswith("wrote")]
            self.assertEqual(left, ["m.weft"] if result.returncode == 0 else [])
            self.assertNotIn("differ", result.stdout)
            if result.returncode == 1:
                self.assertRegex(result.stderr, "m.weft: cannot .*: No space left on device .free some space")
            self.answers(self.inside(mount, WEFT, "run", self.model, *GREEDY, XDG_CACHE_HOME=str(disk)))
            self.answers(self.inside(mount, WEFT, "run", self.plan, *GREEDY, XDG_CACHE_HOME=str(disk)))
        self.assertEqual(result.returncode, 0)


class Limits(MachineTest):
    def limited(self, what, number, program, *arguments):
        return subprocess.run(["bash", "-c", f'ulimit {what} {number}; exec "$0" "$@"', program, *map(str, arguments)], input="", capture_output=True, text=True,
                              timeout=120, env=self.environment)

    def loads(self, what, number, program):
        """Whether the dynamic linker gets so far as main()."""
        return self.limited(what, number, program, "--version").returncode == 0

    def sweep_limit(self, what, numbers):
        all_ran, all_refused = 0, 0
        for program, *arguments in ([WEFT, "run", self.plan, *GREEDY], [WEFT, "run", self.model, *GREEDY], [WEFT_RUN, self.plan, *GREEDY],
                                    [WEFT, "compile", self.model, "-o", self.folder / "new.weft"], [WEFT, "verify", self.plan]):
            ran, refused, unloaded = 0, 0, 0
            for number in numbers:
                shutil.rmtree(self.folder / "cache", ignore_errors=True)
                (self.folder / "new.weft").unlink(missing_ok=True)
                result = self.limited(what, number, program, *arguments)
                with self.subTest(limit=f"ulimit {what} {number}", command=[program, *arguments][:3]):
                    if result.returncode not in (0, 1):
                        self.assertFalse(self.loads(what, number, program), f"{result.returncode} {result.stderr}")
                        unloaded += 1
                    elif result.returncode == 1:
                        refused += 1
                        self.assertRegex(result.stderr, r"(?m)^weft(-run)?: .*(memory|too many open files|thread|cannot)")
                        self.assertFalse((self.folder / "new.weft").exists())
                    else:
                        ran += 1
                        if GREEDY[0] in arguments:
                            self.answers(result)
            with self.subTest(limit=f"ulimit {what}", command=[program, *arguments][:3]):
                self.assertGreater(ran, 0)
                # To verify takes no more descriptors than the dynamic linker does.
                self.assertGreater(unloaded if (what, arguments[0]) == ("-n", "verify") else refused, 0)
            all_ran, all_refused = all_ran + ran, all_refused + refused
        print(f"ulimit {what}: {all_ran} ran, {all_refused} ended with a message")

    def test_address_space(self):
        # From what the program itself needs on, in small steps.
        first = next(kilobytes for kilobytes in range(20000, 2000000, 10000) if self.loads("-v", kilobytes, WEFT))
        self.sweep_limit("-v", [*range(12000, 40000, 9000), *range(first, first + 12000, 3000), *range(first + 12000, first + 160000, 30000)])

    def test_descriptors(self):
        self.sweep_limit("-n", [3, 4, 5, 6, 8, 10, 12, 64])

    def test_stack(self):
        """Kernels take up to 768 KiB of it, in the thread that calls as well."""
        for kilobytes, threads in ((1024, 1), (1024, 4), (8192, 4)):
            self.answers(self.limited("-s", kilobytes, WEFT_RUN, self.plan, *GREEDY, "-t", threads))
        result = self.limited("-s", 400, WEFT_RUN, self.plan, *GREEDY)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, "this thread has [0-9]+ KiB of its stack left, but 768 may be needed")

    def test_file_size(self):
        for kilobytes in (0, 1, 100, 1000):
            result = self.limited("-f", kilobytes, "bash", "-c", f'trap "" XFSZ; exec "{WEFT}" compile {self.model} -o {self.folder}/new.weft')
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertRegex(result.stderr, "File too large")
            self.assertFalse((self.folder / "new.weft").exists())


class HugePages(MachineTest):
    def test_forbidden(self):
        libc = ctypes.CDLL(None)
        for program, *arguments in ([WEFT, "run", self.model, "--no-cache"], [WEFT, "run", self.plan], [WEFT_RUN, self.plan]):
            result = subprocess.run([program, *map(str, arguments), *GREEDY], capture_output=True, text=True, env=self.environment, timeout=120,
                                    preexec_fn=lambda: libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
            self.answers(result)

    def test_no_advice_is_taken(self):
        for program, *arguments in ([WEFT, "run", self.model, "--no-cache"], [WEFT, "run", self.plan], [WEFT_RUN, self.plan]):
            # A run may be over before the low-priority thread that copies the weights has begun: those that were count.
            for _ in range(100):
                result, lines = self.shimmed([program, *arguments, *GREEDY], "advise,remap", at=1, every=1, error=22)
                self.answers(result)
                if lines:
                    break
            self.assertEqual(len(self.struck(lines)), len(lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
