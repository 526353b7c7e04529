#!/usr/bin/env python3
"""The arithmetic and the tables of bench/side_by_side.py, and its wrong usage; no engine runs. Runs from the source folder."""
import pathlib, subprocess, sys, unittest

sys.dont_write_bytecode = True
sys.path.insert(0, "bench")
import side_by_side


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
        for arguments in (["--peers", "nobody"], ["--rounds", "0"], ["-t", "x"]):
            result = subprocess.run([sys.executable, "bench/side_by_side.py", *arguments], capture_output=True, text=True)
            self.assertEqual(result.returncode, 2, result.stderr)

    def test_scripts_compile(self):
        for path in pathlib.Path("bench").glob("*.py"):
            compile(path.read_text(encoding="utf-8"), path, "exec")


if __name__ == "__main__":
    unittest.main()
