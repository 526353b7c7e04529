#!/usr/bin/env python3
"""What `weft profile` tells of a run agrees with what else is known of it: its own trace, the model's shapes, the kernel's counts.
Usage: profile_test.py path/to/weft [unittest arguments]; runs from the source folder."""
import collections, json, os, pathlib, shutil, subprocess, sys, tempfile, unittest

WEFT = os.path.abspath(sys.argv.pop(1))
TINY = pathlib.Path("tests/oracle/tiny")
REST = ("between_steps_ns", "choosing_ns", "text_ns", "other_ns")


class ProfileTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def weft(self, *arguments):
        result = subprocess.run([WEFT, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=120,
                                env={**os.environ, "HF_HUB_OFFLINE": "1", "WEFT_CACHE_SIZE": "0", "HOME": str(self.folder)})
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def profile(self, model, *arguments):
        report = json.loads(self.weft("profile", TINY / model, "--no-roof", "-t", 2, "--json", *arguments))
        return report, {phase["phase"]: phase for phase in report["phases"]}

    def test_rows_and_what_is_left_are_the_wall_time_of_the_trace(self):
        trace = self.folder / "trace.json"
        _, phases = self.profile("llama-gqa", "-p", 1, "-n", 30, "--trace-out", trace)
        events = [event for event in json.loads(trace.read_text())["traceEvents"] if event["ph"] == "X" and event["pid"] == 1]
        runs = [event for event in events if event["cat"] == "run" and event["name"] == "decode"]
        decode = phases["decode"]
        self.assertEqual(len(runs), decode["runs"], "all of them are kept")
        # Of each step of each run, from the first worker's begin to the last one's end.
        hulls = collections.defaultdict(lambda: [float("inf"), 0])
        for event in events:
            if event["cat"] == "run":
                continue
            run = next((i for i, run in enumerate(runs) if run["ts"] - .01 <= event["ts"] <= run["ts"] + run["dur"]), None)
            if run is None:
                continue  # of another phase
            hull = hulls[run, event["name"], event["args"]["kernel"]]
            hull[0], hull[1] = min(hull[0], event["ts"]), max(hull[1], event["ts"] + event["dur"])
        in_steps = 1e3 * sum(end - begin for begin, end in hulls.values())
        in_runs = 1e3 * sum(run["dur"] for run in runs)
        rows = sum(row["total_ns"] for row in decode["rows"])
        slack = .02 * decode["wall_ns"]
        self.assertAlmostEqual(rows, in_steps, delta=slack)
        self.assertAlmostEqual(rows + decode["between_steps_ns"], in_runs, delta=slack)
        self.assertAlmostEqual(rows + sum(decode[name] for name in REST), decode["wall_ns"], delta=slack)
        for name in REST:
            self.assertGreaterEqual(decode[name], 0, "nothing is counted twice")

    def test_workers_are_busy_or_wait(self):
        _, phases = self.profile("gemma3", "-p", 30, "-n", 10)
        for phase in phases.values():
            self.assertEqual(len(phase["workers"]), 2)
            in_runs = sum(row["total_ns"] for row in phase["rows"]) + phase["between_steps_ns"]
            for worker in phase["workers"]:
                self.assertEqual(worker["busy_ns"] + worker["waited_ns"], in_runs)
                self.assertGreaterEqual(worker["waited_ns"], 0)
            busy = sum(row["busy"] * row["total_ns"] * 2 for row in phase["rows"])
            self.assertAlmostEqual(sum(worker["busy_ns"] for worker in phase["workers"]), busy, delta=1e-6 * busy + 1)

    def test_attention_reads_the_cache_that_the_model_has(self):
        _, phases = self.profile("llama-gqa", "-p", 20, "-n", 30)
        info = json.loads(self.weft("info", TINY / "llama-gqa", "--json"))
        config = json.loads((TINY / "llama-gqa" / "config.json").read_text())
        head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        values = 2 * info["layers"] * config["num_key_value_heads"] * head  # keys and values of a position
        positions = sum(20 + i + 1 for i in range(30))
        bands = phases["decode"]["attention"]
        self.assertEqual([(band["positions_up_to"], band["runs"]) for band in bands], [(32, 12), (64, 18)])
        read = sum(band["cache_bytes"] for band in bands)
        self.assertIn(read / (values * positions), (1.0625, 2, 4), "bytes of a q8_0, f16 or f32")
        row = next(row for row in phases["decode"]["rows"] if row["op"] == "attention")
        self.assertEqual(row["cache_bytes"], read)
        self.assertEqual(row["total_ns"], sum(band["total_ns"] for band in bands))
        self.assertAlmostEqual(row["gb_per_s"], read / row["total_ns"])
        self.assertEqual(sum(band["cache_bytes"] for band in phases["prefill"]["attention"]) * positions, read * 20)

    def test_layers_are_told_by_run(self):
        text = self.weft("profile", TINY / "llama-gqa", "--no-roof", "-t", 2, "-p", 8, "-n", 4, "--by", "layer")
        table = text[text.index("decode: "):].splitlines()
        header = next(line for line in table if line.startswith("layer "))
        self.assertEqual(header.split()[:3], ["layer", "steps", "us/run"])
        rows = [line for line in table if line.startswith("layer ") and line != header]
        self.assertEqual(len(rows), 3)
        for row in rows:
            cells = row.split()[2:]  # "layer", its number
            per_run, matmuls, attention, rest, total_ms = map(float, cells[1:6])
            self.assertAlmostEqual(per_run, matmuls + attention + rest, delta=.2)
            self.assertAlmostEqual(per_run * 4 / 1e3, total_ms, delta=.01)

    def test_counters(self):
        report, phases = self.profile("llama-gqa", "-p", 8, "-n", 4, "--counters")
        text = self.weft("profile", TINY / "llama-gqa", "--no-roof", "-p", 8, "-n", 4, "--counters")
        every = {"cycles", "instructions", "cache_misses", "tlb_misses", "page_faults", "context_switches"}
        self.assertLessEqual(set(report["counted"]), every)
        self.assertEqual("not counted: " in text, set(report["counted"]) != every)
        for phase in phases.values():
            for row in phase["rows"]:
                self.assertEqual(set(row) & every, set(report["counted"]))
        if "page_faults" not in report["counted"]:
            self.skipTest("NOT TESTED: perf events are not permitted here")
        faults = {name: sum(row["page_faults"] for row in phase["rows"]) / phase["runs"] for name, phase in phases.items()}
        self.assertGreater(faults["cold"], 0, "the first run touches the arena and the cache")
        self.assertLess(faults["decode"], faults["cold"])
        self.assertIn("page faults", text)
        self.assertEqual(self.profile("llama-gqa", "-p", 8, "-n", 1)[0]["counted"], [])

    def test_perf_map_names_ops(self):
        process = subprocess.Popen([WEFT, "profile", TINY / "llama-gqa", "-p", "4", "-n", "2", "--no-roof", "--perf-map"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env={**os.environ, "HF_HUB_OFFLINE": "1", "WEFT_CACHE_SIZE": "0"})
        path = pathlib.Path(f"/tmp/perf-{process.pid}.map")
        self.addCleanup(lambda: path.unlink(missing_ok=True))
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
        for address, size, _ in lines:
            self.assertGreater(int(address, 16), 1 << 32)
            self.assertGreater(int(size, 16), 0)
        names = " ".join(name for _, _, name in lines)
        for op in ("model.layers.*.mlp.{gate,up}_proj", "attention: ", "lm_head"):
            self.assertIn(op, names)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
