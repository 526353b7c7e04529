#!/usr/bin/env python3
"""What containers do to a process, in real control groups: fewer CPUs, a part of a CPU, little memory. Usage: container_test.py path/to/weft
path/to/shim [unittest arguments]

Where this machine lets nobody make control groups, tests are skipped and say so; the readers of their files are unit-tested on trees of files
(cpu_test.cc, memory_room_test.cc)."""
import json, os, pathlib, statistics, subprocess, sys, unittest

sys.path.insert(0, "tests")
import zero_model
from cgroups import cpu_quota, memory_limit
from faults import GREEDY, SHIM, WEFT, FaultTest

WEFT_RUN = WEFT + "-run"


class ContainerTest(FaultTest):
    def group(self, make, *arguments):
        group = make(*arguments)
        self.addCleanup(group.remove)
        return group

    def inside(self, group, program, *arguments, before=lambda: None, **options):
        def enter():
            if group:
                group.enter()
            before()

        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300, env=self.environment, preexec_fn=enter,
                              **{"stdin": subprocess.DEVNULL, **options})


class Cpus(ContainerTest):
    def setUp(self):
        super().setUp()
        self.plan = self.folder / "m.weft"
        self.succeeds("compile", self.small_model(), "-o", self.plan)

    def threads(self, group=None, cpus=None, program=(WEFT_RUN,), mounts=None, options=()):
        """Threads that compute by default: the caller, and those that the shim sees started."""
        def enter():
            if group:
                group.enter()
            if cpus:
                os.sched_setaffinity(0, cpus)

        self.log.unlink(missing_ok=True)
        command = [*program, str(self.plan), *GREEDY, "--no-hugepages", *options]
        if mounts:
            command = ["unshare", "-m", "--propagation", "private", "bash", "-c", f'set -e; {mounts}; export LD_PRELOAD={SHIM}; exec "$0" "$@"', *command]
        environment = {**self.environment, "FAULT_CALLS": "thread", "FAULT_LOG": str(self.log), **({} if mounts else {"LD_PRELOAD": SHIM})}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, preexec_fn=enter)
        self.assertEqual(result.returncode, 0, result.stderr)
        return 1 + (len(self.log.read_text().splitlines()) if self.log.exists() else 0)

    def test_affinity(self):
        mine = sorted(os.sched_getaffinity(0))
        if self.threads() < len(mine):
            self.skipTest("NOT TESTED: a quota is in force already, and gives fewer CPUs than the affinity")
        for count in range(1, len(mine) + 1):
            for program in ((WEFT, "run"), (WEFT_RUN,)):
                self.assertEqual(self.threads(cpus=mine[:count], program=program), count)
        self.assertEqual(self.threads(cpus=mine[:1], options=["-t", "3"]), 3)

    def test_quota(self):
        cpus = self.threads()
        if cpus < 2:
            self.skipTest("NOT TESTED: on one CPU every quota gives one thread, as none does")
        if cpus < 3:
            print("NOT TESTED: quotas of more than one CPU that hold back, which takes three CPUs")
        for quota, threads in ((0.1, 1), (0.3, 1), (0.5, 1), (0.9, 1), (1, 1), (1.2, 2), (2, 2), (64, 64)):
            group = self.group(cpu_quota, quota)
            for program in ((WEFT, "run"), (WEFT_RUN,)):
                self.assertEqual(self.threads(group, program=program), min(threads, cpus), quota)
            print(f"quota {quota}: {min(threads, cpus)} threads, control groups v{group.version}")

    @unittest.skipUnless(subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0, "NOT TESTED: takes mount namespaces")
    def test_quota_as_version_2_tells_it(self):
        # Where this machine's CPU controller is not of version 2, its files stand in.
        if not any(line.startswith("0::") for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()):
            self.skipTest("NOT TESTED: no hierarchy of version 2 here")
        cpus = self.threads()
        for text, threads in (("50000 100000", 1), ("150000 100000", 2), ("max 100000", cpus)):
            mounts = f"mount -t tmpfs none /sys/fs/cgroup; echo {text} > /sys/fs/cgroup/cpu.max"
            self.assertEqual(self.threads(mounts=mounts), min(threads, cpus), text)

    def test_half_a_cpu_is_about_half_as_fast(self):
        """In turns, so that what else runs here meets all alike. Quiet, 0.5 of one CPU's speed by default, and 0.25 with eight threads that were
        asked for: to wake seven of them at each of some 30 barriers takes as long as the token. A collapse would be by orders of magnitude, so half
        of either is the bound. Tokens take milliseconds, as real models' do."""
        model = self.folder / "large"
        zero_model.write(model, hidden=1024, intermediate=4096, layers=4)
        plan = self.folder / "large.weft"
        self.succeeds("compile", model, "-o", plan)
        group = self.group(cpu_quota, 0.5)
        one = sorted(os.sched_getaffinity(0))[:1]

        def rate(group, *options):
            result = self.inside(group, WEFT, "run", plan, "-p", "a b", "-n", 100, "--temp", 0, "--ignore-eos", "--json", *options,
                                 before=lambda: None if group else os.sched_setaffinity(0, one))
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)["decode_tokens_per_s"]

        rates = {"one CPU": [], "half": [], "half, -t 8": []}
        throttled = dict.fromkeys(rates, 0)
        for _ in range(5):
            rates["one CPU"].append(rate(None))
            for name, options in (("half", ()), ("half, -t 8", ("-t", "8"))):
                before = group.throttled()
                rates[name].append(rate(group, *options))
                throttled[name] += group.throttled() - before
        middle = {name: statistics.median(values) for name, values in rates.items()}
        print("tokens/s: " + ", ".join(f"{name} {value:.0f} ({throttled[name]} times throttled)" for name, value in middle.items()))
        # The group had its effect.
        self.assertGreater(throttled["half"], 0)
        self.assertGreater(throttled["half, -t 8"], 0)
        self.assertGreater(middle["half"], 0.25 * middle["one CPU"])
        self.assertGreater(middle["half, -t 8"], 0.125 * middle["one CPU"])


class Memory(ContainerTest):
    """A plan of 15 MB whose KV cache of the whole context takes 268 MB, and one of no context with 64 MB of weights."""

    POSITIONS = 16384

    def setUp(self):
        super().setUp()
        self.model = self.folder / "model"
        zero_model.write(self.model, hidden=256, intermediate=256, layers=8, positions=self.POSITIONS)
        self.plan = self.folder / "m.weft"
        self.succeeds("compile", self.model, "--kv", "f32", "-c", self.POSITIONS, "-b", 64, "-o", self.plan)
        self.kv_megabytes = 2 * 8 * 256 * 4 * self.POSITIONS / 1e6

    def refused(self, result, message):
        """By weft, and not by the kernel."""
        self.assertEqual(result.returncode, 1, f"{result.stdout} {result.stderr}")
        self.assertRegex(result.stderr, rf"(?m)^weft(-run)?: .*{message}")

    def both(self, group, *options, plan=None):
        for program in ((WEFT, "run"), (WEFT_RUN,)):
            yield self.inside(group, *program, plan or self.plan, "-p", "a b", "-n", 4, "--temp", 0, "--ignore-eos", *options)

    def test_a_context_that_never_fits(self):
        for result in self.both(self.group(memory_limit, 192)):
            self.refused(result, r"no memory for activations and the KV cache of a context of 16384 tokens: it takes 2\d\d\.\d MB, and the control group "
                                 r".* has 201\.3 MB .*-c, or --kv q8_0")

    def test_what_runs_is_not_refused(self):
        # Of the KV cache only the first positions are touched.
        for result in self.both(self.group(memory_limit, 320)):
            self.assertEqual(result.returncode, 0, result.stderr)
        small = self.folder / "small.weft"
        self.succeeds("compile", self.model, "--kv", "q8_0", "-c", 512, "-o", small)
        for result in self.both(self.group(memory_limit, 96), plan=small):
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_cache_that_outgrows_what_others_leave(self):
        group = self.group(memory_limit, 320)
        ballast = subprocess.Popen([sys.executable, "-c", "import sys; held = b'1' * (240 << 20); print('held', flush=True); sys.stdin.read()"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=group.enter)
        self.addCleanup(ballast.communicate)
        self.assertEqual(ballast.stdout.readline(), "held\n")
        prompt = self.folder / "prompt"
        prompt.write_text("a b " * 3000)
        for program in ((WEFT, "run"), (WEFT_RUN,)):
            result = self.inside(group, *program, self.plan, "-f", prompt, "-n", 4, "--temp", 0)
            self.refused(result, r"no memory for activations and a KV cache (of|that grow to) \d+ tokens: it takes \d+\.\d MB, and \d+\.\d MB of the 335\.5 MB of the control group .* are available "
                                 r".*-c, or --kv q8_0")
        self.assertIsNone(ballast.poll())

    def test_what_is_free_suffices_or_is_told(self):
        """Around the amounts where runs begin to fit, and large pages to pay: the kernel ends none, and none is refused what it needs and 8 MiB."""
        model, large = self.folder / "wide", self.folder / "deep"
        zero_model.write(model, hidden=512, intermediate=2048, layers=2, positions=16384)
        zero_model.write(large, hidden=512, intermediate=2048, layers=8, positions=16384)
        prompt = self.folder / "prompt"
        # Model, context, tokens at once, tokens of the prompt, tokens to make, MiB that are free, and that are enough. A position takes 8 kB of the
        # first model's KV cache and 32 kB of the other's; a token 12 kB of activations.
        for source, context, at_once, tokens, count, free, enough in (
                (model, 16384, 8192, 1, 1500, range(14, 30, 5), 24),  # 12 MB, and little of the 100 MB of activations
                (model, 16384, 4096, 2000, 4, range(44, 62, 3), 60),  # 16 MB, and 31 MB of 50 MB
                (large, 4096, 4096, 600, 4, range(30, 156, 14), 44),  # 20 MB of 134 MB, and 13 MB of 50 MB
                (large, 4096, 512, 1200, 4, range(46, 160, 12), 58)):  # 40 MB, and 6 MB
            plan = self.folder / f"{source.name}-{at_once}.weft"
            self.succeeds("compile", source, "--kv", "f32", "-c", context, "-b", at_once, "-o", plan)
            prompt.write_text("a " * (tokens - 1) if tokens > 1 else "a")
            limit = 300 if at_once == 8192 else 200
            group = self.group(memory_limit, limit)
            for mebibytes in free:
                with self.subTest(plan=plan.name, free=mebibytes), group.holding((limit - mebibytes) << 20):
                    result = self.inside(group, WEFT_RUN, plan, "-f", prompt, "-n", count, "--temp", 0, "--ignore-eos", "--no-hugepages")
                    self.assertIn(result.returncode, (0,) if mebibytes >= enough else (0, 1), result.stderr)
                    if result.returncode:
                        self.refused(result, "no memory for activations and a KV cache (of|that grow to) ")

    def test_compiling_holds_a_tensor_not_the_model(self):
        """Weights of 537 MB in a group of 200 MiB: what is read and written the kernel can drop."""
        model = self.folder / "large"
        weights = zero_model.write(model, hidden=2048, intermediate=8192, layers=2)
        self.assertGreater(weights, 500e6)
        group = self.group(memory_limit, 200)
        plan = self.folder / "large.weft"
        result = self.inside(group, WEFT, "compile", model, "--weights", "f32", "-o", plan)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(plan.stat().st_size, 500e6)
        self.succeeds("verify", plan)

    def test_locked_weights(self):
        model = self.folder / "heavy"
        zero_model.write(model, hidden=512, intermediate=2048, layers=4)
        plan = self.folder / "heavy.weft"
        self.succeeds("compile", model, "--weights", "f32", "-o", plan)
        group = self.group(memory_limit, 48)
        # Whether or not others have read its pages in, and even where the group itself has, so that they count as what can be dropped.
        for before in ("as it is", "not in memory", "partly read by the group"):
            with open(plan, "rb") as file:
                if before != "as it is":
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if before == "partly read by the group":
                self.assertEqual(self.inside(group, WEFT_RUN, plan, "-p", "a", "-n", 1).returncode, 0)
            result = self.inside(group, WEFT_RUN, plan, "-p", "a", "-n", 1, "--mlock")
            self.refused(result, r"no memory for .*heavy.weft: locked weights: it takes \d+.\d MB, .* of the 50.3 MB of the control group .*without --mlock")
        result = self.inside(group, WEFT_RUN, plan, "-p", "a", "-n", 1)  # reads and drops them
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_weights_packed_in_memory(self):
        model = self.folder / "huge"
        zero_model.write(model, hidden=1536, intermediate=4096, layers=5)
        group = self.group(memory_limit, 400)
        result = self.inside(group, WEFT, "run", model, "--no-cache", "--weights", "f32", "-p", "a", "-n", 1)
        self.refused(result, r"no memory for .*huge: the packed weights: it takes 5\d\d.\d MB, .* of the control group .*weft compile makes a plan")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
