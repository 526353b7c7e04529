#!/usr/bin/env python3
"""System calls that fail while files are written: compile, synth, logits. Usage: write_fault_test.py path/to/weft path/to/shim [unittest arguments]"""
import shutil, unittest

from faults import GREEDY, SHORT, WEFT, FaultTest

ALL = "open,read,write,map,truncate,allocate,sync,close,rename,link,unlink,mkdir,folder,stat,look,resolve"
WRITING = "write,map,allocate,sync,close,rename,link,unlink,mkdir,look,resolve"


class Writes(FaultTest):
    def setUp(self):
        super().setUp()
        self.model = self.small_model()
        self.out = self.folder / "out"
        self.plan = self.out / "m.weft"
        self.reset()

    def reset(self):
        """Nothing is there, of the cache of digests neither."""
        for path in (self.out, self.folder / "cache"):
            shutil.rmtree(path, ignore_errors=True)
        self.out.mkdir()

    def with_old(self):
        self.reset()
        self.plan.write_bytes(b"an old file")

    def wrote(self, result):
        self.assertIn("wrote ", result.stdout)

    def test_compile(self):
        self.sweep([WEFT, "compile", self.model, "-o", self.plan], ALL, self.wrote, self.reset, [self.plan])

    def test_what_is_there(self):
        """That a look at a file or a folder fails is not that nothing is there."""
        folder = self.folder / "gguf"
        folder.mkdir()
        shutil.copy(self.small_gguf(), folder)
        for model in (self.in_shards(self.model), folder, folder / "model.gguf"):
            self.sweep([WEFT, "compile", model, "-o", self.plan], "look,folder", self.wrote, self.reset, [self.plan], paths=f"{model}:{self.out}")

    def test_compile_over_an_old_plan(self):
        self.sweep([WEFT, "compile", self.model, "-o", self.plan], WRITING, self.wrote, self.with_old, [self.plan], paths=self.out, stride=3)

    def test_compile_through_a_link(self):
        """Which stays one: the file that it leads to is another, or as it was."""
        real = self.folder / "elsewhere.weft"

        def link():
            self.reset()
            real.write_bytes(b"an old file")
            self.plan.symlink_to(real)

        def through_it(result):
            self.wrote(result)
            self.assertTrue(self.plan.is_symlink())

        self.sweep([WEFT, "compile", self.model, "-o", self.plan], WRITING, through_it, link, [self.plan, real], paths=f"{self.out}:{real}", stride=3)
        self.sweep([WEFT, "compile", self.model, "-o", self.plan], "resolve,look", through_it, link, [self.plan, real], paths=f"{self.out}:{real}",
                   ends={1})

    def test_compile_into_parts(self):
        # Parts are of no use without the plan, which comes last: they may be there without it.
        command = [WEFT, "compile", self.model, "-o", self.plan, "--split-size", "64K"]
        self.succeeds(*command[1:])
        parts = sorted(self.out.glob("*.weftw"))
        self.assertGreater(len(parts), 1)
        self.sweep(command, WRITING, self.wrote, self.reset, [*parts, self.plan],
                   paths=self.out, stride=2)

    def test_compile_with_an_earlier_plan(self):
        earlier = self.folder / "earlier.weft"
        self.succeeds("compile", self.model, "-o", earlier)
        self.sweep([WEFT, "compile", self.model, "-o", self.plan, "--reuse", earlier], ALL, self.wrote, self.reset, [self.plan], stride=8, first=2)

    def test_compile_a_gguf_file(self):
        self.sweep([WEFT, "compile", self.small_gguf(), "-o", self.plan], ALL, self.wrote, self.reset, [self.plan], stride=8)

    def test_logits(self):
        self.succeeds("compile", self.model, "-o", self.folder / "m.weft")
        self.sweep([WEFT, "logits", self.folder / "m.weft", "--ids", "1,2,3", "-o", self.out / "l"], ALL, lambda result: None, self.reset, [self.out / "l"])

    def test_synth(self):
        folder = self.out / "model"
        self.sweep([WEFT, "synth", "tiny", "-o", folder, "--force"], ALL, lambda result: None, self.reset, [folder / "model.safetensors", folder / "config.json"])

    def test_few_bytes_at_a_time(self):
        command = [WEFT, "compile", self.model, "-o", self.plan]
        self.weft(*command[1:])
        whole = self.plan.read_bytes()
        for calls, error, every in (("read,write", SHORT, 1), ("read,write,allocate,lock", 4, 2)):  # EINTR, each other time
            for arguments in (command, [WEFT, "run", self.model, *GREEDY], [WEFT, "synth", "tiny", "-o", self.out / "s"]):
                self.reset()
                result, lines = self.shimmed(arguments, calls, paths=self.folder, at=1, every=every, error=error)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertGreater(len(self.struck(lines)), 3)
                if arguments is command:
                    self.assertEqual(self.plan.read_bytes(), whole)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
