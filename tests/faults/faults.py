"""What tests of faults share: commands in a folder of their own, and the sweep that fails one system call after another in them
(fault_shim.c). Each test is called with the path of weft, that of the shim, and unittest's arguments; it runs from the source folder."""
import collections, errno, hashlib, json, os, pathlib, re, shutil, subprocess, sys, tempfile, unittest

sys.path[:0] = ["tests", "tests/fuzz"]
import make_seeds  # models of one layer, which compile quickly

WEFT, SHIM = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
if " " in SHIM:  # where LD_PRELOAD would end
    SHIM = shutil.copy(SHIM, tempfile.mkdtemp())
TINY = pathlib.Path("tests/oracle/tiny")
GREEDY = ["-p", "It was", "-n", "6", "--temp", "0", "--ignore-eos"]
SHORT = -1  # fewer bytes than asked for

# What may well fail in each kind of call, as fault_shim.c calls them. Calls take them in turn.
ERRORS = {
    "open": [errno.EMFILE, errno.EIO, errno.ENOSPC], "read": [errno.EIO], "write": [errno.ENOSPC, errno.EIO], "map": [errno.ENOMEM],
    "truncate": [errno.EIO], "allocate": [errno.ENOSPC, errno.EIO], "sync": [errno.EIO, errno.ENOSPC], "close": [errno.EIO],
    "rename": [errno.ENOSPC, errno.EIO], "link": [errno.ENOSPC, errno.EIO], "mkdir": [errno.ENOSPC], "folder": [errno.EIO],
    "lock": [errno.EIO], "stat": [errno.EIO], "look": [errno.EIO], "unlink": [errno.EIO, errno.EROFS], "resolve": [errno.EIO, errno.ELOOP],
    "space": [errno.EIO], "touch": [errno.EROFS], "pin": [errno.ENOMEM, errno.EPERM],
}


class FaultTest(unittest.TestCase):
    runs, following, injected = 0, 0, collections.Counter()  # of the class: runs that met faults, next ones, and the faults by kind

    def __init_subclass__(cls):
        cls.injected = collections.Counter()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = self.folder / "calls.log"
        self.followed = set()  # of states that a fault left behind: those in which the next run was seen to be right
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(self.folder / "cache"), "TMPDIR": str(self.temporary)}
        for name in ("WEFT_CACHE_SIZE", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "WEFT_DISABLE_CPU"):
            self.environment.pop(name, None)

    @classmethod
    def tearDownClass(cls):
        if cls.injected:
            kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(cls.injected.items()))
            following = f"; {cls.following} next runs, one for each state left behind" if cls.following else ""
            print(f"{cls.__name__}: {cls.runs} runs met {cls.injected.total()} faults ({kinds}){following}", flush=True)

    def copy(self, name, to=None):
        target = self.folder / (to or name)
        shutil.copytree(TINY / name, target)
        return target

    def small_model(self):
        """A folder with a model of one layer, and with all the files that one may have."""
        target = self.folder / "model"
        make_seeds.hugging_face_model(target)
        (target / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 5], "temperature": 0.5}))
        (target / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
        return target

    def in_shards(self, model):
        """The same model, by an index."""
        target = self.folder / "shards"
        shutil.copytree(model, target)
        weights = (target / "model.safetensors").rename(target / "model-00001-of-00001.safetensors")
        data = weights.read_bytes()
        tensors = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
        (target / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {name: weights.name for name in tensors if name != "__metadata__"}}))
        return target

    def small_gguf(self, kind="Q8_0"):
        path = self.folder / "model.gguf"
        path.write_bytes(make_seeds.gguf_model(kind, "gpt2"))
        return path

    def weft(self, *arguments, program=WEFT, stdin="", prefix=(), timeout=120, **variables):
        """`stdin` is text, or the path of a file that has it."""
        command, environment = [*prefix, program, *map(str, arguments)], {**self.environment, **variables}
        if isinstance(stdin, pathlib.Path):
            with stdin.open() as file:
                return subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=timeout, env=environment)
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment)

    def succeeds(self, *arguments, **options):
        result = self.weft(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def shimmed(self, arguments, calls, stdin="", **fault):
        """Runs with the shim; the result, and the log's lines as (struck, kind, path)."""
        self.log.unlink(missing_ok=True)
        options = {f"FAULT_{name.upper()}": str(value) for name, value in fault.items()}
        program, *rest = arguments
        result = self.weft(*rest, program=program, stdin=stdin, LD_PRELOAD=SHIM, FAULT_CALLS=calls, FAULT_LOG=str(self.log), **options)
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        struck = [line.startswith("! ") for line in lines]
        return result, [(hit, *line.removeprefix("! ").split(" ", 1)) for hit, line in zip(struck, lines)]

    def reset_all(self, reset):
        """Also what a fault in its removal left of the linker's folder, for a later run to remove."""
        for path in self.temporary.iterdir():
            shutil.rmtree(path)
        reset()

    def strike(self, command, calls, reset, stdin="", **fault):
        """A run with the fault. What threads do in the background may be over, or not yet begun, when a command ends, so that it makes a call more or
        less: where that keeps the fault from striking, the command runs again."""
        for _ in range(10):
            self.reset_all(reset)
            result, lines = self.shimmed(command, calls, stdin, **fault)
            if any(hit for hit, _, _ in lines):
                break
        return result, lines

    def calls_of(self, command, calls, reset, stdin="", kinds=frozenset(), **fault):
        """The calls that a run without a fault makes: the fewest of three, where it does not make as many each time, but with some of all `kinds`,
        for which it runs again where a thread in the background had not come to them."""
        runs = []
        while len(runs) < 3 or (not kinds <= {kind for _, kind, _ in runs[0][1]} and len(runs) < 20):
            self.reset_all(reset)
            result, lines = self.shimmed(command, calls, stdin, **fault)
            self.assertEqual(result.returncode, 0, result.stderr)
            runs.append((result, lines))
            runs.sort(key=lambda run: (-len({kind for _, kind, _ in run[1]}), len(run[1])))
        return runs[0]

    def sweep(self, command, calls, right, reset, outputs=(), stride=1, first=1, paths=None, errors=ERRORS, ends=None, stdin="", **fault):
        """Fails the calls of these kinds, one in each run of `command`, whose files are `outputs`. Each run ends as `right(result)` asserts, or with
        exit code 1 and a message that names the file; then outputs are not there, whole, or as `reset()` made them, and nothing lies beside them.
        The command's next run, without a fault, is right. `ends`: the exit codes that the sweep must come to see; where that is 0 alone, no other may be. Of every call both are seen, of some
        of them perhaps no fault that does no harm."""
        ends = ends or ({0, 1} if stride == 1 else {1})
        paths = paths or self.folder
        result, lines = self.calls_of(command, calls, reset, stdin, paths=paths, **fault)
        right(result)
        self.assertTrue(lines)
        whole = [read_all(path) for path in outputs]
        program = pathlib.Path(command[0]).name
        seen = set()
        for number in range(first, len(lines) + 1, stride):
            _, kind, path = lines[number - 1]
            reset()
            before = [read_all(path) for path in outputs]
            error = errors[kind][number % len(errors[kind])]
            what = f"{kind} {path}: {errno.errorcode.get(error, error)}"
            with self.subTest(fault=what):
                result, now = self.strike(command, calls, reset, stdin, paths=paths, at=number, error=error, **fault)
                struck = self.struck(now)
                self.assertIn(result.returncode, ends | {0, max(ends)}, f"{struck}: {result.stderr}")
                seen.add(result.returncode)
                if result.returncode == 0:
                    right(result)
                    self.assertEqual([read_all(path) for path in outputs], whole, struck)
                else:
                    self.assertRegex(result.stderr, rf"(?m)^{program}: ", struck)
                    self.assert_named(result.stderr, ["standard input" if path == str(stdin) else path for path in struck], outputs)
                    for path, then, good in zip(outputs, before, whole):
                        self.assertIn(read_all(path), (then, good), struck)
                beside = [str(name) for path in outputs if path.parent.exists() for name in path.parent.iterdir() if "tmp" in name.name]
                self.assertEqual(beside, [], struck)
                if not any(path.startswith(str(self.temporary)) for path in struck):
                    self.assertEqual(list(self.temporary.iterdir()), [], struck)
                self.next_is_right(command, right, outputs, whole, stdin)
        self.assertLessEqual(ends, seen, command)

    def next_is_right(self, command, right, outputs=(), whole=(), stdin=""):
        """A run without a fault, in what the one with it left behind; once for each such state of all files here, by which it is decided."""
        state = self.state(command)
        if state in self.followed:
            return
        result = self.weft(*command[1:], program=command[0], stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr)
        right(result)
        self.assertEqual([read_all(path) for path in outputs], list(whole))
        self.followed.add(state)
        type(self).following += 1

    def state(self, command):
        digest = hashlib.sha256(repr(list(map(str, command))).encode())
        for path in sorted(self.folder.rglob("*")):
            if path != self.log:
                name = re.sub(r"\.tmp-[0-9a-f]{16}|weft-link-\w{6}", "temporary", str(path))
                data = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
                digest.update(repr((name, path.lstat().st_mode, len(data))).encode() + (data if isinstance(data, bytes) else data.encode()))
        return digest.digest()

    def struck(self, lines):
        """The paths of the calls that were struck in a run that was to meet a fault: in each there is one."""
        struck = [(kind, path) for hit, kind, path in lines if hit]
        self.assertTrue(struck, "no call was struck")
        type(self).runs += 1
        self.injected.update(kind for kind, _ in struck)
        return [path for _, path in struck]

    def assert_named(self, message, struck, outputs):
        """The message names a file that was struck, by the name that it has or was to get."""
        names = {path.name for path in outputs} | {f"{output.parent}:" for output in outputs}
        for path in struck:
            path = pathlib.Path(path.removesuffix(" (deleted)"))
            name = path.name
            # Without a name yet: the message has the one in the same folder that it was to get, or the folder.
            if re.fullmatch(r"#\d+", name) or name.endswith("XXXXXX"):
                names |= {f"{path.parent}/", f"{path.parent}:"}
            names |= {name, re.sub(r"(\.tmp-.*|\.tmp[0-9a-f]{7}|\.incomplete)$", "", name)}
        self.assertTrue(any(name in message for name in names), f"{message} names none of {names}")


def read_all(path):
    """The bytes of a file, those of all files in a folder by name, or None."""
    if path.is_dir():
        return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    return path.read_bytes() if path.exists() else None
