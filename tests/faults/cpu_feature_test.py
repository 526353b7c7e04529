#!/usr/bin/env python3
"""Each CPU feature taken away on its own, from each tier: by WEFT_DISABLE_CPU on this CPU, and on emulated ones that have not got it. Usage:
cpu_feature_test.py path/to/weft path/to/shim [unittest arguments]"""
import json, pathlib, re, shutil, unittest

from faults import GREEDY, WEFT, FaultTest
import emulator

# The x86-64 psABI's level 3 by LLVM's names, and what each tier takes beyond it (docs/plan-format.md).
V3 = ["popcnt", "movbe", "lzcnt", "bmi", "bmi2", "avx", "avx2", "fma", "f16c"]
AVX512 = ["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512vnni"]
TIERS = {"x86-64-v3": V3, "avx-vnni": V3 + ["avxvnni"], "avx512-vnni": V3 + AVX512, "amx-int8": V3 + AVX512 + ["amx-tile", "amx-int8"]}
ALL = [*V3, *AVX512, "avxvnni", "amx-tile", "amx-int8"]
# As Linux and QEMU call them.
LINUX = {"lzcnt": "abm", "bmi": "bmi1", "avx512vnni": "avx512_vnni", "avxvnni": "avx_vnni", "amx-tile": "amx_tile", "amx-int8": "amx_int8"}
# QEMU 7 does not decode BZHI, which is of BMI2 and which the C library uses then, without BMI1: /bin/ls dies of it.
QEMU = {"lzcnt": "abm", "bmi": "bmi1,-bmi2"}


class Features(FaultTest):
    def setUp(self):
        super().setUp()
        self.model = self.small_model()
        self.plan = self.folder / "m.weft"
        self.succeeds("compile", self.model, "--target", ",".join(TIERS), "-o", self.plan)
        self.text = self.succeeds("run", self.plan, *GREEDY)
        flags = re.search(r"(?m)^flags\s*:(.*)", pathlib.Path("/proc/cpuinfo").read_text())[1].split()
        self.here = {feature for feature in ALL if LINUX.get(feature, feature) in flags}

    def lacks(self, result, missing):
        """The right error, which names what is missing; no signal."""
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        for feature in missing:
            self.assertRegex(result.stderr, rf"lacks.*\b{feature}\b")

    def test_each_feature_of_each_tier(self):
        cases = 0
        for feature in ALL:
            left = self.here - {feature}
            for tier, needed in [("host", V3), *TIERS.items()]:
                missing = set(needed) - left
                for program in ((WEFT, "run"), (WEFT + "-run",)):
                    with self.subTest(without=feature, tier=tier, program=program):
                        result = self.weft(*program[1:], self.plan, *GREEDY, "--target", tier, program=program[0], WEFT_DISABLE_CPU=feature)
                        cases += 1
                        if missing:
                            self.lacks(result, missing)
                        else:
                            self.assertEqual((result.returncode, result.stdout), (0, self.text), result.stderr)
                # The text is the same by every tier; which one the plan is loaded for, of those that are left, a profile says.
                best = [name for name, needed in TIERS.items() if set(needed) <= left]
                if tier == "host" and best:
                    report = json.loads(self.succeeds("profile", self.plan, "-p", "1", "-n", "1", "--no-roof", "--json", WEFT_DISABLE_CPU=feature))
                    self.assertEqual(report["target"], best[-1], feature)
        print(f"features taken away one by one: {cases} runs")

    def test_compiling_takes_the_best_that_is_left(self):
        for feature in ALL:
            left = self.here - {feature}
            best = [tier for tier, needed in TIERS.items() if set(needed) <= left]
            plan = self.folder / "host.weft"
            result = self.weft("compile", self.model, "-o", plan, WEFT_DISABLE_CPU=feature)
            with self.subTest(without=feature):
                if not best:
                    self.assertEqual(result.returncode, 1)
                    self.assertRegex(result.stderr, rf"lacks.*\b{feature}\b.*x86-64-v3")
                    continue
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(json.loads(self.succeeds("info", plan, "--json"))["targets"], best[-1])
                self.assertEqual(self.succeeds("run", plan, *GREEDY, WEFT_DISABLE_CPU=feature), self.text)

    @unittest.skipUnless(shutil.which("qemu-x86_64"), "NOT TESTED: there is no qemu-x86_64")
    def test_cpus_that_lack_one(self):
        """An instruction that the CPU has not got would be SIGILL there."""
        def emulated(cpu, *command):
            return emulator.emulated(cpu, *command, environment=self.environment)

        run = [WEFT + "-run", self.plan, *GREEDY]
        result = emulated("Haswell", *run)
        self.assertEqual((result.returncode, result.stdout), (0, self.text), result.stderr)
        for feature in V3:
            with self.subTest(without=feature):
                self.lacks(emulated(f"Haswell,-{QEMU.get(feature, feature)}", *run), {feature})
        # Registers that the system does not save are none.
        self.lacks(emulated("Haswell,-xsave", *run), {"avx", "avx2", "fma", "f16c"})
        for command in ([WEFT, "run", self.plan, *GREEDY], [WEFT, "run", self.model, "--no-cache", *GREEDY], [WEFT, "dump", self.model]):
            for feature in ("avx2", "bmi2", "movbe"):
                result = emulated(f"Haswell,-{feature}", *command)
                with self.subTest(without=feature, command=command[1]):
                    if command[1] == "dump" and result.returncode == 0:  # no kernel depends on the feature
                        self.assertRegex(result.stdout, r'^module "')
                        continue
                    self.lacks(result, {feature})


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
