#!/usr/bin/env python3
"""Commands that show what the compiler made of a model, as a user types them: what a pass changed.
Usage: cli_inspect_test.py path/to/weft [unittest arguments]. Runs from the source folder."""
import re, unittest

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


if __name__ == "__main__":
    unittest.main()
