#!/usr/bin/env python3
"""hardening_test.py BUILD: what SECURITY.md says of the programs themselves: how they are compiled and linked, and that no page of theirs is
ever writable and executable at once. Runs from the source folder."""
import ctypes
import json
import mmap
import os
import pathlib
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "tests/faults")
from hub import FakeHub

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
TINY = pathlib.Path("tests/oracle/tiny/llama-gqa")
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SIGSYS = 31


def refuse_writable_code():
    """The kernel ends this process and what it executes at the first call of mmap, mprotect or pkey_mprotect that asks for PROT_WRITE and
    PROT_EXEC at once: a filter as seccomp(2) describes it, over struct seccomp_data."""
    LOAD, EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06
    KILL_PROCESS, ALLOW = 0x80000000, 0x7FFF0000
    X86_64, NUMBER, ARCHITECTURE, THIRD_ARGUMENT = 0xC000003E, 0, 4, 16 + 8 * 2
    filters = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, X86_64), (RETURN, 0, 0, KILL_PROCESS), (LOAD, 0, 0, NUMBER),
               (EQUAL, 3, 0, 9), (EQUAL, 2, 0, 10), (EQUAL, 1, 0, 329), (RETURN, 0, 0, ALLOW),  # mmap, mprotect, pkey_mprotect
               (LOAD, 0, 0, THIRD_ARGUMENT), (AND, 0, 0, mmap.PROT_WRITE | mmap.PROT_EXEC),
               (EQUAL, 0, 1, mmap.PROT_WRITE | mmap.PROT_EXEC), (RETURN, 0, 0, KILL_PROCESS), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *entry) for entry in filters))
    program = ctypes.create_string_buffer(struct.pack("<H6xQ", len(filters), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    for call in [(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero), (PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), program)]:
        if libc.prctl(*call, zero, zero) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


class Hardening(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(cls.folder / "cache")}
        cls.plan = cls.folder / "m.weft"
        cls.command("weft", "compile", TINY, "-o", cls.plan)
        cls.expected = cls.command("weft", "run", cls.plan, "-p", "It was", "-n", 12, "--temp", 0)

    @classmethod
    def command(cls, program, *arguments, **variables):
        result = subprocess.run([str(BUILD / program), *map(str, arguments)], input=b"It was", capture_output=True, env={**cls.environment, **variables},
                                timeout=300, preexec_fn=refuse_writable_code)
        if result.returncode != 0:
            raise AssertionError(f"{program} {arguments}: exit {result.returncode} {result.stderr}")
        return result.stdout

    def test_the_filter_ends_who_asks_for_such_a_page(self):
        request = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC | {})"
        for extra, code in (("0", 0), ("mmap.PROT_WRITE", -SIGSYS)):
            result = subprocess.run([sys.executable, "-c", request.format(extra)], preexec_fn=refuse_writable_code, timeout=60)
            self.assertEqual(result.returncode, code)

    def test_every_command_runs_under_it(self):
        # Compiled in this process, compiled for the cache and loaded from it, from plans, with and without the compiler.
        run = ["-p", "It was", "-n", 12, "--temp", 0]
        for program, *arguments in [("weft", "run", TINY, *run, "--no-cache"), ("weft", "run", TINY, *run), ("weft", "run", TINY, *run),
                                    ("weft", "run", self.plan, *run), ("weft-run", self.plan, *run)]:
            self.assertEqual(self.command(program, *arguments), self.expected, (program, arguments))
        text = self.folder / "text"
        text.write_text("It was a day. " * 8)
        commands = [["dump", TINY, "--stage", "asm"], ["profile", TINY, "-p", 8, "-n", 2], ["verify", self.plan], ["info", TINY], ["why", TINY, "lm_head"],
                    ["diff", self.plan, self.plan], ["eval", TINY, "--text", text], ["logits", TINY, "--ids", "1", "--digest"], ["tokenize", TINY, "--ids"],
                    ["bench", TINY, "-p", 4, "-n", 2, "-r", 1], ["explore", TINY, "--weights", "f32,q8_0", "-p", 4, "-n", 2, "-r", 1, "-c", 64], ["cache", "list"],
                    ["compile", TINY, "-o", self.folder / "again.weft"], ["synth", "tiny", "-o", self.folder / "synth"]]
        for arguments in commands:
            self.assertNotEqual(self.command("weft", *arguments), b"", arguments)
        self.pull()
        listed = re.findall(r"^  (\w+) {3,}", self.command("weft", "--help").decode().partition("Subcommands:")[2], re.MULTILINE)
        self.assertEqual({arguments[0] for arguments in commands} | {"run", "pull"}, set(listed))

    def test_the_library_runs_under_it(self):
        """By the C interface, called from Python: opening a plan maps its code."""
        script = ("import sys; sys.path.insert(0, 'tests'); import c_library\n"
                  "for no_hugepages in (0, 1):\n"
                  "    with c_library.Plan(sys.argv[1], sys.argv[2], no_hugepages=no_hugepages) as plan:\n"
                  "        logits = [plan.decode(id) for id in plan.tokenize(b'It was', 0)]\n"
                  "        sys.stdout.buffer.write(logits[-1])")
        command = [sys.executable, "-c", script, next(BUILD.glob("runtime/c/libweft-runtime.so")), self.plan]
        free, filtered = (subprocess.run(command, check=True, capture_output=True, env=self.environment, timeout=300, preexec_fn=before).stdout
                          for before in (None, refuse_writable_code))
        self.assertGreater(len(filtered), 1000)
        self.assertEqual(filtered, free)

    def pull(self):
        hub, cache = FakeHub(), self.folder / "hub"
        self.addCleanup(hub.close)
        self.command("weft", "pull", "plain/model", HF_ENDPOINT=hub.url, HF_HUB_CACHE=str(cache), HF_HUB_OFFLINE="0", no_proxy="*", http_proxy="")
        (weights,) = cache.rglob("snapshots/*/model.safetensors")
        self.assertEqual(weights.read_bytes(), hub.content("plain", "model.safetensors"))

    def images(self):
        code = list((self.folder / "cache" / "weft" / "code").glob("*.so"))
        self.assertEqual(len(code), 1)
        library = next(BUILD.glob("runtime/c/libweft-runtime.so"))
        return [BUILD / "weft", BUILD / "weft-run", library], code[0]

    def readelf(self, *arguments):
        return subprocess.run(["readelf", "-W", *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    def test_how_programs_and_plans_are_linked(self):
        ours, code = self.images()
        for path in [*ours, code]:
            with self.subTest(path=path.name):
                self.assertIn("Type:                              DYN", self.readelf("-h", path))
                segments = re.findall(r"^  (\w+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([R ])([W ])([E ]) ", self.readelf("-l", path), re.MULTILINE)
                kinds = {kind: (write, execute) for kind, _, write, execute in segments}
                self.assertIn("GNU_RELRO", kinds)
                self.assertEqual(kinds.get("GNU_STACK"), ("W", " "))
                self.assertNotIn(("W", "E"), [(write, execute) for _, _, write, execute in segments])
                dynamic = self.readelf("-d", path)
                self.assertRegex(dynamic, r"\(FLAGS\).*BIND_NOW|\(BIND_NOW\)|\(FLAGS_1\).*NOW")
                self.assertNotIn("TEXTREL", dynamic)
        for path in ours[:2]:
            self.assertRegex(self.readelf("-d", path), r"\(FLAGS_1\).*PIE")

    def test_how_every_file_is_compiled(self):
        """All of the build but the shim of tests/faults, which defines what fortified calls become."""
        files = {entry["file"]: shlex.split(entry["command"]) for entry in json.loads((BUILD / "compile_commands.json").read_text())}
        files = {pathlib.Path(file).relative_to(pathlib.Path.cwd()): words for file, words in files.items()}
        del files[pathlib.Path("tests/faults/fault_shim.c")]
        self.assertLessEqual({"runtime", "ir", "passes", "frontends", "codegen", "tools"}, {file.parts[0] for file in files})
        for file, words in files.items():
            # Of contradicting options the last holds.
            last = {re.sub("^-f(no-)?|^-[DU]|=.*", "", word): word for word in words}
            self.assertEqual([last.get(name) for name in ("_FORTIFY_SOURCE", "stack-protector-strong", "stack-protector", "stack-clash-protection", "_GLIBCXX_ASSERTIONS")],
                             ["-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", None, "-fstack-clash-protection", "-D_GLIBCXX_ASSERTIONS"], file)
            self.assertIn([word for word in words if word.startswith("-O")][-1:], (["-O2"], ["-O3"], ["-Os"]), file)  # without, _FORTIFY_SOURCE does nothing

    def test_how_programs_are_compiled(self):
        for path in self.images()[0]:
            with self.subTest(path=path.name):
                symbols = self.readelf("--dyn-syms", path)
                self.assertIn("__stack_chk_fail", symbols)
                self.assertRegex(symbols, r"__\w+_chk@")  # what fortified calls become
                self.assertIn("__glibcxx_assert_fail", symbols)

    def test_what_the_machine_code_of_plans_calls(self):
        """It has no stack protector and no fortified calls of its own; of libraries it calls memset alone."""
        called = re.findall(r" UND (\w+)", self.readelf("--dyn-syms", self.images()[1]))
        self.assertLessEqual(set(called), {"memset"})


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
