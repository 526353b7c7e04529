#!/usr/bin/env python3
"""The arithmetic and the tables of bench/side_by_side.py and bench/targets.py, and wrong usage; no engine runs. Runs from the source folder."""
import pathlib, subprocess, sys, unittest

sys.dont_write_bytecode = True
sys.path.insert(0, "bench")
import side_by_side
import targets


def weft_test(prompt, share):
    return {"n_prompt": prompt, "n_gen": 0 if prompt else 128, "roof_gb_per_s": 40.0, "roof_share": share, "gb_per_s": 40 * share, "bytes_per_token": 1e9}


RESULT = {"model": "m",
          "engines": {"weft": {"version": "weft 1", "prefill": [100.0, 120.0, 110.0], "decode": [20.0, 10.0, 30.0]},
                      "other": {"version": "other 2", "prefill": [50.0, 40.0, 11.0], "decode": [10.0, 10.0, 10.0]}},
          "weft_tests": [[weft_test(512, 0.1), weft_test(0, share)] for share in (0.5, 0.9, 0.7)]}


class SideBySideTest(unittest.TestCase):
    def test_ratios_are_paired_by_round(self):
        rows = {(row["test"], row["engine"]): row for row in side_by_side.summarise(RESULT)}
        self.assertEqual(len(rows), 4)
        other = rows["prefill", "other 2"]
        self.assertEqual((other["tokens_per_s"], other["weft_ratio"], other["weft_ratio_min"], other["weft_ratio_max"]), (40, 3, 2, 10))
        self.assertEqual(rows["decode", "other 2"]["weft_ratio"], 2)
        self.assertEqual((rows["decode", "weft 1"]["roof_share"], rows["decode", "weft 1"]["roof_gb_per_s"]), (0.7, 40))
        self.assertNotIn("roof_share", other)

    def test_markdown(self):
        report = {"cpu": "C", "threads": 2, "n_prompt": 512, "n_gen": 128, "depth": 0, "rounds": 3, "rows": side_by_side.summarise(RESULT),
                  "skipped": [{"peer": "third", "model": "m", "why": "too old"}]}
        text = side_by_side.markdown(report)
        self.assertIn("| m | prefill | other 2 | 40.0 | 3.00 (2.00 – 10.00) |", text)
        self.assertIn("third left out for m: too old", text)
        table = [line for line in text.splitlines() if line.startswith("|")]
        self.assertEqual({line.count("|") for line in table}, {9})

    def test_wrong_usage(self):
        for script, *arguments in (["side_by_side.py", "--peers", "nobody"], ["side_by_side.py", "--rounds", "0"], ["side_by_side.py", "-t", "x"],
                                   ["targets.py", "nothing"]):
            result = subprocess.run([sys.executable, f"bench/{script}", *arguments], capture_output=True, text=True)
            self.assertEqual(result.returncode, 2, result.stderr)

    def test_targets_say_what_is_met(self):
        def test(name, threads=2, **fields):
            return {"test": name, "threads": threads, "roof_gb_per_s": 40.0, "roof_share": 0.9, "gb_per_s": 36.0, "median": 10.0, "cpu": "C",
                    "target": "x86-64-v3", "weft_version": "1", "weights_fit_caches": False, **fields}
        matmul = {"roof_share": 0.9, "gb_per_s": 36.0, "roof_gb_per_s": 40.0, "p99_over_p50": 1.2, "reader_p99_over_p50": 1.0}
        table = targets.Table({"1b": [test("tg128")], "1b steps": [test("st4", ratio_to_one=1.2), test("st8", ratio_to_one=2.5)],
                               "threads": [[test("pp256", 1), test("pp256", median=rate), test("tg32"), test("tg32", 8, median=5.0)] for rate in (11.0, 19.0, 30.0)],
                               "matmul 768,768 f32": matmul, "matmul 262144,1152 q8_0": matmul,
                               "peers gpt2": {"rounds": 3, "results": [{"weft_tests": [[test("pp512")]]}], "rows": side_by_side.summarise(RESULT)}})
        table.fill()
        met = {row.split(" | ")[0]: row.split(" | ")[-1] for row in table.rows}
        yes, no = "yes |", "**no** |"
        self.assertEqual(met["| matmul 768 × 768 f32, one token"], yes)
        self.assertEqual(met["| matmul 262144 × 1152 q8_0, one token"], no)
        self.assertEqual(met["| Gemma 3 1B shapes: decode, whole step"], yes)
        self.assertEqual(met["| Gemma 3 1B shapes: a step over 4 tokens"], yes)
        self.assertEqual(met["| Gemma 3 1B shapes: a step over 8 tokens"], no)
        self.assertEqual(met["| Gemma 3 1B shapes: prefill, 2 threads against 1"], yes)
        self.assertEqual(met["| Gemma 3 1B shapes: decode, 8 threads on 2 CPUs against 2"], no)
        self.assertIn("C, target x86-64-v3", table.markdown())
        self.assertIn("| gpt2: prefill against other 2 |  | 3.00× (110 : 40 tokens/s, only 3 of 5 rounds) |", table.markdown())

    def test_scripts_compile(self):
        for path in pathlib.Path("bench").glob("*.py"):
            compile(path.read_text(encoding="utf-8"), path, "exec")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
