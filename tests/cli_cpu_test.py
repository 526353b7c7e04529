#!/usr/bin/env python3
"""Plans and CPUs that lack features, by WEFT_DISABLE_CPU. Usage: cli_cpu_test.py path/to/weft [unittest arguments]

Runs from the source folder, on the models of tests/oracle/tiny."""
import json, subprocess, unittest

from cli_test import ENVIRONMENT, TINY, WEFT, CommandTest


class CpuFeatures(CommandTest):
    # The x86-64 psABI's list for its level 3, by LLVM's names, as far as compilers choose instructions by them.
    V3 = ["popcnt", "movbe", "lzcnt", "bmi", "bmi2", "avx", "avx2", "fma", "f16c"]
    MORE = ["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512vnni", "avxvnni", "amx-tile", "amx-int8"]

    def without(self, *features):
        return {**ENVIRONMENT, "WEFT_DISABLE_CPU": ",".join(features)}

    def test_a_plan_needs_what_its_target_has(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "--target", "x86-64-v3", "-o", plan)
        run = ["-p", "It was", "-n", "3", "--temp", "0", "--ignore-eos"]
        text = self.succeeds("run", plan, *run)
        self.assertEqual(self.succeeds("run", plan, *run, env=self.without(*self.MORE)), text)
        for feature in self.V3:
            self.fails("run", plan, *run, env=self.without(feature), message=rf"lacks.*\b{feature}\b")
            ours = subprocess.run([WEFT + "-run", plan, *run], capture_output=True, text=True, env=self.without(feature))
            self.assertEqual((ours.returncode, ours.stdout), (1, ""))
            self.assertRegex(ours.stderr, rf"lacks.*\b{feature}\b")
        self.fails("run", plan, *run, env=self.without("bmi", "fma"), message=r"lacks.*\bbmi\b.*\bfma\b")

    def test_the_host_target_is_what_is_left(self):
        def target(*features):
            plan = self.folder / "m.weft"
            self.succeeds("compile", TINY / "gpt2", "-o", plan, env=self.without(*features))
            return json.loads(self.succeeds("info", plan, "--json"))["targets"]
        self.assertEqual(target(*self.MORE), "x86-64-v3")
        best = target()
        needs = {"avx-vnni": "avxvnni", "avx512-vnni": "avx512vnni", "amx-int8": "amx-int8"}
        if best in needs:  # else this CPU has no more than that
            self.assertNotEqual(target(needs[best]), best)
            self.succeeds("compile", TINY / "gpt2", "-o", self.folder / "m.weft")
            self.fails("run", self.folder / "m.weft", "-p", "a", env=self.without(needs[best]), message=f"lacks.*{needs[best]}.*--target x86-64-v3")
            self.succeeds("run", TINY / "gpt2", "-p", "a", "-n", 2, env=self.without(needs[best]))
        self.fails("run", TINY / "gpt2", "-p", "a", env=self.without("avx2"), message="avx2.*x86-64-v3")

    def test_unknown_names(self):
        for command in (["run", TINY / "gpt2", "-p", "a"], ["dump", TINY / "gpt2"]):
            self.fails(*command, env=self.without("avx512_vnni"), message="WEFT_DISABLE_CPU.*avx512_vnni.*known: .*avx512vnni")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
