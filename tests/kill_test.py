#!/usr/bin/env python3
"""Compiling that is ended at any moment. Usage: kill_test.py path/to/weft [unittest arguments]

Whatever ends it: what stands at the plan's path is nothing, the plan that stood there before, or a whole one."""
import os, pathlib, random, shutil, signal, subprocess, sys, tempfile, time, unittest

import zero_model
from fresh_seed import fresh_seed

WEFT = os.path.abspath(sys.argv.pop(1))
ROUNDS = 10
SEED = fresh_seed()


class Killed(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.out, self.temporary = self.folder / "out", self.folder / "tmp"
        self.out.mkdir()
        self.temporary.mkdir()
        zero_model.write(self.folder / "model", hidden=512, intermediate=2048, layers=4)
        self.plan = self.out / "m.weft"
        self.random = random.Random(SEED)
        self.seconds = None

    def compile(self, *options):
        return subprocess.Popen([WEFT, "compile", self.folder / "model", "-o", self.plan, *map(str, options)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(self.temporary)})

    def compile_whole(self, *options):
        """How long it takes."""
        begin = time.monotonic()
        self.assertEqual(self.compile(*options).wait(), 0)
        return time.monotonic() - begin

    def is_whole(self, path):
        result = subprocess.run([WEFT, "verify", path], capture_output=True, text=True)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return result.returncode == 0

    def end(self, how, *options):
        """Starts to compile and ends that at a random moment; the exit code. Half of the moments are in the last fifth, where files are written. On a
        machine that others keep busy a compilation may be over by then: the next moment is sooner."""
        process = self.compile(*options)
        share = self.random.uniform(0.8, 1.1) if self.random.random() < 0.5 else self.random.uniform(0, 0.8)
        time.sleep(self.seconds * share)
        process.send_signal(how)
        code = process.wait()
        self.seconds *= 0.8 if code == 0 else 1.02
        return code

    def killed(self, ended):
        """Of the moments, some were met."""
        self.assertGreater(ended, ROUNDS // 4)
        print(f"ended {ended} of {ROUNDS}")

    def test_kill_leaves_no_half_plan(self):
        self.seconds = self.compile_whole()
        self.plan.unlink()
        ended = 0
        for _ in range(ROUNDS):
            ended += self.end(signal.SIGKILL) != 0
            for path in self.out.iterdir():
                self.assertTrue(self.is_whole(path), path)
        self.killed(ended)

    def test_kill_leaves_no_plan_without_its_side_files(self):
        split = ("--split-size", "4M")
        self.seconds = self.compile_whole(*split)
        ended = 0
        for _ in range(ROUNDS):
            for path in self.out.iterdir():
                path.unlink()
            ended += self.end(signal.SIGKILL, *split) != 0
            self.assertTrue(not self.plan.exists() or self.is_whole(self.plan))
        self.killed(ended)

    def test_kill_leaves_the_old_plan(self):
        self.seconds = self.compile_whole("-c", 128)
        old = self.plan.read_bytes()
        new, ended = None, 0
        for _ in range(ROUNDS):
            completed = self.end(signal.SIGKILL) == 0
            ended += not completed
            data = self.plan.read_bytes()
            if data != old:
                self.assertTrue(self.is_whole(self.plan))
                self.assertIn(new, (None, data))
                new = data
            self.assertTrue(data != old or not completed)
            self.plan.write_bytes(old)
        self.killed(ended)

    def test_interruption_leaves_nothing(self):
        self.seconds = self.compile_whole()
        self.plan.unlink()
        ended = 0
        for round in range(ROUNDS):
            how = (signal.SIGINT, signal.SIGTERM)[round % 2]
            code = self.end(how)
            # The signal's own way before there is anything to clean up, 130 from then on, and its own way once the plan has its name.
            left = {0: [[self.plan]], 130: [[]], -how: [[], [self.plan]]}
            self.assertIn(code, left)
            ended += code != 0
            self.assertEqual(list(self.temporary.iterdir()), [])
            self.assertIn(list(self.out.iterdir()), left[code], code)
            if self.plan.exists():
                self.assertTrue(self.is_whole(self.plan))
                self.plan.unlink()
        self.killed(ended)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
