#!/usr/bin/env python3
"""Where weights lie: in memory, in which pages, in which files. Usage: memory_test.py path/to/weft path/to/libweft-runtime.so [unittest arguments]"""
import json, os, pathlib, re, shutil, subprocess, sys, tempfile, time, unittest

import zero_model

WEFT, LIBRARY = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
TINY = zero_model.TINY
GREEDY = ["-p", "It was", "-n", 12, "--temp", 0, "--ignore-eos"]

# Opens a plan by the public interface, computes tokens, says so, and waits.
HOLD = """
import sys
sys.path.insert(0, "tests")
import c_library
library, path, no_hugepages, mlock = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
plan = c_library.Plan(library, path, no_hugepages=no_hugepages, mlock=mlock)
for id in range(1, 9):
    plan.decode(id)
print("ready", flush=True)
sys.stdin.read()
"""


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.plan = self.folder / "m.weft"

    def weft(self, *arguments, **options):
        return subprocess.run([WEFT, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)

    def succeeds(self, *arguments, **options):
        result = self.weft(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def fails(self, *arguments, message):
        result = self.weft(*arguments)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertRegex(result.stderr, message)

    def peak(self, *arguments):
        """Peak resident bytes of a run that succeeds."""
        process = subprocess.Popen([WEFT, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss * 1024

    def hold(self, no_hugepages, mlock=0):
        process = subprocess.Popen([sys.executable, "-c", HOLD, LIBRARY, self.plan, str(no_hugepages), str(mlock)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process


class Peaks(MemoryTest):
    """A model of 566 MB in F32 whose largest tensor has 25 MB."""

    LARGEST = 4 * 1536 * 4096

    def setUp(self):
        super().setUp()
        self.model = self.folder / "model"
        self.size = zero_model.write(self.model)
        self.assertGreater(self.size, 500e6)
        self.kv_cache = 2 * 5 * 512 * 1536 * 4

    def test_dump_maps(self):
        self.assertLess(self.peak("dump", self.model), 100e6)

    def test_run_of_a_model_holds_its_weights(self):
        run = ["run", self.model, "--no-cache", "--weights", "f32", "-p", "a b", "-n", 2, "--temp", 0, "--ignore-eos"]
        self.assertLess(self.peak(*run), self.size + self.kv_cache + 200e6)

    def test_compile_holds_a_tensor_and_plans_hold_no_weight_twice(self):
        for options in ([], ["--split-size", "100M"]):
            self.assertLess(self.peak("compile", self.model, "--weights", "f32", "-o", self.plan, *options), self.LARGEST + 512e6)
            for pages in ([], ["--no-hugepages"]):
                run = ["run", self.plan, "-p", "a b", "-n", 30, "--temp", 0, "--ignore-eos", *pages]
                self.assertLess(self.peak(*run), self.size + self.kv_cache + 200e6)
            self.plan.unlink()


class Pages(MemoryTest):
    def setUp(self):
        super().setUp()
        model = self.folder / "model"
        self.size = zero_model.write(model, hidden=512, intermediate=1024, layers=2)
        self.succeeds("compile", model, "--weights", "f32", "-o", self.plan)

    def maps(self, process):
        """Bytes of the process's maps of the plan, by field (proc_pid_smaps(5))."""
        sums, inside = {}, False
        for line in pathlib.Path(f"/proc/{process.pid}/smaps").read_text().splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                inside = line.endswith(str(self.plan))
            elif inside and line.endswith(" kB"):
                field, value = line[:-3].split(":")
                sums[field] = sums.get(field, 0) + 1024 * int(value)
        return sums

    def test_processes_share_plain_pages(self):
        first = self.hold(no_hugepages=1)
        alone = self.maps(first)
        second = self.hold(no_hugepages=1)
        for process in (first, second):
            maps = self.maps(process)
            self.assertGreater(maps["Shared_Clean"], 0.8 * self.size)
            self.assertEqual(maps["Private_Dirty"] + maps["Anonymous"], 0)
            self.assertLess(maps["Pss"], 0.7 * alone["Pss"])

    def test_huge_pages_are_no_longer_the_files(self):
        process = self.hold(no_hugepages=0)
        end = time.monotonic() + 60  # they move in the background
        while self.maps(process).get("Rss", 0) > 0.5 * self.size:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def locked(self, process):
        return 1024 * int(re.search(r"VmLck:\s*(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])

    @unittest.skipIf(os.geteuid() != 0, "NOT TESTED: locked weights; the limit may be lower, but for root")
    def test_locked(self):
        for no_hugepages in (0, 1):
            self.assertEqual(self.locked(self.hold(no_hugepages, mlock=0)), 0)
            self.assertGreaterEqual(self.locked(self.hold(no_hugepages, mlock=1)), self.size)

    def test_limit_of_locked_memory(self):
        # Root has no limit but without this capability.
        command = "ulimit -l 64; exec " + ("setpriv --bounding-set=-ipc_lock " if os.geteuid() == 0 else "")
        for program in (f'"{WEFT}" run', f'"{WEFT}-run"'):
            result = subprocess.run(["bash", "-c", f'{command}{program} "{self.plan}" -p a -n 1 --mlock'], capture_output=True, text=True)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertRegex(result.stderr, "m.weft: cannot lock .* RLIMIT_MEMLOCK is 0.1 MB .*ulimit -l")

    @unittest.skipIf(os.geteuid() != 0, "NOT TESTED: locked weights; the limit may be lower, but for root")
    def test_flags_change_no_token(self):
        outputs = {self.succeeds("run", self.plan, *GREEDY, *flags) for flags in ([], ["--no-hugepages"], ["--mlock"], ["--mlock", "--no-hugepages"])}
        self.assertEqual(len(outputs), 1)
        for command in (["bench", self.plan, "-p", 8, "-n", 1, "-r", 1], ["logits", self.plan, "--ids", "1,2", "-o", self.folder / "l.safetensors"]):
            self.assertNotEqual(self.weft(*command, "--no-hugepages", "--mlock").returncode, 2)


class SideFiles(MemoryTest):
    def setUp(self):
        super().setUp()
        self.succeeds("compile", TINY / "gemma3", "--weights", "f32", "-o", self.plan, "--split-size", "100K")
        self.parts = sorted(self.folder.glob("*.weftw"))
        count = len(self.parts)
        self.assertGreater(count, 2)
        self.assertEqual([path.name for path in self.parts], [f"m-{i:05}-of-{count:05}.weftw" for i in range(1, count + 1)])

    def test_equals_one_file(self):
        one = self.folder / "one.weft"
        self.succeeds("compile", TINY / "gemma3", "--weights", "f32", "-o", one)
        self.assertTrue(all(path.stat().st_size <= 100000 for path in self.parts))
        self.assertLess(self.plan.stat().st_size + sum(path.stat().st_size for path in self.parts), 1.1 * one.stat().st_size + 4096 * len(self.parts))
        outputs = [json.loads(self.succeeds("run", plan, *GREEDY, "--json"))["ids"] for plan in (one, self.plan)]
        self.assertEqual(outputs[0], outputs[1])
        self.assertEqual(self.succeeds("run", self.plan, *GREEDY), subprocess.run([WEFT + "-run", self.plan, *map(str, GREEDY)],
                                                                                 capture_output=True, text=True).stdout)
        self.assertIn("whole", self.succeeds("verify", self.plan))

    def test_compiled_twice_and_moved(self):
        again = self.folder / "again"
        again.mkdir()
        self.succeeds("compile", TINY / "gemma3", "--weights", "f32", "-o", again / "m.weft", "--split-size", "100kB")
        for path in (self.plan, *self.parts):
            self.assertEqual((again / path.name).read_bytes(), path.read_bytes())
            path.unlink()
        (again / "m.weft").rename(again / "renamed.weft")
        self.assertIn("whole", self.succeeds("verify", again / "renamed.weft"))

    def test_files_that_are_not_as_they_were(self):
        whole = [path.read_bytes() for path in self.parts]

        def refused(command, message):
            self.fails(*command, message=message)
            for path, data in zip(self.parts, whole):
                path.write_bytes(data)
            self.succeeds("verify", self.plan)

        first, second = self.parts[:2]
        run = ["run", self.plan, "-p", "a"]
        second.unlink()
        refused(run, f"{second.name}: not found")
        second.write_bytes(whole[1][:-1])
        refused(run, f"{second.name}: has \\d+ bytes, the plan says \\d+")
        first.write_bytes(whole[1]), second.write_bytes(whole[0])
        refused(run, f"{first.name}: is not part 1 of")
        second.write_bytes(whole[1][:-1] + bytes([whole[1][-1] ^ 1]))
        refused(["verify", self.plan], f"{second.name}: checksum")

    def test_wrong_sizes(self):
        for size in ("0", "100", "8191", "x", "1Q", "-1"):
            self.assertEqual(self.weft("compile", TINY / "gemma3", "-o", self.plan, "--split-size", size).returncode, 2, size)

    def test_no_space_leaves_nothing_behind(self):
        out = self.folder / "out"
        out.mkdir()
        # A limit of 1 KiB blocks stands for the full disk.
        script = f'trap "" XFSZ; ulimit -f 60; exec "{WEFT}" compile {TINY / "gemma3"} -o {out / "m.weft"} --split-size 100K'
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(list(out.iterdir()), [])


class Truncated(MemoryTest):
    def test_run_ends_with_an_error(self):
        """The plan loses its weights while the prompt is awaited."""
        self.succeeds("compile", TINY / "gemma3", "-o", self.plan)
        for program in ([WEFT, "run"], [WEFT + "-run"]):
            plan = self.folder / "copy.weft"
            shutil.copy(self.plan, plan)
            process = subprocess.Popen([*program, plan, "-n", "3", "--no-hugepages"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            # read(0, …
            while not pathlib.Path(f"/proc/{process.pid}/syscall").read_text().startswith("0 0x0 "):
                self.assertIsNone(process.poll(), "ended before it read its prompt")
                time.sleep(0.01)
            os.truncate(plan, 4096)
            _, errors = process.communicate("It was")
            self.assertEqual(process.returncode, 1, errors)
            self.assertRegex(errors, "copy.weft: the file was truncated while it was in use")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
