#!/usr/bin/env python3
"""Signals that come while a command waits for others, or while it ends. Usage: signal_test.py path/to/weft path/to/shim [unittest arguments]"""
import os, pathlib, re, shutil, signal, subprocess, time, unittest

from faults import TINY, WEFT, FaultTest
from hub import FakeHub

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalTest(FaultTest):
    def start(self, *command):
        # Shells start what runs in their background with SIGINT ignored.
        return subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment, cwd=self.folder, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def wait_until(self, process, happened):
        end = time.monotonic() + 60
        while not happened():
            self.assertIsNone(process.poll(), "ended by itself")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def ends_by(self, process, number):
        """At once, and by the signal."""
        process.send_signal(number)
        try:
            self.assertEqual(process.wait(10), -number)
        except subprocess.TimeoutExpired:
            process.kill()
            self.fail(f"{process.args}: goes on after {number.name}")
        finally:
            process.communicate()


class WhileItWaits(SignalTest):
    def patient_hub(self):
        """A hub that commands of this test pull from and wait for, and the folder of its files."""
        hub, cache = FakeHub(), self.folder / "hf"
        self.addCleanup(hub.close)
        del self.environment["HF_HUB_OFFLINE"]
        self.environment.update(HF_ENDPOINT=hub.url, HF_HUB_CACHE=str(cache), HF_HUB_DOWNLOAD_TIMEOUT="300", no_proxy="*", http_proxy="")
        return hub, cache

    def downloads(self, cache):
        """Whether a file has begun to come."""
        return any(path.stat().st_size for path in cache.rglob("*.incomplete"))

    def test_for_a_prompt(self):
        plan, pipe = self.folder / "m.weft", self.folder / "pipe"
        self.succeeds("compile", self.small_model(), "-o", plan)
        os.mkfifo(pipe)
        for command in ([WEFT, "run", plan], [WEFT, "run", plan, "-f", pipe], [WEFT, "tokenize", plan], [WEFT + "-run", plan],
                        [WEFT + "-run", plan, "-f", pipe]):
            for number in SIGNALS:
                with self.subTest(command=command, signal=number.name):
                    process = self.start(*command)
                    # read(0, … or openat(…, of the pipe
                    begin = "257 " if pipe in command else "0 0x0 "
                    waits = lambda: pathlib.Path(f"/proc/{process.pid}/syscall").read_text().startswith(begin)
                    self.wait_until(process, lambda: waits() and (time.sleep(0.1) or waits()))
                    self.ends_by(process, number)

    def test_for_a_network(self):
        _, cache = self.patient_hub()
        for command in (["run", "stall/model", "-p", "a"], ["compile", "stall/model", "-o", self.folder / "m.weft"], ["logits", "stall/model", "--ids", "1", "--digest"],
                        ["profile", "stall/model"], ["pull", "stall/model"]):
            for number in SIGNALS:
                with self.subTest(command=command[0], signal=number.name):
                    shutil.rmtree(cache, ignore_errors=True)
                    process = self.start(WEFT, *command)
                    self.wait_until(process, lambda: self.downloads(cache))
                    self.ends_by(process, number)

    def test_for_a_download_by_another_process(self):
        """Which holds the lock of the file."""
        hub, cache = self.patient_hub()
        holder = self.start(WEFT, "pull", "stall/model")
        try:
            self.wait_until(holder, lambda: self.downloads(cache))
            for command in (["pull", "stall/model"], ["run", "stall/model", "-p", "a"], ["compile", "stall/model", "-o", self.folder / "m.weft"]):
                for number in SIGNALS:
                    with self.subTest(command=command[0], signal=number.name):
                        process = self.start(WEFT, *command)
                        # flock(…, LOCK_EX
                        self.wait_until(process, lambda: re.match(r"73 0x\w+ 0x2 ", pathlib.Path(f"/proc/{process.pid}/syscall").read_text()))
                        self.ends_by(process, number)
            self.assertIsNone(holder.poll())
        finally:
            self.ends_by(holder, signal.SIGTERM)
        # Nothing of theirs is in the way of who comes next.
        process = self.start(WEFT, "pull", "stall/model")
        self.wait_until(process, lambda: any(entry["range"] for entry in hub.log()))
        self.ends_by(process, signal.SIGINT)


class WhileItEnds(SignalTest):
    @unittest.skipUnless(shutil.which("strace"), "NOT TESTED: takes strace")
    def test_with_an_error(self):
        """The signal comes as memory is given back, that of the session as well."""
        # With these names the allocator of the system notices a write into the session once it is freed; the address sanitizer with any.
        self.environment["XDG_CACHE_HOME"] = "/dev/null/long-enough-for-the-heap"
        self.succeeds("compile", TINY / "llama-gqa", "-o", self.folder / "llama-gqa.weft")
        (self.folder / "p").write_text("a " * 12000)
        log = self.folder / "log"
        command = [WEFT + "-run", "llama-gqa.weft", "-f", "p", "-n", 2, "-t", 1]
        trace = ["strace", "-f", "-o", log, "-e", "trace=munmap"]
        traced = self.start(*trace, *command)
        errors = traced.communicate()[1]
        if "PTRACE" in errors or "ptrace" in errors:
            self.skipTest("NOT TESTED: takes ptrace")
        self.assertEqual(traced.returncode, 1, errors)
        calls = log.read_text().count("munmap(")
        self.assertGreater(calls, 5)
        for call in range(1, calls + 1):
            process = self.start(*trace, "-e", f"inject=munmap:signal=SIGINT:when={call}", *command)
            errors = process.communicate(timeout=60)[1]
            # Before it computes and once it ends, the signal's own way; strace ends as what it traces.
            self.assertIn(process.returncode, (1, 130, -signal.SIGINT), f"munmap {call}: {errors}")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
