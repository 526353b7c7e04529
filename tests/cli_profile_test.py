#!/usr/bin/env python3
"""`weft profile --compare`, `weft eval` and `weft explore` as a user types them. What the speeds are, a test cannot know.
Usage: cli_profile_test.py path/to/weft [unittest arguments]. Runs from the source folder."""
import csv, io, json, math, struct, unittest

from cli_test import TINY, CommandTest, read_safetensors, weft

TEXT = "It was a day like any other. " * 5


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
        self.fails("profile", "--compare", once, self.folder / "cut.json", message="cut.json: .* is no valid JSON")
        self.fails("profile", "--compare", plan, self.folder / "nothing.weft", message="nothing.weft")
        for arguments in ([], [plan, "--compare", plan, plan], ["--compare", plan], [plan, "--rounds", 2], ["--compare", plan, plan, "--rounds", 0],
                          ["--compare", plan, plan, "--report", "r.html"], [plan, "--rounds", 2, "--json", "--trace-out", "t.json"]):
            self.assertEqual(weft("profile", *arguments).returncode, 2, arguments)


class Accuracy(CommandTest):
    def logits(self, model, ids, *options):
        path = self.folder / "out.safetensors"
        self.succeeds("logits", model, "--ids", ",".join(map(str, ids)), "-o", path, *options)
        entry, values = read_safetensors(path)["logits"]
        rows, vocab = entry["shape"]
        flat = struct.unpack(f"<{rows * vocab}f", values)
        return [flat[i * vocab : (i + 1) * vocab] for i in range(rows)]

    def log_probabilities(self, row):
        top = max(row)
        log_sum = top + math.log(sum(math.exp(x - top) for x in row))
        return [x - log_sum for x in row]

    def test_eval_and_explore_say_what_the_logits_say(self):
        model, text = TINY / "llama-gqa", self.folder / "t.txt"
        text.write_text(TEXT)
        ids = json.loads(self.succeeds("tokenize", model, "--ids", stdin=TEXT))
        ours, f32 = ([self.log_probabilities(row) for row in self.logits(model, ids, "--weights", weights, "--kv", "f32")][:-1]
                     for weights in ("q8_0", "f32"))
        nll = -sum(row[id] for row, id in zip(ours, ids[1:])) / len(ours)
        kl = sum(math.exp(p) * (p - q) for of_f32, of_ours in zip(f32, ours) for p, q in zip(of_f32, of_ours)) / len(ours)
        self.assertGreater(kl, 0)
        result = json.loads(self.succeeds("eval", model, "--weights", "q8_0", "--kv", "f32", "--text", text, "--json"))
        self.assertEqual((result["tokens"], result["positions"]), (len(ids), len(ids) - 1))
        self.assertAlmostEqual(result["mean_nll"] / nll, 1, delta=1e-5)
        self.assertAlmostEqual(result["mean_kl"] / kl, 1, delta=1e-3)
        explored = json.loads(self.succeeds("explore", model, "--weights", "f32,q8_0", "--kv", "f32", "--text", text, "-p", 4, "-n", 2, "-r", 1, "--json"))
        of_f32, of_q8 = explored["variants"]
        self.assertEqual((of_f32["name"], of_f32["mean_kl"], of_q8["mean_nll"], of_q8["mean_kl"]),
                         ("--weights f32", 0, result["mean_nll"], result["mean_kl"]))


class Explore(CommandTest):
    QUICK = ["-p", 6, "-n", 3, "-t", 1, "-r", 2]

    def test_variants_side_by_side(self):
        explore = ["explore", TINY / "gpt2-wide", "--q8-threshold", "512,400,100,1024", "--disable-pass", "fuse-qkv", *self.QUICK]
        result = json.loads(self.succeeds(*explore, "--json"))
        variants = {variant["name"]: variant for variant in result["variants"]}
        self.assertEqual(result["base"], "--q8-threshold 1024")
        self.assertEqual(len(variants), 8)
        # 128 x 128 attention, 128 x 512 MLP and embedding: from 129 to 512 the same weights are q8_0.
        self.assertEqual(variants["--q8-threshold 400"]["same_as"], "--q8-threshold 512")
        self.assertEqual(variants["--q8-threshold 400 --disable-pass fuse-qkv"]["same_as"], "--q8-threshold 512 --disable-pass fuse-qkv")
        weights = [variants[f"--q8-threshold {threshold}"]["weight_bytes"] for threshold in (1024, 512, 100)]
        self.assertEqual(weights, sorted(weights, reverse=True))
        for name in ("--q8-threshold 512", "--q8-threshold 100"):
            fused, unfused = variants[name], variants[name + " --disable-pass fuse-qkv"]
            self.assertEqual([fused[key] for key in ("mean_nll", "mean_kl")], [unfused[key] for key in ("mean_nll", "mean_kl")])
            plan = self.folder / "m.weft"
            self.succeeds("compile", TINY / "gpt2-wide", *name.split(), "-o", plan)
            info = json.loads(self.succeeds("info", plan, "--json"))
            self.assertEqual((fused["weight_bytes"], fused["kv_bytes"]), (info["weight_bytes"], info["kv_bytes"]))
        for variant in result["variants"]:
            if "same_as" not in variant:
                self.assertEqual([len(variant[key]) for key in ("decode_samples", "prefill_samples")], [2, 2])
        self.assertIn(result["adopt"], variants)
        self.assertTrue(result["why"][0].startswith("Adopt " + result["adopt"]))
        text = self.succeeds(*explore, "--no-score")
        for part in ("compiles to the same as --q8-threshold 512", "to base", "accuracy: not measured", "\nAdopt --q8-threshold"):
            self.assertIn(part, text)

    def test_errors(self):
        model = TINY / "gpt2"
        self.fails("explore", model, *self.QUICK, message="nothing to compare")
        self.fails("explore", model, "--kv", "f32,f16,q8_0", "--weights", "auto,f32,q8_0", "--disable-pass", "fuse-qkv,canonicalise,fuse-epilogue",
                   message="more than 32 variants")
        self.fails("explore", model, "--disable-pass", "pack-layout", *self.QUICK, message="--disable-pass pack-layout: .*pack-layout")
        self.fails("explore", model, "--kv", "f32,f16", "-p", 1000, message="more than the context of")
        (self.folder / "t.txt").write_text("")
        self.fails("explore", model, "--kv", "f32,f16", "--text", self.folder / "t.txt", *self.QUICK, message="t.txt: holds fewer than two tokens")
        for arguments in (["--kv", "f8"], ["--q8-threshold", "x"], ["--weights", "f32,q4"], ["--kv", "f32,f16", "--no-score", "--text", "t"]):
            self.assertEqual(weft("explore", model, *arguments).returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
