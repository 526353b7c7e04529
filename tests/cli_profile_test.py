#!/usr/bin/env python3
"""`weft profile --compare` as a user types it. What the figures are, a test cannot know. Usage: cli_profile_test.py path/to/weft [unittest arguments].
Runs from the source folder."""
import csv, io, json, unittest

from cli_test import TINY, CommandTest, weft


def ops(rows, side):
    return {row[side]["op"] for row in rows if row[side] is not None}


class Compare(CommandTest):
    QUICK = ["-p", 6, "-n", 3, "-t", 1]

    def plan(self, name, *options):
        plan = self.folder / f"{name}.weft"
        self.succeeds("compile", TINY / "llama-gqa", "--weights", "q8_0", *options, "-o", plan)
        return plan

    def recorded(self, plan, name, *options):
        path = self.folder / name
        path.write_text(self.succeeds("profile", plan, *self.QUICK, "--no-roof", "--json", *options))
        return path

    def test_plans_are_measured_in_turns(self):
        plans = [self.plan("a"), self.plan("b", "--disable-pass", "fuse-qkv")]
        result = json.loads(self.succeeds("profile", "--compare", *plans, *self.QUICK, "--rounds", 6, "--json"))
        self.assertTrue(result["in_turns"])
        self.assertEqual([result[side]["name"] for side in "ab"], list(map(str, plans)))
        self.assertEqual([(phase["phase"], phase["rounds"]) for phase in result["phases"]], [("prefill", [6, 6]), ("decode", [6, 6])])
        for phase in result["phases"]:
            rows, totals = phase["rows"], phase["totals"]
            self.assertEqual(ops(rows, "a") - ops(rows, "b"), {"model.layers.*.self_attn.{q,k,v}_proj"})
            self.assertEqual(ops(rows, "b") - ops(rows, "a"), {f"model.layers.*.self_attn.{part}_proj" for part in "qkv"})
            self.assertEqual([row["a"]["op"] for row in totals],
                             ["rows of both", "rows of one alone", "barriers and waiting", "choosing tokens", "text of tokens", "everything else", "wall time"])
            wall = totals[-1]
            self.assertTrue(0 < wall["ratio_low"] <= wall["ratio"] <= wall["ratio_high"], wall)
            self.assertEqual(wall["confidence"], 0.96875)

    def test_models_as_tables(self):
        text = self.succeeds("profile", "--compare", TINY / "llama-gqa", TINY / "llama-gqa", *self.QUICK, "--rounds", 2, "--by", "layer")
        for part in ("A: ", "B: ", "2 rounds in turns", "a confidence of 50.0 %", "layer 2", "wall time", "B/A"):
            self.assertIn(part, text)
        rows = list(csv.DictReader(io.StringIO(
            self.succeeds("profile", "--compare", TINY / "gpt2", TINY / "gpt2", *self.QUICK, "--rounds", 1, "--csv"))))
        self.assertEqual({row["phase"] for row in rows}, {"prefill", "decode"})
        self.assertTrue(all(row["a_op"] == row["b_op"] and row["ratio_low"] == "" for row in rows))

    def test_files_of_profiles(self):
        plan = self.plan("a")
        once = self.recorded(plan, "once.json")
        rounds = self.recorded(plan, "rounds.json", "--rounds", 7)
        self.assertEqual(len(json.loads(rounds.read_text())["rounds"]), 7)
        text = self.succeeds("profile", "--compare", once, once)
        self.assertIn("There is no interval", text)
        self.assertIn("cold", text)
        same = json.loads(self.succeeds("profile", "--compare", once, once, "--json"))
        self.assertFalse(same["in_turns"])
        self.assertEqual({row["ratio"] for phase in same["phases"] for row in phase["rows"]}, {1.0})
        wall = json.loads(self.succeeds("profile", "--compare", rounds, rounds, "--json"))["phases"][-1]["totals"][-1]
        self.assertEqual((wall["ratio"], wall["confidence"]), (1.0, 1 - 4 / 2**7))
        self.assertLess(wall["ratio_low"], wall["ratio_high"])
        self.assertIn("not what did between them", self.succeeds("profile", "--compare", rounds, rounds))

    def test_errors(self):
        plan = self.plan("a")
        once = self.recorded(plan, "once.json")
        (self.folder / "bad.json").write_text("{\"phases\": [{}]}")
        (self.folder / "cut.json").write_text(once.read_text()[:-9])
        self.fails("profile", "--compare", once, plan, message="takes two files")
        self.fails("profile", "--compare", once, self.folder / "bad.json", message="bad.json: is no output of weft profile --json: 'phase'")
        self.fails("profile", "--compare", once, self.folder / "cut.json", message="cut.json: is no whole JSON document")
        self.fails("profile", "--compare", plan, self.folder / "nothing.weft", message="nothing.weft")
        for arguments in ([], [plan, "--compare", plan, plan], ["--compare", plan], [plan, "--rounds", 2], ["--compare", plan, plan, "--rounds", 0],
                          ["--compare", plan, plan, "--report", "r.html"], [plan, "--rounds", 2, "--json", "--trace-out", "t.json"]):
            self.assertEqual(weft("profile", *arguments).returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main()
