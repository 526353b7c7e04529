#!/usr/bin/env python3
"""The compile cache, and compiling with packed weights of an earlier plan. Usage: cache_test.py path/to/weft [unittest arguments]

Runs from the source folder, on the models of tests/oracle/tiny and in caches of its own."""
import fcntl, hashlib, json, os, pathlib, random, re, shutil, signal, struct, subprocess, sys, tempfile, time, unittest

from file_times import file_system, times_tell
from fresh_seed import fresh_seed

WEFT = os.path.abspath(sys.argv.pop(1))
TINY = pathlib.Path("tests/oracle/tiny")
RUN = ["-p", "It was", "-n", "8", "--temp", "0", "--ignore-eos"]
COMPILED, WAITING, NOT_KEPT = "weft: compiled ", "waiting for it", "is not kept: "


class CacheTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(self.folder / "cache")}
        self.environment.pop("WEFT_CACHE_SIZE", None)
        self.plans = self.folder / "cache" / "weft" / "plans"

    def weft(self, *arguments, code=0, **variables):
        result = subprocess.run([WEFT, *map(str, arguments)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                                env={**self.environment, **variables})
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def start(self, *arguments):
        return subprocess.Popen([WEFT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)

    def copy(self, name="gpt2"):
        target = self.folder / name
        shutil.copytree(TINY / name, target)
        return target

    def takes_times_that_tell(self, path):
        """Where the file system's do not, digests are not remembered."""
        if not times_tell(path):
            self.skipTest(f"NOT TESTED: {path} is on {file_system(path)}")

    def list(self):
        return json.loads(self.weft("cache", "list", "--json").stdout)["plans"]

    def entry(self):
        entries = self.list()
        self.assertEqual(len(entries), 1, entries)
        return pathlib.Path(entries[0]["path"])

    def files(self):
        return sorted(path.suffix for path in self.plans.iterdir())

    def compiles(self, *arguments, **options):
        self.assertIn(COMPILED, self.weft(*arguments, **options).stderr)

    def hits(self, *arguments, **options):
        self.assertNotIn(COMPILED, self.weft(*arguments, **options).stderr)


class Hits(CacheTest):
    def test_second_run_takes_the_plan_of_the_first(self):
        first = self.weft("run", TINY / "gpt2", *RUN)
        self.assertIn(COMPILED, first.stderr)
        plan = self.entry()
        self.assertEqual(plan.parent, self.plans)
        before = plan.stat()
        second = self.weft("run", TINY / "gpt2", *RUN)
        self.assertNotIn(COMPILED, second.stderr)
        self.assertEqual(first.stdout, second.stdout)
        after = plan.stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.assertEqual(self.entry(), plan)
        self.assertEqual(self.weft("run", TINY / "gpt2", *RUN, "--no-cache").stdout, first.stdout)
        self.assertEqual(json.loads(self.weft("run", TINY / "gpt2", *RUN, "--json").stdout)["plan"], str(plan))
        self.assertIsNone(json.loads(self.weft("run", TINY / "gpt2", *RUN, "--json", "--no-cache").stdout)["plan"])

    def test_the_plan_is_what_compile_writes(self):
        self.compiles("run", TINY / "gemma3", *RUN)
        self.weft("compile", TINY / "gemma3", "-o", self.folder / "m.weft")
        self.assertEqual(self.entry().read_bytes(), (self.folder / "m.weft").read_bytes())

    def test_commands_share_plans(self):
        (self.folder / "t.txt").write_text("It was a day like any other. " * 5)
        self.compiles("run", TINY / "llama-gqa", *RUN)
        logits = [self.folder / "a.safetensors", self.folder / "b.safetensors"]
        self.hits("logits", TINY / "llama-gqa", "--ids", "1,2,3", "-o", logits[0])
        self.weft("logits", TINY / "llama-gqa", "--ids", "1,2,3", "-o", logits[1], "--no-cache")
        self.assertEqual(logits[0].read_bytes(), logits[1].read_bytes())
        self.hits("eval", TINY / "llama-gqa", "--text", self.folder / "t.txt")
        self.entry()

    def test_each_option_has_its_plan(self):
        self.compiles("run", TINY / "gpt2", *RUN)
        for number, options in enumerate((["--weights", "q8_0"], ["--kv", "q8_0"], ["-c", "64"], ["--disable-pass", "fuse-qkv"]), start=2):
            self.compiles("run", TINY / "gpt2", *RUN, *options)
            self.hits("run", TINY / "gpt2", *RUN, *options)
            self.assertEqual(len(self.list()), number)
        table = self.weft("cache", "list").stdout
        for part in ("--weights q8_0", "--ctx-size 64", "--disable-pass fuse-qkv", "just now", "5 plans, "):
            self.assertIn(part, table)

    def test_what_tells_of_compiling_compiles(self):
        self.compiles("run", TINY / "gpt2", *RUN)
        self.assertIn("fuse-qkv", self.weft("run", TINY / "gpt2", *RUN, "--time-passes").stderr)
        self.assertIn("// after", self.weft("run", TINY / "gpt2", *RUN, "--print-after", "fuse-qkv").stderr)
        self.entry()

    def test_changed_weights_are_seen_whatever_their_mtime(self):
        model = self.copy()
        self.takes_times_that_tell(model)
        weights = model / "model.safetensors"
        os.utime(weights, (10**9, 10**9))
        self.compiles("run", model, *RUN)
        first = self.weft("run", model, *RUN).stdout
        # Long enough ago to be remembered; then other values under the same size and mtime.
        time.sleep(2.1)
        self.hits("run", model, *RUN)
        index = self.folder / "cache" / "weft" / "digests"
        self.assertIn(str(weights.stat().st_ino), index.read_text())
        data = bytearray(weights.read_bytes())
        (header,) = struct.unpack("<Q", data[:8])
        for i in range(8 + header + 3, len(data), 4):
            data[i] ^= 0x80  # signs
        weights.write_bytes(data)
        os.utime(weights, (10**9, 10**9))
        changed = self.weft("run", model, *RUN)
        self.assertIn(COMPILED, changed.stderr)
        self.assertNotEqual(changed.stdout, first)
        self.assertEqual(len(self.list()), 2)

    def test_touched_and_moved_weights_are_the_same(self):
        model = self.copy()
        self.compiles("run", model, *RUN)
        (model / "model.safetensors").touch()
        self.hits("run", model, *RUN)
        (self.folder / "elsewhere").mkdir()
        self.hits("run", shutil.copytree(model, self.folder / "elsewhere" / model.name), *RUN)
        (model / "tokenizer.json").write_text((model / "tokenizer.json").read_text() + " ")
        self.compiles("run", model, *RUN)
        self.assertEqual(len(self.list()), 2)

    def test_a_missing_tokenizer_is_told_as_ever(self):
        model = self.copy()
        (model / "tokenizer.json").unlink()
        self.assertIn("tokenizer.json: is missing", self.weft("run", model, *RUN, code=1).stderr)
        self.weft("logits", model, "--ids", "1,2", "-o", self.folder / "l.safetensors")
        self.assertEqual(self.list(), [])


class Damage(CacheTest):
    def test_a_damaged_plan_is_compiled_again(self):
        expected = self.weft("run", TINY / "gpt2", *RUN).stdout
        plan = self.entry()
        data = plan.read_bytes()
        sections = [struct.unpack_from("<IIQQQ", data, 32 + 32 * i) for i in range(struct.unpack_from("<I", data, 12)[0])]
        cases = [data[:size] for size in (0, 7, 40, len(data) // 2, len(data) - 1)] + [data + b"x", b"x" * len(data)]
        for kind, _, offset, _, _ in sections:
            if kind != 7:  # weights are checked by weft verify
                cases.append(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1:])
        for case in cases:
            plan.unlink()
            plan.write_bytes(case)
            result = self.weft("run", TINY / "gpt2", *RUN)
            self.assertIn("compiling again: ", result.stderr)
            self.assertIn(COMPILED, result.stderr)
            self.assertEqual(result.stdout, expected)
            self.assertEqual(self.entry().read_bytes(), data)

    def test_damaged_or_missing_parts(self):
        self.compiles("run", TINY / "gpt2", *RUN)
        plan = self.entry()
        description = plan.with_suffix(".json")
        for text in ("", "{", "[]", '{"key": 1}', '{"key": {}}', description.read_text()[:-9]):
            description.write_text(text)
            self.compiles("run", TINY / "gpt2", *RUN)
            self.hits("run", TINY / "gpt2", *RUN)
        for path in (plan, description, plan.with_suffix(".lock"), self.folder / "cache" / "weft" / "digests"):
            path.unlink(missing_ok=True)
            self.weft("run", TINY / "gpt2", *RUN)
            self.hits("run", TINY / "gpt2", *RUN)
        (self.folder / "cache" / "weft" / "digests").write_bytes(os.urandom(5000))
        self.hits("run", TINY / "gpt2", *RUN)


class Strangers(CacheTest):
    """What models and others on the machine put where the cache looks."""

    def snapshot(self, name, weights=None):
        """A folder as the Hugging Face cache has it, of gemma3; with other bytes under the names of its blobs."""
        repo = self.folder / name / "models--org--m"
        (repo / "blobs").mkdir(parents=True)
        snapshot = repo / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        for file in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"):
            data = (TINY / "gemma3" / file).read_bytes()
            blob = repo / "blobs" / hashlib.sha256(data).hexdigest()
            blob.write_bytes(weights if weights and file == "model.safetensors" else data)
            (snapshot / file).symlink_to(f"../../blobs/{blob.name}")
        return snapshot

    def other_weights(self):
        data = bytearray((TINY / "gemma3" / "model.safetensors").read_bytes())
        (header,) = struct.unpack("<Q", data[:8])
        for i in range(8 + header + 3, len(data), 4):
            data[i] ^= 0x80  # signs
        return bytes(data)

    def logits(self, model, *options):
        path = self.folder / "l.safetensors"
        self.weft("logits", model, "--ids", "1,2,3", "-o", path, *options)
        return path.read_bytes()

    def test_a_blob_is_not_what_its_name_says(self):
        genuine, hostile = self.snapshot("genuine"), self.snapshot("hostile", self.other_weights())
        plain = shutil.copytree(genuine, self.folder / "plain" / genuine.name)
        right, wrong = self.logits(genuine, "--no-cache"), self.logits(hostile, "--no-cache")
        self.assertNotEqual(right, wrong)
        for model, logits in ((hostile, wrong), (genuine, right), (plain, right), (hostile, wrong)):
            self.assertEqual(self.logits(model), logits, model)

    def test_a_blob_that_is_repaired(self):
        model = self.snapshot("hub")
        blob = (model / "model.safetensors").resolve()
        data = blob.read_bytes()
        right = self.logits(model, "--no-cache")
        blob.write_bytes(self.other_weights())
        time.sleep(2.1)  # until it may be remembered
        self.assertNotEqual(self.logits(model), right)
        blob.write_bytes(data)
        self.assertEqual(self.logits(model), right)

    def test_a_folder_that_others_may_write_to_remembers_nothing(self):
        self.takes_times_that_tell(TINY)
        index = self.folder / "cache" / "weft" / "digests"
        self.compiles("run", TINY / "gemma3", *RUN)
        self.assertTrue(index.exists())
        index.unlink()
        index.parent.chmod(0o777)
        result = self.weft("run", TINY / "gemma3", *RUN)
        self.assertIn(f"{index.parent}: others may write to this folder", result.stderr)
        self.assertNotIn(COMPILED, result.stderr)
        self.assertFalse(index.exists())

    def test_the_cache_is_its_owners_whatever_the_umask(self):
        for name in ("run", "profile"):
            cache = self.folder / name
            arguments = ["-p", "4", "-n", "2"] if name == "profile" else RUN
            result = subprocess.run([WEFT, name, TINY / "gpt2", *arguments], capture_output=True, timeout=120, umask=0,
                                    env={**self.environment, "XDG_CACHE_HOME": str(cache)})
            self.assertEqual(result.returncode, 0, result.stderr)
            folders = [path for path in (cache, *cache.rglob("*")) if path.is_dir()]
            files = [path for path in (cache / "weft").iterdir() if path.is_file()]
            self.assertTrue(files)
            for path in folders + files:
                self.assertEqual(path.stat().st_mode & 0o022, 0, path)


class Processes(CacheTest):
    def held(self):
        """The lock file, once a process has locked it."""
        for _ in range(5000):
            for lock in self.plans.glob("*.lock") if self.plans.exists() else []:
                with open(lock) as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        return lock
            time.sleep(0.001)
        self.fail("nobody compiles")

    def stopped_compiler(self):
        process = self.start("run", TINY / "gemma3", *RUN)
        self.held()
        process.send_signal(signal.SIGSTOP)
        return process

    def test_one_compiles_the_others_wait(self):
        processes = [self.start("run", TINY / "gemma3", *RUN) for _ in range(6)]
        results = [process.communicate(timeout=120) for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * 6, results)
        self.assertEqual(len({out for out, _ in results}), 1)
        self.assertEqual(sum(COMPILED in err for _, err in results), 1)
        self.entry()
        self.assertEqual(self.files(), [".json", ".lock", ".weft"])

    def test_after_kill_9_the_next_one_compiles(self):
        killed = self.stopped_compiler()
        waiting = self.start("run", TINY / "gemma3", *RUN)
        self.assertIn(WAITING, waiting.stderr.readline())
        killed.kill()
        killed.communicate()
        _, err = waiting.communicate(timeout=120)
        self.assertEqual(waiting.returncode, 0, err)
        self.assertIn(COMPILED, err)
        self.entry()
        self.assertEqual(self.files(), [".json", ".lock", ".weft"])
        self.hits("run", TINY / "gemma3", *RUN)

    def test_what_kill_9_leaves_is_cleared_away(self):
        """At any moment: a plan that is listed is whole, and what is not listed goes."""
        source, ended, unlisted = random.Random(fresh_seed()), 0, 0
        begin = time.monotonic()
        self.weft("run", TINY / "gemma3", *RUN)
        seconds = time.monotonic() - begin
        self.weft("cache", "clear")
        for _ in range(10):
            killed = self.stopped_compiler()
            killed.send_signal(signal.SIGCONT)
            time.sleep(source.uniform(0, seconds))
            killed.kill()
            killed.communicate()
            ended += killed.returncode == -signal.SIGKILL
            plans = self.list()
            unlisted += not plans
            for plan in plans:
                self.weft("verify", plan["path"])
            self.weft("cache", "prune")
            self.assertEqual([suffix for suffix in self.files() if suffix != ".lock"], [".json", ".weft"] if plans else [])
            self.weft("cache", "clear")
            self.assertEqual(self.files(), [])
        self.assertGreater(ended, 2)
        self.assertGreater(unlisted, 0)
        print(f"ended {ended} of 10, {unlisted} before there was a plan")

    def test_ctrl_c_while_waiting(self):
        compiling = self.stopped_compiler()
        waiting = self.start("run", TINY / "gemma3", *RUN)
        self.assertIn(WAITING, waiting.stderr.readline())
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=60)
        self.assertEqual(waiting.returncode, 130)
        # Meanwhile, what is being compiled is not cleared.
        self.assertIn("removed 0 plans", self.weft("cache", "clear").stdout)
        compiling.send_signal(signal.SIGCONT)
        compiling.communicate(timeout=120)
        self.assertEqual(compiling.returncode, 0)
        self.hits("run", TINY / "gemma3", *RUN)


class Bounds(CacheTest):
    def test_prune_keeps_what_was_used_last(self):
        for weights in ("auto", "q8_0", "f32"):
            self.compiles("run", TINY / "gpt2", *RUN, "--weights", weights)
        self.hits("run", TINY / "gpt2", *RUN)
        order = [entry["options"]["weights"] for entry in self.list()]
        self.assertEqual(order, ["auto", "f32", "q8_0"])
        sizes = [entry["bytes"] for entry in self.list()]
        self.assertIn("removed 0 plans", self.weft("cache", "prune").stdout)
        self.assertIn("removed 1 plan,", self.weft("cache", "prune", "--max-size", sum(sizes) - 1).stdout)
        self.assertEqual([entry["options"]["weights"] for entry in self.list()], order[:2])
        self.weft("cache", "prune", "--max-size", sizes[0])
        self.assertEqual([entry["options"]["weights"] for entry in self.list()], order[:1])
        self.assertIn("removed 1 plan,", self.weft("cache", "clear").stdout)
        self.assertEqual((self.list(), self.files()), ([], []))
        self.assertIn("0 plans", self.weft("cache", "list").stdout)

    def test_compiling_stays_within_the_bound(self):
        self.compiles("run", TINY / "gpt2", *RUN)
        size = self.list()[0]["bytes"]
        bound = {"WEFT_CACHE_SIZE": str(int(1.5 * size))}
        self.compiles("run", TINY / "gpt2", *RUN, "--kv", "q8_0", **bound)
        self.assertEqual([entry["options"]["kv"] for entry in self.list()], ["q8_0"])

    def test_too_small_a_cache_and_none(self):
        expected = self.weft("run", TINY / "gpt2", *RUN, "--no-cache")
        small = self.weft("run", TINY / "gpt2", *RUN, WEFT_CACHE_SIZE="10kB")
        self.assertRegex(small.stderr, NOT_KEPT + ".* the cache may hold 10.0 kB .WEFT_CACHE_SIZE")
        none = self.weft("run", TINY / "gpt2", *RUN, WEFT_CACHE_SIZE="0")
        for result in (expected, none):
            self.assertNotIn(NOT_KEPT, result.stderr)
            self.assertNotIn(COMPILED, result.stderr)
        self.assertEqual({expected.stdout, small.stdout, none.stdout}, {expected.stdout})
        self.assertEqual(self.list(), [])
        self.assertIn("WEFT_CACHE_SIZE: 'much'", self.weft("run", TINY / "gpt2", *RUN, code=1, WEFT_CACHE_SIZE="much").stderr)
        self.weft("cache", "prune", "--max-size", "much", code=2)
        self.weft("cache", code=2)

    def test_no_place_for_a_cache(self):
        expected = self.weft("run", TINY / "gpt2", *RUN, "--no-cache").stdout
        (self.folder / "file").write_text("x")
        result = self.weft("run", TINY / "gpt2", *RUN, XDG_CACHE_HOME=str(self.folder / "file"))
        self.assertEqual(result.stdout, expected)
        self.assertEqual(result.stderr.count(NOT_KEPT), 1)
        del self.environment["XDG_CACHE_HOME"]
        self.environment.pop("HOME", None)
        result = self.weft("run", TINY / "gpt2", *RUN)
        self.assertEqual(result.stdout, expected)
        self.assertIn(NOT_KEPT + "neither HOME nor XDG_CACHE_HOME is set", result.stderr)
        self.assertIn("HOME", self.weft("cache", "list", code=1).stderr)

    def test_home_without_xdg(self):
        del self.environment["XDG_CACHE_HOME"]
        self.environment["HOME"] = str(self.folder)
        self.compiles("run", TINY / "gpt2", *RUN)
        self.assertEqual(self.entry().parent, self.folder / ".cache" / "weft" / "plans")

    def test_no_space_leaves_nothing_behind(self):
        # A file size limit stands for the full disk: the write fails part way.
        expected = self.weft("run", TINY / "gemma3", *RUN, "--no-cache").stdout
        script = f'trap "" XFSZ; ulimit -f 300; exec "{WEFT}" run {TINY / "gemma3"} {" ".join(RUN[2:])} -p "It was"'
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=self.environment)
        self.assertEqual((result.returncode, result.stdout), (0, expected), result.stderr)
        self.assertEqual(result.stderr.count(NOT_KEPT), 1)
        self.assertEqual(self.list(), [])
        self.assertNotIn(".weft", self.files())


class Reuse(CacheTest):
    def compile(self, *arguments, name="m.weft"):
        path = self.folder / name
        result = self.weft("compile", *arguments, "-o", path)
        return path, result

    def reused(self, stdout):
        """Bytes that were reused, and of how many."""
        match = re.search(r"^reused ([0-9.]+) (k?M?B) of ([0-9.]+) (k?M?B) of packed weights", stdout, re.M)
        return tuple(float(match[i]) * {"B": 1, "kB": 1e3, "MB": 1e6}[match[i + 1]] for i in (1, 3))

    def check(self, model, old_options, new_options):
        """What a plan compiled with an older one at hand reused of how much; it is the plan compiled without."""
        old, _ = self.compile(model, *old_options, name="old.weft")
        new, _ = self.compile(model, *new_options, name="new.weft")
        again, result = self.compile(model, *new_options, "--reuse", old, name="again.weft")
        self.assertEqual(again.read_bytes(), new.read_bytes())
        self.weft("verify", again)
        return self.reused(result.stdout)

    def test_same_bytes_with_and_without(self):
        for name in ("gemma3", "gpt2", "llama-gqa"):
            model = TINY / name
            reused, total = self.check(model, ["--q8-threshold", "0"], ["--q8-threshold", "200"])
            self.assertTrue(0 < reused < total, (name, reused, total))
            reused, total = self.check(model, ["--weights", "f32"], ["--weights", "q8_0"])
            self.assertTrue(0 < reused < 0.5 * total, (name, reused, total))
            reused, total = self.check(model, ["--kv", "f32"], ["--kv", "q8_0", "-c", "100"])
            self.assertGreater(reused, 0.9 * total)
            reused, total = self.check(model, [], ["--disable-pass", "fuse-qkv", "--disable-pass", "fuse-gate-up"])
            self.assertTrue(0 < reused < total, (name, reused, total))

    def test_in_place(self):
        path, _ = self.compile(TINY / "gpt2")
        data = path.read_bytes()
        _, result = self.compile(TINY / "gpt2", "--reuse", path)
        self.assertGreater(self.reused(result.stdout)[0], 0)
        self.assertEqual(path.read_bytes(), data)

    def test_nothing_of_other_or_damaged_plans(self):
        model = self.copy()
        old, _ = self.compile(model, name="old.weft")
        new = old.read_bytes()
        data = bytearray(new)
        sections = [struct.unpack_from("<IIQQQ", data, 32 + 32 * i) for i in range(struct.unpack_from("<I", data, 12)[0])]
        data[next(offset for kind, _, offset, _, _ in sections if kind == 7) + 100] ^= 1
        old.write_bytes(data)
        path, result = self.compile(model, "--reuse", old)
        self.assertRegex(result.stderr, "nothing of .*old.weft is reused: .*checksum")
        self.assertEqual(self.reused(result.stdout)[0], 0)
        self.assertEqual(path.read_bytes(), new)
        self.compile(TINY / "llama-gqa", name="old.weft")
        path, result = self.compile(model, "--reuse", old)
        self.assertIn("compiled from other files", result.stderr)
        self.assertEqual(path.read_bytes(), new)
        # A file of the same name and size with other values.
        self.compile(model, name="old.weft")
        weights = bytearray((model / "model.safetensors").read_bytes())
        weights[-1] ^= 0x80
        (model / "model.safetensors").write_bytes(weights)
        path, result = self.compile(model, "--reuse", old)
        self.assertIn("compiled from other files", result.stderr)
        self.assertNotEqual(path.read_bytes(), new)
        old.write_bytes(new[:-1])
        self.assertIn("old.weft", self.weft("compile", model, "-o", path, "--reuse", old, code=1).stderr)
        self.assertIn("no.weft", self.weft("compile", model, "-o", path, "--reuse", "no.weft", code=1).stderr)

    def test_the_cache_reuses_by_itself(self):
        self.compiles("run", TINY / "gpt2", *RUN)
        result = self.weft("run", TINY / "gpt2", *RUN, "--kv", "q8_0")
        self.assertIn("of weights from an earlier plan", result.stderr)
        self.assertEqual(result.stdout, self.weft("run", TINY / "gpt2", *RUN, "--kv", "q8_0", "--no-cache").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
