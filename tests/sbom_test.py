#!/usr/bin/env python3
"""sbom_test.py BUILD: the bill of materials names what the programs are made of, and docs/dependencies.md says why each is there. Runs
from the source folder."""
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
PROGRAMS = {"weft": BUILD / "weft", "weft-run": BUILD / "weft-run", "libweft-runtime.so": BUILD / "runtime/c/libweft-runtime.so"}
TOOLCHAIN = {"glibc", "gcc-12", "gcc-13", "gcc-14"}  # the C and C++ libraries


def sbom(*arguments):
    return subprocess.run(["scripts/sbom", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bom = json.loads(sbom(BUILD))
        cls.rows = {row["bom-ref"]: row for row in cls.bom["components"]}
        cls.made_of = {row["ref"]: row["dependsOn"] for row in cls.bom["dependencies"]}

    def uses(self, row):
        return {entry["value"] for entry in row["properties"] if entry["name"] == "weft:use"}

    def source(self, row):
        return next(entry["value"] for entry in row["properties"] if entry["name"] == "weft:source-package")

    def test_its_form(self):  # what the schema of CycloneDX 1.5 requires
        self.assertEqual((self.bom["bomFormat"], self.bom["specVersion"]), ("CycloneDX", "1.5"))
        self.assertEqual(len(self.rows), len(self.bom["components"]), "references are unique")
        for row in self.rows.values():
            self.assertIn(row["type"], ("application", "library"))
            self.assertTrue(row["name"] and row["version"])
        for references in self.made_of.values():
            self.assertLessEqual(set(references), set(self.rows))

    def test_programs_are_those_of_the_build(self):
        for name, path in PROGRAMS.items():
            self.assertEqual(self.rows[name]["hashes"], [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}])

    def test_every_library_that_is_loaded_is_named(self):
        for name, path in PROGRAMS.items():
            needed = re.findall(r"\(NEEDED\).*\[(.+)\]", subprocess.run(["readelf", "-dW", path], check=True, capture_output=True, text=True).stdout)
            self.assertGreater(len(needed), 3)
            owned = {self.rows[reference]["name"] for reference in self.made_of[name]}
            files = "".join(subprocess.run(["dpkg", "-L", *owned], check=True, capture_output=True, text=True).stdout)
            for library in needed:
                self.assertRegex(files, rf"/{re.escape(library)}\n", f"{name} loads {library}")

    def test_the_runtime_is_made_without_the_compiler(self):
        self.assertTrue(any("llvm" in reference for reference in self.made_of["weft"]))
        for name in ("weft-run", "libweft-runtime.so"):
            self.assertFalse([reference for reference in self.made_of[name] if re.search("llvm|lld|curl|openssl", reference)])

    def test_headers_and_archives_count(self):
        by_source = {}
        for row in self.rows.values():
            if "purl" in row:
                by_source.setdefault(self.source(row), set()).update(self.uses(row))
        self.assertIn("headers compiled in", by_source["cli11"])
        self.assertIn("headers compiled in", by_source["nlohmann-json3"])
        self.assertIn("linked into weft", by_source["llvm-toolchain-19"])
        self.assertNotIn("googletest", by_source, "what tests alone use is no part of the programs")

    def test_each_direct_dependency_has_its_reason(self):
        reasons = pathlib.Path("docs/dependencies.md").read_text().lower()
        direct = {self.source(row) for row in self.rows.values() if "purl" in row and any(not use.startswith("loaded by") for use in self.uses(row))}
        self.assertGreater(len(direct), 8)
        for source in direct - TOOLCHAIN:
            self.assertIn(re.sub("^lib", "", source).split("-")[0], reasons, source)

    def test_it_repeats_and_writes_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "sbom.json"
            self.assertEqual(sbom(BUILD, "-o", path), "")
            self.assertEqual(json.loads(path.read_text()), self.bom)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
