#!/usr/bin/env python3
"""What `weft` makes of plans, as a user types it: several targets, options, stages, sections and memory. Usage: cli_plan_test.py
path/to/weft [unittest arguments]. Runs from the source folder."""
import hashlib, json, re, struct, unittest

from cli_test import TINY, CommandTest


class Plans(CommandTest):
    def test_dump_of_a_plan_is_what_the_model_dumps(self):
        plans = {record: self.folder / f"{record}.weft" for record in (False, True)}
        options = ["--disable-pass", "fuse-gate-up", "--weight-format", "*=q8_0", "--weight-format", "*.down_proj*=f32", "-c", 200, "-b", 33]
        for record, plan in plans.items():
            self.succeeds("compile", TINY / "llama-gqa", "--target", "x86-64-v3", "--logit-rows", 1, *options, "-o", plan,
                          *(["--record-stages"] if record else []))
        thin, recorded = plans[False], plans[True]
        stages = ["import", "fuse-qkv", "fuse-gate-up", "plan-memory", "llvm"]
        for stage in stages:
            model = self.succeeds("dump", TINY / "llama-gqa", "--target", "x86-64-v3", *options, "--stage", stage)
            self.assertEqual(self.succeeds("dump", thin, "--stage", stage, "--source", TINY / "llama-gqa"), model, stage)
            if stage == "llvm":
                self.fails("dump", recorded, "--stage", stage, message="--source MODEL")
            else:
                self.assertEqual(self.succeeds("dump", recorded, "--stage", stage), model, stage)
        self.assertTrue(self.succeeds("dump", recorded, "--stage", "import", "--format", "dot").startswith("digraph"))
        self.fails("dump", thin, "--stage", "fuse-qkv", message="does not hold stage fuse-qkv.*--source MODEL.*--record-stages")
        elsewhere = self.copy("llama-gqa")
        self.assertIn("module", self.succeeds("dump", thin, "--stage", "import", "--source", elsewhere))
        for name in ("config.json", "model.safetensors"):
            data = (elsewhere / name).read_bytes()
            (elsewhere / name).write_bytes(data.replace(b"{", b"{ ", 1) if name == "config.json" else data[:-1] + bytes([data[-1] ^ 1]))
            self.fails("dump", thin, "--stage", "import", "--source", elsewhere, message=f"is not what .* was compiled from: {name} has")
            (elsewhere / name).write_bytes(data)
        self.fails("dump", thin, "--stage", "import", "--source", TINY / "phi3", message="was compiled from")

    def test_dump_of_a_plans_program_and_code(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "phi3", "--target", "x86-64-v3,avx512-vnni", "--weights", "q8_0", "--logit-rows", 1, "-o", plan)
        model = ["dump", TINY / "phi3", "--weights", "q8_0"]
        of_model = self.succeeds(*model, "--stage", "program").splitlines()
        self.assertEqual(self.succeeds("dump", plan, "--stage", "program").splitlines(), [line for line in of_model if not line.startswith("kernel ")])
        program = json.loads(self.succeeds("dump", plan, "--stage", "program", "--format", "json"))
        self.assertEqual(program, json.loads(self.succeeds(*model, "--stage", "program", "--format", "json")))
        text = self.succeeds("dump", plan, "--stage", "asm", "--target", "x86-64-v3")
        for kernel in {step["kernel"] for step in program["steps"]}:
            self.assertIn(f"\n{kernel}:\n", "\n" + text)
        self.assertIn("vpmaddubsw", text)
        self.assertNotIn("vpdpbusd", text)
        wide = self.succeeds("dump", plan, "--stage", "asm", "--target", "avx512-vnni", "--kernel", "matmul_q8_0")
        self.assertRegex(wide, "vpdpbusd.*zmm")
        self.assertNotIn("attention", wide)
        self.fails("dump", plan, "--stage", "asm", "--target", "amx-int8", message="it is for: x86-64-v3, avx512-vnni")
        self.fails("dump", plan, "--stage", "asm", "--kernel", "nothing", message="no kernel's name.*there are: .*matmul")
        for arguments, message in ((["--stage", "asm", "--format", "json"], "text only"), (["--stage", "program", "--format", "dot"], "text or json"),
                                   (["--sections", "--format", "dot"], "text or json"), (["--memory", "--format", "dot"], "text or json")):
            self.fails("dump", plan, *arguments, message=message)
        self.fails("dump", plan, "--memory", "--sections", message="excludes", code=2)
        self.fails("dump", TINY / "phi3", "--sections", message="for plans")

    def test_dump_of_sections_and_memory(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gemma3", "--target", "x86-64-v3,amx-int8", "--logit-rows", 1, "-o", plan)
        sections = json.loads(self.succeeds("dump", plan, "--sections", "--format", "json"))
        data = plan.read_bytes()
        table = [struct.unpack_from("<IIQQQ", data, 32 + 32 * i) for i in range(struct.unpack_from("<I", data, 12)[0])]
        self.assertEqual([(row["offset"], row["bytes"], row["checksum"]) for row in sections], [(*row[2:4], f"{row[4]:016x}") for row in table])
        self.assertEqual([row["of"] for row in sections if row["section"] == "machine code"], ["x86-64-v3", "amx-int8"])
        self.assertEqual(len(self.succeeds("dump", plan, "--sections").splitlines()), len(table) + 2)
        self.assertLess(sum(row["share"] for row in sections), 1)
        memory = json.loads(self.succeeds("dump", plan, "--memory", "--format", "json"))
        self.assertEqual(memory, json.loads(self.succeeds("dump", TINY / "gemma3", "--memory", "--format", "json")))
        program = json.loads(self.succeeds("dump", plan, "--stage", "program", "--format", "json"))
        for space in ("arena", "weights", "kv_cache"):
            values = memory[space]
            self.assertEqual({(value["offset"], value["bytes"]) for value in values},
                             {(operand["offset"], operand["bytes"]) for step in program["steps"] for operand in step["operands"]
                              if operand["space"] == space and (operand["written"] or space != "arena")}
                             | ({(program[name]["offset"], program[name]["bytes"]) for name in ("tokens", "positions")} if space == "arena" else set()))
        # Values that live at once do not share a byte.
        last = len(program["steps"])
        spans = [(value["offset"], value["offset"] + value["bytes"], -1 if value["first_step"] is None else value["first_step"],
                  last if value["last_step"] is None else value["last_step"]) for value in memory["arena"]]
        for i, a in enumerate(spans):
            for b in spans[:i]:
                self.assertTrue(a[1] <= b[0] or b[1] <= a[0] or a[3] < b[2] or b[3] < a[2], (a, b))
        names = " ".join(value["name"] for value in memory["weights"])
        self.assertIn("down_proj", names)
        self.assertIn("embed_tokens", names)
        self.assertIn("KV cache: ", self.succeeds("dump", plan, "--memory"))

    def test_plans_for_several_targets(self):
        with open("/proc/cpuinfo") as file:
            flags = set(re.search("flags.*", file.read()).group(0).split())
        foreign = [target for target, flag in (("avx512-vnni", "avx512_vnni"), ("amx-int8", "amx_int8"), ("avx-vnni", "avx_vnni")) if flag not in flags]
        if not foreign:
            self.skipTest("NOT TESTED: plans for other machines; this one executes every target")
        thin, fat, alien = (self.folder / f"{name}.weft" for name in ("thin", "fat", "alien"))
        self.succeeds("compile", TINY / "gemma3", "--target", "x86-64-v3", "-o", thin)
        self.assertIn(f"{foreign[0]}, x86-64-v3", self.succeeds("compile", TINY / "gemma3", "--target", f"{foreign[0]},x86-64-v3", "-o", fat))
        self.succeeds("compile", TINY / "gemma3", "--target", ",".join(foreign), "-o", alien)
        arguments = ["-p", "It was", "-n", 12, "--temp", 0, "--ignore-eos", "--json"]
        expected = json.loads(self.succeeds("run", thin, *arguments))["ids"]
        self.assertEqual(json.loads(self.succeeds("run", fat, *arguments))["ids"], expected)
        self.assertEqual(json.loads(self.succeeds("run", fat, "--target", "x86-64-v3", *arguments))["ids"], expected)
        message = f"fat.weft: the plan is for {foreign[0]} and needs CPU features that this machine lacks: .*--target x86-64-v3"
        self.fails("run", fat, "--target", foreign[0], *arguments, message=message)
        self.fails("run", fat, "--target", "z80", *arguments, message=f"no machine code for 'z80'; it is for: {foreign[0]}, x86-64-v3")
        for target in foreign:
            self.fails("run", alien, *arguments, message=f"for {target} and needs CPU features that this machine lacks: .*--target x86-64-v3")
        self.assertEqual(json.loads(self.succeeds("info", fat, "--json"))["targets"], f"{foreign[0]}, x86-64-v3")
        # The weights are there once.
        sizes = [{(row["section"], row["of"]): row["bytes"] for row in json.loads(self.succeeds("dump", plan, "--sections", "--format", "json"))}
                 for plan in (thin, fat)]
        self.assertEqual(set(sizes[1]) - set(sizes[0]), {("machine code", foreign[0])})
        self.assertEqual(sizes[0]["weights", ""], sizes[1]["weights", ""])
        self.assertLess(fat.stat().st_size - thin.stat().st_size, sizes[1]["machine code", foreign[0]] + 3 * 4096)
        self.assertRegex(self.succeeds("diff", thin, fat), f"(?s){foreign[0]} code_bytes: none -> .*targets: x86-64-v3 -> {foreign[0]}, x86-64-v3\n")
        # Names of one target are one target.
        same = self.folder / "same.weft"
        self.succeeds("compile", TINY / "gemma3", "--target", "x86-64-v3,x86-64-v3", "-o", same)
        self.assertEqual(json.loads(self.succeeds("info", same, "--json"))["targets"], "x86-64-v3")
        self.fails("run", TINY / "gemma3", "--target", "host,x86-64-v3", "-p", "a", message="one target is wanted here")

    def test_plans_record_their_options(self):
        plans = [self.folder / "a.weft", self.folder / "b.weft"]
        self.succeeds("compile", TINY / "gpt2", "-o", plans[0])
        self.succeeds("compile", TINY / "gpt2", "-o", plans[1], "--disable-pass", "fuse-qkv", "--disable-pass", "fuse-epilogue",
                      "--weight-format", "*mlp*=q8_0", "--kv", "f16", "--q8-threshold", 64, "-c", 100, "-b", 7, "--logit-rows", 5)
        given = {}
        for option in json.loads(self.succeeds("info", plans[1], "--json"))["options"]:
            given.setdefault(option["name"], []).append(option["value"])
        self.assertEqual(given, {"disable-pass": ["fuse-qkv", "fuse-epilogue"], "weight-format": ["*mlp*=q8_0"], "kv": ["f16"], "q8-threshold": ["64"],
                                 "ctx-size": ["100"], "batch-size": ["7"], "logit-rows": ["5"], "weights": ["auto"], "target": ["host"]})
        self.assertRegex(self.succeeds("info", plans[1]), "options .*--kv f16")
        fields = json.loads(self.succeeds("diff", *plans, "--json"))["fields"]
        self.assertEqual(fields["option disable-pass"], [None, "fuse-qkv fuse-epilogue"])
        self.assertEqual(fields["option kv"], ["auto", "f16"])
        source = json.loads(self.succeeds("info", plans[0], "--json"))["source"]
        for name in ("model.safetensors", "config.json", "tokenizer.json"):
            digest = hashlib.sha256((TINY / "gpt2" / name).read_bytes()).hexdigest()
            self.assertIn(f"{name} ({(TINY / 'gpt2' / name).stat().st_size} bytes, sha256 {digest})", source)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
