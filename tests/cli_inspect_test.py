#!/usr/bin/env python3
"""Commands that show what the compiler made of a model, as a user types them: what a pass changed, the graph,
what was decided about a weight.
Usage: cli_inspect_test.py path/to/weft [unittest arguments]. Runs from the source folder."""
import json, re, struct, unittest

from cli_test import ENVIRONMENT, TINY, CommandTest, read_safetensors

STAGES = ["import", "cut-weights", "canonicalise", "fuse-qkv", "fuse-gate-up", "select-weight-format", "select-kv-format", "fuse-epilogue", "pack-layout",
          "fuse-quantize", "schedule", "plan-memory"]


def patch(text, diff):
    """What `patch` makes of `text`, every line of the diff checked."""
    old, new, at = text.splitlines(), [], 0
    lines = diff.splitlines()[2:]
    for line in lines:
        if line.startswith("@@"):
            begin = int(re.match(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@$", line).group(1)) - 1
            new, at = new + old[at:begin], begin
            continue
        if line[0] in " -":
            assert old[at] == line[1:], (at, old[at], line)
            at += 1
        if line[0] in " +":
            new.append(line[1:])
    return "\n".join(new + old[at:]) + "\n"


def renumber(text):
    """Values numbered in the order of their definition, as the printer numbers them."""
    numbers = {name: str(i) for i, name in enumerate(re.findall(r"^  %(\d+) =", text, re.M))}
    return re.sub(r"^.*%.*$", lambda line: re.sub(r"%(\d+)", lambda m: "%" + numbers[m.group(1)], line.group(0)), text, flags=re.M)


class Diff(CommandTest):
    def test_the_diff_makes_one_stage_of_the_other(self):
        for model in ("llama-gqa", "gpt2", "gemma3"):
            texts = {stage: self.succeeds("dump", TINY / model, "--stage", stage) for stage in STAGES}
            pairs = [*zip(STAGES, STAGES[1:]), ("import", "plan-memory"), ("plan-memory", "fuse-qkv")]
            for before, after in pairs:
                diff = self.succeeds("dump", TINY / model, "--stage", after, "--diff", before)
                if (before, after) in pairs[:-2]:
                    self.assertEqual(self.succeeds("dump", TINY / model, "--stage", after, "--diff"), diff)
                if texts[before] == texts[after]:
                    self.assertEqual(diff, "")
                    continue
                self.assertEqual(diff.splitlines()[:2], [f"--- a/{before}", f"+++ b/{after}"])
                self.assertEqual(renumber(patch(texts[before], diff)), texts[after], (model, before, after))

    def test_what_a_pass_left_alone_does_not_show(self):
        diff = self.succeeds("dump", TINY / "gemma3", "--stage", "fuse-qkv", "--diff")
        changed = [line for line in diff.splitlines()[2:] if line[0] in "+-"]
        self.assertTrue(any("_proj" in line for line in changed))
        for line in changed:  # projections, what uses them, and nothing of the MLP or the norms beside
            self.assertNotRegex(line, "mlp|layernorm|embed_tokens|lm_head|tensor \"")

    def test_a_pass_left_out_changes_nothing(self):
        self.assertEqual(self.succeeds("dump", TINY / "gemma3", "--stage", "fuse-qkv", "--diff", "--disable-pass", "fuse-qkv"), "")

    def test_of_plans(self):
        plans = {record: self.folder / f"{record}.weft" for record in (False, True)}
        for record, plan in plans.items():
            self.succeeds("compile", TINY / "gpt2", "--logit-rows", 1, "-o", plan, *(["--record-stages"] if record else []))
        for before, after in (("import", "plan-memory"), ("canonicalise", "fuse-qkv")):
            diff = self.succeeds("dump", TINY / "gpt2", "--stage", after, "--diff", before)
            self.assertEqual(self.succeeds("dump", plans[True], "--stage", after, "--diff", before), diff)
            self.assertEqual(self.succeeds("dump", plans[False], "--stage", after, "--diff", before, "--source", TINY / "gpt2"), diff)
        self.fails("dump", plans[False], "--stage", "fuse-qkv", "--diff", message="does not hold stage canonicalise.*--source MODEL")

    def test_what_has_no_diff(self):
        self.fails("dump", TINY / "gpt2", "--stage", "import", "--diff", message="no stage before import")
        self.fails("dump", TINY / "gpt2", "--stage", "asm", "--diff", message="--diff compares stages of the IR, and asm comes after")
        self.fails("dump", TINY / "gpt2", "--diff", "--format", "json", message="--diff is printed as text only")
        self.fails("dump", TINY / "gpt2", "--diff", "--memory", message="excludes", code=2)
        self.fails("dump", "--stage", "schedule", "--diff", "asm", TINY / "gpt2", message="--diff", code=2)


def read_dot(text):
    """Nodes with their labels' lines, edges, and the nodes of each cluster; refuses what is none of these."""
    quoted = r'"((?:[^"\\]|\\.)*)"'
    nodes, edges, clusters, cluster = {}, [], {}, None
    lines = text.splitlines()
    assert re.fullmatch(rf"digraph {quoted} \{{", lines[0]) and lines[-1] == "}", (lines[0], lines[-1])
    for line in lines[1:-1]:
        if re.fullmatch(r"  (graph|node|edge) \[.*\];|    (label|style)=.*;", line):
            continue
        if match := re.fullmatch(r"  subgraph cluster_(\d+) \{", line):
            assert cluster is None
            cluster = int(match.group(1))
            clusters[cluster] = []
        elif line == "  }":
            assert cluster is not None
            cluster = None
        elif match := re.fullmatch(rf"  (\w+) -> (\w+) \[label={quoted}.*\];", line):
            edges.append(match.groups())
        else:
            name, label = re.fullmatch(rf" +(\w+) \[label={quoted}.*\];", line).groups()
            assert name not in nodes, name
            nodes[name] = label.split("\\n")
            if cluster is not None:
                clusters[cluster].append(name)
    assert cluster is None and all(end in nodes for edge in edges for end in edge[:2])
    return nodes, edges, clusters


class Dot(CommandTest):
    """Against the graph as JSON. Of the layers of gemma3 one is without a window and has another table."""

    def graph(self, *options):
        return read_dot(self.succeeds("dump", TINY / "gemma3", "--format", "dot", *options))

    def ops(self, stage):
        """By layer, -1 for none: the numbers of what is computed, which are the names of nodes."""
        module = json.loads(self.succeeds("dump", TINY / "gemma3", "--stage", stage, "--format", "json"))
        layers = {}
        for node in module["nodes"]:
            if node["op"] not in ("weight", "pack", "concat", "rope_table", "slice"):
                match = re.search(r"\.layers\.(\d+)", node["location"])
                layers.setdefault(int(match.group(1)) if match else -1, []).append(f"n{node['id']}")
        return layers, {f"n{node['id']}": node for node in module["nodes"]}

    def test_one_layer_in_full_and_others_by_what_they_share(self):
        for stage in ("import", "fuse-epilogue", "plan-memory"):
            layers, module = self.ops(stage)
            full_layers = [len(nodes) for layer, nodes in sorted(layers.items()) if layer >= 0]
            self.assertEqual(len(full_layers), self.layers())
            for shown in (0, self.layers() - 1):
                nodes, edges, clusters = self.graph("--stage", stage, "--expand-layer", shown)
                self.assertEqual(clusters, {shown: layers[shown]})
                collapsed = {name: label for name, label in nodes.items() if name.startswith("layers")}
                self.assertEqual(sorted(set(nodes) - set(collapsed)), sorted(layers[shown] + layers[-1]))
                for name in set(nodes) - set(collapsed):
                    self.assertIn(f"%{name[1:]} {module[name]['op']}", "\n".join(nodes[name]))
                for label in collapsed.values():
                    self.assertIn(f"layer {shown}: {len(layers[shown])} ops", label[1])
                for begin, end, label in edges:
                    if begin in module and label:
                        self.assertTrue(label.startswith(" " + module[begin]["type"]) or "columns" in label, (begin, end, label))
            self.assertEqual(self.graph("--stage", stage)[2], {0: layers[0]})

    def layers(self):
        return json.loads((TINY / "gemma3" / "config.json").read_text())["num_hidden_layers"]

    def test_layers_without_a_window_are_told_apart(self):
        nodes, _, _ = self.graph()
        differ = [label for name, label in nodes.items() if name.startswith("layers") and "other" in label[1]]
        kinds = json.loads((TINY / "gemma3" / "config.json").read_text())["layer_types"]
        full = [i for i, kind in enumerate(kinds) if kind == "full_attention"]
        self.assertNotIn(0, full)
        self.assertEqual([label[0] for label in differ], [f"layer {i}" for i in full])
        for label in differ:
            self.assertEqual(sorted(label[2:]), ["attention: window", "rope: table"])

    def test_all_layers(self):
        layers, _ = self.ops("plan-memory")
        nodes, _, clusters = self.graph("--expand-layer", "all")
        self.assertEqual({-1: layers[-1], **clusters}, layers)
        self.assertEqual(len(nodes), sum(map(len, layers.values())))

    def test_labels_hold_epilogues_and_formats(self):
        labels = ["\n".join(label) for label in self.graph("--q8-threshold", 1)[0].values()]
        self.assertTrue(any("matmul + gated_gelu_tanh" in label and "q8_0[" in label for label in labels), labels)

    def test_what_is_no_layer(self):
        self.fails("dump", TINY / "gemma3", "--format", "dot", "--expand-layer", 99, message=f"--expand-layer 99: the layers are 0 to {self.layers() - 1}")
        self.fails("dump", TINY / "gemma3", "--format", "dot", "--expand-layer", "first", message="layer's number or 'all'", code=2)
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gemma3", "--logit-rows", 1, "-o", plan)
        self.assertEqual(read_dot(self.succeeds("dump", plan, "--format", "dot", "--expand-layer", 1)), self.graph("--expand-layer", 1))


class Why(CommandTest):
    """Truth is computed here from the shapes in the files' headers and the options."""

    def why(self, model, weight, *options):
        return json.loads(self.succeeds("why", model, weight, "--json", "--no-measure", *options))

    def shapes(self, name):
        """Of the tensors in the file, as it holds them."""
        return {tensor: entry["shape"] for tensor, (entry, _) in read_safetensors(TINY / name / "model.safetensors").items()}

    def test_the_threshold_decides_by_the_shape(self):
        shapes = {name: dims for name, dims in self.shapes("llama-gqa").items() if len(dims) == 2}
        edges = sorted({max(dims) for dims in shapes.values()})
        for threshold in (edges[0], edges[-1], edges[-1] + 1, 2048):
            seen = {}
            for weight in self.why(TINY / "llama-gqa", "*", "--q8-threshold", threshold)["weights"]:
                if len(weight["source"]["weight_dims"]) == 2:
                    seen[weight["source"]["tensor"]] = weight["format"]
            self.assertEqual(set(seen), set(shapes))
            for name, dims in shapes.items():
                self.assertEqual(seen[name]["format"], "q8_0" if max(dims) >= threshold else "f32", (name, threshold))
                self.assertRegex(seen[name]["why"], rf"^max\({dims[1]}, {dims[0]}\) (>=|<) {threshold}$")

    def test_other_rules_are_named(self):
        name = "model.layers.0.mlp.down_proj"
        rules = {("--weights", "f32"): ("f32", "--weights f32"), ("--weights", "q8_0"): ("q8_0", "--weights q8_0"),
                 ("--weights", "f32", "--weight-format", "*.down_proj.weight=q8_0"): ("q8_0", "--weight-format *.down_proj.weight")}
        for options, (form, why) in rules.items():
            weight, = self.why(TINY / "llama-gqa", name, *options)["weights"]
            self.assertEqual((weight["format"]["format"], weight["format"]["why"]), (form, why))
            self.assertTrue(weight["packed"][0]["type"].startswith(form + "["))
            self.assertIn(f"matmul_{form}_", weight["steps"][0]["kernel"])
        norm, = self.why(TINY / "llama-gqa", "model.layers.0.input_layernorm", "--weights", "q8_0")["weights"]
        self.assertEqual((norm["format"]["format"], norm["format"]["why"]), ("f32", "vector"))

    def test_where_it_comes_from_and_where_it_is_packed(self):
        data = (TINY / "llama-gqa" / "model.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        for weight in self.why(TINY / "llama-gqa", "*", "--weights", "q8_0")["weights"]:
            source, entry = weight["source"], header[weight["source"]["tensor"]]
            self.assertEqual(source["file"], "model.safetensors")
            self.assertEqual(source["dims"], entry["shape"])
            self.assertEqual(source["offset"], 8 + length + entry["data_offsets"][0])
            self.assertEqual(source["bytes"], entry["data_offsets"][1] - entry["data_offsets"][0])
            for pack in weight["packed"]:
                if not pack["type"].startswith("q8_0"):
                    continue
                rows, columns = map(int, re.match(r"q8_0\[(\d+),(\d+)\]", pack["type"]).groups())
                self.assertEqual(pack["rows"][1] - pack["rows"][0], entry["shape"][0])
                self.assertEqual(pack["panels"], -(-rows // 16))
                self.assertEqual(pack["padding_rows"], -rows % 16)
                self.assertEqual(pack["padding_columns"], -columns % 32)
                self.assertEqual(pack["bytes"], -(-rows // 16) * -(-columns // 32) * 544)  # 16 rows of 34 bytes a block

    def said(self, document, passed):
        weight, = document["weights"]
        return [(remark["done"], remark["text"]) for remark in weight["passes"] if remark["pass"] == passed]

    def test_fusions_and_why_not(self):
        model, k = TINY / "llama-gqa", "model.layers.1.self_attn.k_proj"
        joined = self.why(model, k)
        self.assertEqual(self.said(joined, "fuse-qkv"), [(True, "one matmul for q, k and v: model.layers.1.self_attn.{q,k,v}_proj")])
        self.assertEqual(joined["weights"][0]["steps"][0]["step"], "model.layers.1.self_attn.{q,k,v}_proj")
        rows = {name: self.shapes("llama-gqa")[f"model.layers.1.self_attn.{name}_proj.weight"][0] for name in "qkv"}
        self.assertEqual(joined["weights"][0]["packed"][0]["rows"], [rows["q"], rows["q"] + rows["k"]])
        apart = self.why(model, k, "--disable-pass", "fuse-qkv")
        self.assertEqual(self.said(apart, "fuse-qkv"), [(False, "left out by --disable-pass")])
        self.assertEqual(apart["weights"][0]["steps"][0]["step"], k)
        self.assertEqual(apart["weights"][0]["packed"][0]["with"], [])
        mixed = self.why(model, k, "--weights", "f32", "--weight-format", "*.k_proj.weight=q8_0")
        self.assertIn((False, "not stacked with model.layers.1.self_attn.q_proj.weight: that is f32"), self.said(mixed, "pack-layout"))
        gate = self.why(model, "model.layers.0.mlp.gate_proj", "--weights", "f32", "--weight-format", "*.up_proj.weight=q8_0")
        self.assertEqual([text for done, text in self.said(gate, "fuse-epilogue") if "gated" in text],
                         ["gated_silu stays a step: gate and up differ in format: f32, q8_0"])
        down = self.why(model, "model.layers.0.mlp.down_proj")
        self.assertEqual(self.said(down, "fuse-epilogue")[0], (True, "takes in residual"))
        self.assertIn("residual", down["weights"][0]["steps"][0]["kind"])

    def test_what_runs_is_what_the_program_says(self):
        document = self.why(TINY / "llama-gqa", "*", "-t", 3)
        program = json.loads(self.succeeds("dump", TINY / "llama-gqa", "--stage", "program", "--format", "json"))
        steps = {step["name"] + step["kind"]: step for step in program["steps"]}
        told = {}
        for weight in document["weights"]:
            for step in weight["steps"]:
                told[step["step"] + step["kind"]] = step
        for name, step in told.items():
            self.assertEqual((step["kernel"], step["partition_units"], step["units_at_once"]),
                             (steps[name]["kernel"], steps[name]["units"], steps[name]["grain"]), name)
            if "units_per_thread" in step:
                self.assertAlmostEqual(step["units_per_thread"], steps[name]["units"] / 3)
        self.assertEqual({name for name, step in steps.items() if step["macs_per_row"] > 0}, {name for name, step in told.items() if "macs_per_token" in step})

    def test_targets_and_loops(self):
        less = {**ENVIRONMENT, "WEFT_DISABLE_CPU": "avx512f,avxvnni"}
        document = json.loads(self.succeeds("why", TINY / "llama-gqa", "*0.mlp.up_proj*", "--json", "--no-measure", "--weights", "q8_0", env=less))
        targets = {target["target"]: target for target in document["targets"]}
        self.assertTrue(targets["x86-64-v3"]["chosen"])
        self.assertRegex(targets["avx512-vnni"]["why"], "lacks:.*avx512f")
        self.assertRegex(targets["avx-vnni"]["why"], "lacks: avxvnni")
        for target, last in (("x86-64-v3", "widened"), ("avx-vnni", "int8"), ("amx-int8", "amx")):
            document = self.why(TINY / "llama-gqa", "*0.mlp.up_proj*", "--weights", "q8_0", "--target", target)
            loops = document["weights"][0]["steps"][0]["code"][0]["loops"]
            self.assertEqual((loops[0]["from_tokens"], loops[0]["to_tokens"], loops[-1]["loop"]), (1, 1, last))
            for before, after in zip(loops, loops[1:]):
                self.assertEqual(after["from_tokens"], before["to_tokens"] + 1)

    def test_plans_tell_the_same(self):
        options = ["--weights", "q8_0", "--disable-pass", "fuse-gate-up"]
        model = self.why(TINY / "llama-gqa", "*1.self_attn.k_proj*", *options)
        for record in (False, True):
            plan = self.folder / f"{record}.weft"
            self.succeeds("compile", TINY / "llama-gqa", "--logit-rows", 1, *options, "-o", plan, *(["--record-stages"] if record else []))
            told = self.why(plan, "*1.self_attn.k_proj*")
            if record:
                self.assertEqual(told, model)
                continue
            self.assertFalse(told["remarks"])
            self.assertNotIn("passes", told["weights"][0])
            self.assertEqual(told["weights"][0]["format"], model["weights"][0]["format"])
            self.assertIn("--source MODEL", self.succeeds("why", plan, "*1.self_attn.k_proj*", "--no-measure"))
            self.assertEqual(self.why(plan, "*1.self_attn.k_proj*", "--source", TINY / "llama-gqa"), model)
            self.fails("why", plan, "*", "--source", TINY / "phi3", "--no-measure", message="was compiled from")

    def test_a_plan_for_another_machine(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "llama-gqa", "--target", "amx-int8", "-o", plan)
        less = {**ENVIRONMENT, "WEFT_DISABLE_CPU": "amx-tile"}
        text = self.succeeds("why", plan, "*0.mlp.up_proj*", "--no-measure", env=less)
        self.assertRegex(text, "amx-int8: by emitter")
        self.assertRegex(text, "amx-int8, chosen: needs CPU features that this machine lacks:.*amx-tile")
        self.fails("why", plan, "*0.mlp.up_proj*", message="amx-tile", env=less)

    def test_measured(self):
        text = self.succeeds("why", TINY / "llama-gqa", "model.layers.0.mlp.down_proj", "--no-cache", "-t", 2)
        for line in (r"one token +expected .* at the memory roof", r"measured .* of the roof", r"measured .* of the peak", r"roof +\d.* GB/s of weights"):
            self.assertRegex(text, line)
        document = json.loads(self.succeeds("why", TINY / "llama-gqa", "model.layers.0.mlp.down_proj", "--no-cache", "--json", "-t", 2))
        step = document["weights"][0]["steps"][0]
        one = step["one_token"]
        self.assertEqual((document["threads"], one["calls"]), (2, 32))
        self.assertAlmostEqual(one["gb_per_s"], one["bytes"] / (one["mean_us"] * 1e3), delta=1e-3 * one["gb_per_s"])
        self.assertAlmostEqual(one["expected_us"], one["bytes"] / (document["roof"]["gb_per_s"] * 1e3), delta=1e-6 * one["expected_us"])
        prompt = step["prompt"]
        self.assertEqual(prompt["macs"], step["macs_per_token"] * prompt["tokens"])

    def test_measured_with_the_cache(self):
        cached = {**ENVIRONMENT, "WEFT_CACHE_SIZE": "1GB", "XDG_CACHE_HOME": str(self.folder)}
        for _ in range(2):  # compiled into it, then found there
            self.assertRegex(self.succeeds("why", TINY / "llama-gqa", "lm_head", env=cached), "measured .* of the roof")

    def test_names(self):
        self.fails("why", TINY / "llama-gqa", "model.layers.0.down_proj", "--no-measure", message=r"no weight is called.*model\.layers\.\*\.mlp\.down_proj\.weight")
        self.assertEqual(len(self.why(TINY / "llama-gqa", "model.layers.*.mlp.down_proj")["weights"]),
                         json.loads((TINY / "llama-gqa" / "config.json").read_text())["num_hidden_layers"])
        self.fails("why", TINY / "llama-gqa", message="weight", code=2)
        self.fails("why", TINY / "llama-gqa", "*", "--source", TINY / "gpt2", message="--source is for plans")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
