#!/usr/bin/env python3
"""install_test.py BUILD: installs a build into a folder of its own and builds the example against it as a user would, by CMake and by
pkg-config, shared and static; each must say what `weft run` says. Runs from the source folder."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
WEFT = BUILD / "weft"
TINY = pathlib.Path("tests/oracle/tiny/llama-gqa")
PROMPT, COUNT = "It was", "12"


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.stdout}{result.stderr}")
    return result.stdout


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.prefix = cls.folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.plan = cls.folder / "m.weft"
        run(WEFT, "compile", TINY, "-o", cls.plan)
        cls.expected = run(WEFT, "run", cls.plan, "-p", PROMPT, "-n", COUNT, "--temp", 0)
        cls.library = next(cls.prefix.glob("lib*/**/libweft-runtime.so")).parent

    def says_the_same(self, program):
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.library)}
        self.assertEqual(run(program, self.plan, PROMPT, COUNT, env=environment), self.expected)

    def test_cmake(self):
        run("cmake", "-S", "examples", "-B", self.folder / "example", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-G", "Ninja")
        run("cmake", "--build", self.folder / "example")
        self.says_the_same(self.folder / "example" / "generate")

    def pkg_config(self, *options):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.library / "pkgconfig")}
        return run("pkg-config", *options, "weft-runtime", env=environment).split()

    def test_pkg_config(self):
        program = self.folder / "by-pkg-config"
        run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "examples/generate.c", *self.pkg_config("--cflags", "--libs"), "-o", program)
        self.says_the_same(program)

    def test_static(self):
        program = self.folder / "static"
        flags = [flag if flag != "-lweft-runtime" else "-l:libweft-runtime.a" for flag in self.pkg_config("--cflags", "--libs", "--static")]
        run("cc", "examples/generate.c", *flags, "-o", program)
        self.assertEqual(run(program, self.plan, PROMPT, COUNT), self.expected)
        self.assertNotIn("weft-runtime", run("ldd", program))

    def test_only_the_interface_is_exported(self):
        symbols = [line.split()[-1] for line in run("nm", "-D", "--defined-only", self.library / "libweft-runtime.so").splitlines()]
        self.assertGreater(len(symbols), 30)
        self.assertEqual([symbol for symbol in symbols if not symbol.startswith("weft_")], [])

    def test_the_runtime_needs_no_compiler(self):
        for file in (self.prefix / "bin" / "weft-run", self.library / "libweft-runtime.so"):
            for name in ("LLVM", "lld", "curl", "crypto"):
                self.assertNotIn(name, run("ldd", file))

    def test_weft_run_is_small(self):
        stripped = self.folder / "weft-run"
        run("strip", "-o", stripped, self.prefix / "bin" / "weft-run")
        total = stripped.stat().st_size
        for line in run("ldd", stripped).splitlines():
            path = pathlib.Path(line.split()[2] if "=>" in line else line.split()[0])
            if path.exists() and not path.name.startswith(("libc.so", "libm.so", "libstdc++", "libgcc_s", "ld-linux")):
                total += path.resolve().stat().st_size
        self.assertLess(total, 4 << 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
