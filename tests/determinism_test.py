#!/usr/bin/env python3
"""The same logits, byte for byte, whatever the process: docs/numerics.md. Usage: determinism_test.py path/to/weft path/to/libweft-runtime.so [unittest arguments]

Runs from the source folder, on the models of tests/oracle/tiny, and on smollm2-135m-instruct-q4_1 in the cache (scripts/test pulls it)."""
import concurrent.futures, hashlib, os, random, subprocess, sys, unittest

LIBRARY = os.path.abspath(sys.argv.pop(2))
import c_library, digests
from cli_test import ENVIRONMENT, TINY, WEFT, CommandTest, read_safetensors, weft
from fresh_seed import fresh_seed

RANDOM = random.Random(fresh_seed())
MODELS = sorted(path for path in TINY.iterdir())
TARGETS = ["x86-64-v3", "avx-vnni", "avx512-vnni", "amx-int8"]


class Determinism(CommandTest):
    def digest(self, source, *options, ids=digests.IDS, before=(), **more):
        command = [*before, WEFT, "logits", source, "--ids", ids, "--digest", *options]
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, **{"env": ENVIRONMENT, **more})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.said = result.stderr
        return result.stdout.strip()

    def compiled(self, model, weights, *options):
        plan = self.folder / "m.weft"
        self.succeeds("compile", model, "--weights", weights, "-o", plan, *options)
        return plan

    def environments(self):
        """What a process may find around it, and must not see: time zones, others' settings, memory that holds something. (No program of Weft calls
        setlocale(), so that locales are none of it.)"""
        perturb = [str(RANDOM.randrange(1, 256)) for _ in range(3)]
        return ([{"MALLOC_PERTURB_": value} for value in perturb] + [{"MALLOC_ARENA_MAX": "1"}, {"MALLOC_TOP_PAD_": "12345", "MALLOC_MMAP_THRESHOLD_": "0"},
                {"TZ": "Pacific/Chatham"},
                {"OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": "3", "OMP_DYNAMIC": "true"}, {"HOME": str(self.folder)}, {"WEFT_PADDING": "x" * RANDOM.randrange(10_000)},
                {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}])

    def test_the_digest_is_that_of_the_bytes(self):
        out = self.folder / "l"
        digest = self.succeeds("logits", TINY / "gpt2", "--ids", "3,5", "--digest", "-o", out).strip()
        entry, values = read_safetensors(out)["logits"]
        self.assertEqual((digest, entry["shape"], len(values)), (hashlib.sha256(values).hexdigest(), [2, 512], 2 * 512 * 4))
        self.assertEqual(weft("logits", TINY / "gpt2", "--ids", "3").returncode, 2)  # neither a file nor a digest

    def test_digests_of_the_docs(self):
        rows = digests.expected()
        self.assertEqual({model for model, _, _ in rows}, {*map(str, MODELS), digests.SYNTH, "smollm2-135m-instruct-q4_1"})
        self.assertEqual({weights for _, weights, _ in rows}, {"f32", "q8_0"})
        self.succeeds("synth", "tiny", "-o", self.folder / "synth")
        for model, weights, digest in rows:
            with self.subTest(model=model, weights=weights):
                source = self.folder / "synth" if model == digests.SYNTH else model
                self.assertEqual(self.digest(source, "--weights", weights), digest)

    def test_every_target_that_this_cpu_executes(self):
        counted, lacking = 0, set()
        for model, weights, digest in digests.expected():
            if not model.startswith("tests/"):
                continue
            for target in TARGETS:
                result = weft("logits", model, "--ids", digests.IDS, "--digest", "--weights", weights, "--target", target)
                if result.returncode == 0:
                    self.assertEqual(result.stdout.strip(), digest, (model, weights, target))
                    counted += 1
                else:
                    self.assertRegex(result.stderr, f"target {target} needs CPU features that this machine lacks")
                    lacking.add(target)
        self.assertGreaterEqual(counted, 20)
        if lacking:
            print(f"NOT TESTED: digests of {', '.join(sorted(lacking))}, which this machine lacks", flush=True)

    def test_every_way_to_run_a_model(self):
        cache = {**ENVIRONMENT, "WEFT_CACHE_SIZE": "1G", "XDG_CACHE_HOME": str(self.folder / "cache")}
        for model in MODELS:
            for weights in ("f32", "q8_0"):
                with self.subTest(model=model.name, weights=weights):
                    options = ["--weights", weights]
                    expected = self.digest(model, *options)
                    self.assertEqual(self.digest(model, *options, env=cache), expected, "compiled into the cache")
                    self.assertRegex(self.said, "compiled .* kept for the next time")
                    self.assertEqual(self.digest(model, *options, env=cache), expected, "from the cache")
                    self.assertNotIn("compiled", self.said)
                    plan = self.compiled(model, weights)
                    for how in ([], ["--no-hugepages"], ["--mlock"], ["-t", 1], ["-t", 3], ["-t", 8]):
                        self.assertEqual(self.digest(plan, *how), expected, how)
                    chunk = RANDOM.randrange(1, 41)
                    self.assertEqual(self.digest(model, *options, "-b", chunk), expected, f"-b {chunk}")
                    one = self.compiled(model, weights, "--logit-rows", 1, "--record-stages")
                    self.assertEqual(self.digest(one), expected)
                    self.assertEqual(self.library_digest(plan), expected, "C interface, token by token")

    def library_digest(self, plan):
        """Of all positions' logits, by the C interface."""
        digest = hashlib.sha256()
        with c_library.Plan(LIBRARY, plan) as opened:
            for id in map(int, digests.IDS.split(",")):
                digest.update(opened.decode(id))
        return digest.hexdigest()

    def test_many_processes_in_any_environment(self):
        """Each at an address of its own, some at the same; alone and at once; on one CPU and on all."""
        for model, weights in ((TINY / "gemma3", "q8_0"), (TINY / "phi3", "f32")):
            plan = self.compiled(model, weights)
            expected = self.digest(plan)
            for extra in self.environments():
                self.assertEqual(self.digest(plan, env={**ENVIRONMENT, **extra}), expected, extra)
                if "MALLOC_PERTURB_" in extra:  # the compiler's memory as well
                    self.assertEqual(self.digest(model, "--weights", weights, env={**ENVIRONMENT, **extra}), expected, extra)
            fixed = ["setarch", "-R"]
            if subprocess.run([*fixed, "true"], capture_output=True).returncode != 0:
                print("NOT TESTED: fixed addresses, which setarch may not ask for here", flush=True)
                fixed = []
            for before in (fixed, ["taskset", "-c", str(min(os.sched_getaffinity(0)))], ["nice", "-n", "10"], ["bash", "-c", 'ulimit -s 1024; exec "$@"', "bash"]):
                self.assertEqual(self.digest(plan, before=before), expected, before)
            for _ in range(10):
                self.assertEqual(self.digest(plan), expected)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                self.assertEqual({*pool.map(lambda threads: self.digest(plan, "-t", 1 + threads % 8), range(16))}, {expected})

    def test_text_of_every_program(self):
        """Sampled, with a seed: the same from the model, the plan, weft-run, with a profile and without."""
        for model in MODELS:
            plan = self.compiled(model, "q8_0")
            arguments = ["-p", "It was a day", "-n", "12", "--temp", "1", "--seed", str(RANDOM.randrange(1 << 64)), "--ignore-eos"]
            expected = self.succeeds("run", model, "--weights", "q8_0", *arguments)
            for command in ([WEFT, "run", plan], [WEFT, "run", plan, "-t", "5"], [WEFT + "-run", plan], [WEFT + "-run", plan, "-t", "3", "--no-hugepages"], [WEFT + "-run", plan, "--mlock"]):
                result = subprocess.run([*map(str, command), *arguments], capture_output=True, text=True, env=ENVIRONMENT)
                self.assertEqual((result.returncode, result.stdout), (0, expected), (command, result.stderr))
            traced = self.succeeds("run", plan, *arguments, "--trace")
            self.assertTrue(traced.startswith(expected), traced)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
