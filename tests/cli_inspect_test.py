#!/usr/bin/env python3
"""Commands that show what the compiler made of a model, as a user types them: what a pass changed, the graph.
Usage: cli_inspect_test.py path/to/weft [unittest arguments]. Runs from the source folder."""
import json, re, unittest

from cli_test import TINY, CommandTest

STAGES = ["import", "canonicalise", "fuse-qkv", "fuse-gate-up", "select-weight-format", "select-kv-format", "fuse-epilogue", "pack-layout",
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


if __name__ == "__main__":
    unittest.main()
