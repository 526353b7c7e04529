#!/usr/bin/env python3
"""Plans on CPUs of another maker, as an emulator has them: QEMU computes with arithmetic of its own and reports its own CPUID, so that
libraries choose what they would choose there. Usage: other_cpu_test.py path/to/weft [unittest arguments]

Runs from the source folder, on the models of tests/oracle/tiny and the plans of tests/frozen."""
import pathlib, unittest

import digests, emulator
from cli_test import ENVIRONMENT, TINY, WEFT, CommandTest
from plan_reader import FORMAT_VERSION

IDS = ",".join(str(7 * i % 61) for i in range(40))


class OtherCpus(CommandTest):
    def emulated(self, cpu, *arguments):
        return emulator.emulated(cpu, *arguments, environment=ENVIRONMENT)

    def logits_are_the_same(self, plan, cpus):
        here, there = self.folder / "here", self.folder / "there"
        self.succeeds("logits", plan, "--ids", IDS, "-o", here)
        for cpu in cpus:
            result = self.emulated(cpu, WEFT, "logits", plan, "--ids", IDS, "-o", there)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertTrue(here.read_bytes() == there.read_bytes(), f"{plan} on {cpu}")

    def test_a_plan_gives_the_same_bits(self):
        for model in sorted(TINY.iterdir()):
            with self.subTest(model=model.name):
                plan = self.folder / "plan.weft"
                self.succeeds("compile", model, "--target", "x86-64-v3", "--weights", "q8_0", "-o", plan)
                self.logits_are_the_same(plan, ["Haswell"])

    def test_digests_of_the_docs(self):
        """But for the model of the catalogue, which takes the emulator minutes."""
        self.succeeds("synth", "tiny", "-o", self.folder / "synth")
        plan, checked = self.folder / "plan.weft", 0
        for model, weights, digest in digests.expected():
            source = self.folder / "synth" if model == digests.SYNTH else pathlib.Path(model)
            if not source.exists():
                continue
            with self.subTest(model=model, weights=weights):
                self.succeeds("compile", source, "--target", "x86-64-v3", "--weights", weights, "-o", plan)
                result = self.emulated("Haswell", WEFT, "logits", plan, "--ids", digests.IDS, "--digest")
                self.assertEqual((result.returncode, result.stdout.strip()), (0, digest), result.stderr)
                checked += 1
        self.assertGreaterEqual(checked, 22)

    def test_a_frozen_plan_gives_the_same_bits(self):
        plans = sorted(pathlib.Path(f"tests/frozen/v{FORMAT_VERSION}").glob("*.weft"))
        self.assertTrue(plans)
        for plan in plans:
            self.logits_are_the_same(plan, ["Haswell", "Skylake-Client", "EPYC"])

    def test_compiling_gives_the_same_plan(self):
        here, there = self.folder / "here.weft", self.folder / "there.weft"
        options = [TINY / "gpt2", "--target", "x86-64-v3", "-o"]
        self.succeeds("compile", *options, here)
        result = self.emulated("Haswell", WEFT, "compile", *options, there)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(here.read_bytes() == there.read_bytes())

    def test_a_cpu_without_avx_is_told_what_it_lacks(self):
        plan = self.folder / "plan.weft"
        self.succeeds("compile", TINY / "gpt2", "--target", "x86-64-v3", "-o", plan)
        for command in ([WEFT, "run"], [WEFT + "-run"]):
            result = self.emulated("Nehalem", *command, plan, "-p", "It was", "-n", "3")
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, r"lacks.*\bavx2\b.*\bfma\b")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
