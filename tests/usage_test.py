#!/usr/bin/env python3
"""usage_test.py WEFT: what users mistype, redirect and close. Nothing crashes, no option goes unheard, no input is replaced, and what cannot
be written is told. Runs from the source folder."""
import json, os, pathlib, re, shutil, subprocess, sys, tempfile, unittest

WEFT = os.path.abspath(sys.argv.pop(1))
WEFT_RUN = WEFT + "-run"
TINY = pathlib.Path("tests/oracle/tiny")


class UsageTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(self.folder / "cache")}

    def model(self, name="qwen3"):
        target = self.folder / name
        if not target.exists():
            shutil.copytree(TINY / name, target)
        return target

    def plan(self, name="qwen3"):
        path = self.folder / f"{name}.weft"
        if not path.exists():
            self.ends(0, WEFT, "compile", self.model(name), "-o", path)
        return path

    def ends(self, code, *command, message=None, stdin="", **options):
        result = subprocess.run(list(map(str, command)), input=stdin, capture_output=True, text=True, timeout=120, env=self.environment, **options)
        self.assertEqual(result.returncode, code, result.stdout[-1000:] + result.stderr[-1000:])
        if message is not None:
            self.assertRegex(result.stderr, message)
        return result

    def shell(self, code, line, *arguments, message=None):
        return self.ends(code, "bash", "-c", line, *arguments, message=message)


class Files(UsageTest):
    def test_no_file_stands_in_for_a_closed_one(self):
        plan, model = self.plan(), self.model()
        for command in ("tokenize", "run"):
            result = self.shell(1, f'exec "$0" {command} "$1" <&-', WEFT, plan, message="standard input")
            self.assertEqual(result.stdout, "")
        self.shell(1, 'exec "$0" "$1" <&-', WEFT_RUN, plan, message="standard input")
        # What is said of compiling is written nowhere.
        self.shell(0, 'exec "$0" run "$1" -p a -n 1 2>&-', WEFT, model)
        kept = [path for path in (self.folder / "cache" / "weft" / "plans").iterdir()]
        self.assertEqual({path.suffix for path in kept}, {".json", ".lock", ".weft"})
        self.assertEqual([path.read_bytes() for path in kept if path.suffix == ".lock"], [b""])
        self.shell(1, 'exec "$0" info "$1" >&-', WEFT, plan, message="cannot write the output")

    def test_output_that_cannot_be_written(self):
        for program in (WEFT, WEFT_RUN):
            for options in ("--help", "--version"):
                self.shell(1, f'exec "$0" {options} >/dev/full', program, message="cannot write the output")
        self.shell(1, 'exec "$0" run --help >/dev/full', WEFT, message="cannot write the output")

    def test_inputs_are_not_replaced(self):
        model, plan = self.model(), self.plan()
        weights, link = model / "model.safetensors", self.folder / "link"
        link.symlink_to(weights)
        split = self.folder / "split.weft"
        self.ends(0, WEFT, "compile", model, "-o", split, "--split-size", "300k")
        side = next(self.folder.glob("split-00001-*"))
        before = {path: path.read_bytes() for path in (weights, model / "config.json", plan, side)}
        for command in (["compile", model, "-o", weights], ["compile", model, "-o", link], ["compile", model, "-o", model / "config.json"],
                        ["logits", model, "--ids", "1,2", "-o", weights],
                        ["logits", plan, "--ids", "1,2", "-o", plan], ["logits", split, "--ids", "1,2", "-o", side],
                        ["profile", plan, "-n", "1", "--report", plan], ["profile", plan, "-n", "1", "--trace-out", plan]):
            with self.subTest(command=command):
                self.ends(1, WEFT, *command, message="which this command reads")
        self.assertEqual({path: path.read_bytes() for path in before}, before)
        self.ends(0, WEFT, "compile", model, "--reuse", plan, "-o", plan)
        self.ends(2, WEFT, "profile", plan, "--report", "a", "--trace-out", "a", message="the same file")
        for command in (["compile", model, "-o", ""], ["logits", model, "--ids", "1", "-o", ""]):
            self.ends(2, WEFT, *command, message="no name of a file")


class Names(UsageTest):
    def test_models_whose_names_are_no_utf8_are_found_in_the_cache(self):
        name = os.fsencode(self.folder) + b"/bad\xff"
        self.model().rename(os.fsdecode(name))
        for said in ("compiled .* kept for the next time", "^(?!.*compiled)"):
            result = subprocess.run([WEFT, "run", name, "-p", "a", "-n", "1"], stdin=subprocess.DEVNULL, capture_output=True, env=self.environment)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stderr.decode(errors="replace").replace("\n", " "), said)

    def test_no_name_reaches_the_terminal_as_it_is(self):
        escape = "esc\x1b[31m"
        model = self.folder / escape
        shutil.copytree(TINY / "qwen3", model)
        quick = ["-p", "4", "-n", "2"]
        profiles = []
        for name in "ab":
            result = self.ends(0, WEFT, "profile", model, *quick, "--no-roof", "--json")
            profiles.append(self.folder / f"{escape}{name}.json")
            profiles[-1].write_text(result.stdout)
        for command in (["profile", model, *quick, "--no-roof"], ["profile", "--compare", *profiles], ["bench", model, *quick, "-r", "1", "--profile"],
                        ["run", model, "-p", "a", "-n", "1", "--trace"], ["explore", model, *quick, "-r", "1", "--weights", "f32,q8_0", "--no-score"]):
            with self.subTest(command=command[0]):
                result = self.ends(0, WEFT, *command)
                self.assertIn("\\x1b[31m", result.stdout + result.stderr)
                self.assertNotIn("\x1b", result.stdout + result.stderr)

    def test_messages_of_the_library_are_one_line(self):
        model = self.model()
        config = json.loads((model / "tokenizer_config.json").read_text()) if (model / "tokenizer_config.json").exists() else {}
        config["chat_template"] = "{{ raise_exception('bad\x1b[31m\nline') }}"
        (model / "tokenizer_config.json").write_text(json.dumps(config))
        self.ends(0, WEFT, "compile", model, "-o", self.folder / "chat.weft")
        result = self.ends(1, WEFT_RUN, self.folder / "chat.weft", "--chat", "-p", "a", message=r"bad\\x1b\[31m\\x0aline")
        self.assertEqual(len(result.stderr.splitlines()), 1)


class Options(UsageTest):
    def test_wrong_words_are_named(self):
        for command in (["rnu", "x"], ["--nope"], ["cache", "lst"]):
            wrong = command[-1] if command[0] == "cache" else command[0]
            self.ends(2, WEFT, *command, message=f"'{wrong}' is no command")
        self.ends(2, WEFT, message="subcommand is required")
        self.ends(2, WEFT, "run", "x", "--nope", message="nope")

    def test_lists_do_not_take_what_follows(self):
        model = self.model()
        result = self.ends(0, WEFT, "compile", "--print-after", "fuse-qkv", "--disable-pass", "fuse-gate-up", model, "-o", self.folder / "m.weft")
        self.assertIn("// after fuse-qkv", result.stderr)
        self.ends(0, WEFT, "bench", "-p", "3", "-n", "0", "-r", "1", model)
        self.ends(0, WEFT, "compile", model, "--weight-format", "lm_head=f32", "--weight-format", "*down_proj=f32", "-o", self.folder / "m.weft")

    def test_numbers_out_of_range(self):
        plan = self.plan()
        for program in ([WEFT, "run"], [WEFT_RUN]):
            for option, values in {"--temp": ("nan", "inf", "-1"), "--top-k": ("-1",), "--top-p": ("0", "nan", "2"), "--min-p": ("nan", "2")}.items():
                for value in values:
                    self.ends(2, *program, plan, "-p", "a", option, value, message=option)
        for value in ("0", "inf", "nan"):
            self.ends(2, WEFT, "run", plan, "-p", "a", "--repeat-penalty", value, message="--repeat-penalty: must be above 0")
        for value in ("nan", "inf", "-1"):
            self.ends(2, WEFT, "explore", self.model(), "--kl-margin", value, message="--kl-margin: must be 0 or more, and finite")
        for value in ("9223372036854775808,64", "99999999999"):
            self.ends(2, WEFT, "explore", self.model(), "--q8-threshold", value, message="--q8-threshold")

    def test_no_option_goes_unheard(self):
        model, plan = self.model(), self.plan()
        for command in (["dump", model], ["dump", model, "--diff", "import"], ["why", model, "model.layers.0.mlp.down_proj", "--no-measure"]):
            self.assertRegex(self.ends(0, WEFT, *command, "--time-passes").stderr, r"ms  fuse-qkv ")
        self.ends(1, WEFT, "dump", plan, "--target", "nope", message="nope")
        self.ends(1, WEFT, "dump", plan, "--stage", "program", "--target", "nope", message="nope")
        (self.folder / "prompt").write_text("a")
        self.ends(2, WEFT_RUN, plan, "-p", "a", "-f", self.folder / "prompt", message="excludes")
        for options in (["-p", "4"], ["--profile"], ["--weights", "f32"], ["--step-tokens", "3"], ["--mlock"]):
            self.ends(2, WEFT, "bench", "--matmul", "64,64", *options, message=f"{options[0]}.*: is for models")
        self.ends(2, WEFT, "bench", model, "--format", "f32", message="--format: is for --matmul")
        self.ends(2, WEFT, "bench", model, "--json", "-o", "csv", message="excludes")
        self.ends(2, WEFT, "tokenize", model, "--decode", "--ids", message="excludes")
        (self.folder / "text").write_text("It was the best of times.")
        text = ["--text", self.folder / "text"]
        self.ends(2, WEFT, "eval", model, *text, "--no-reference", "--against", model, message="excludes")
        self.ends(1, WEFT, "eval", plan, *text, "--against", plan, message="is a plan; give the model")
        self.ends(1, WEFT, "eval", model, "--weights", "f32", *text, "--against", self.folder / "nope", message="nope")
        self.assertIn("F32 mean NLL", self.ends(0, WEFT, "eval", plan, *text, "--against", model).stdout)

    def test_comparing_files_measures_nothing(self):
        profile = self.folder / "profile.json"
        profile.write_text(self.ends(0, WEFT, "profile", self.plan(), "-p", "4", "-n", "2", "--no-roof", "--json").stdout)
        self.ends(0, WEFT, "profile", "--compare", profile, profile)
        for options in (["--rounds", "7"], ["-p", "9"], ["-t", "1"], ["--counters"], ["-c", "5"], ["--mlock"]):
            self.ends(1, WEFT, "profile", "--compare", profile, profile, *options, message="measures nothing")
        self.ends(1, WEFT, "profile", "--compare", profile, self.folder / "nofile", message=f"{profile} is such a file, .*nofile is none, or is not there")

    def test_the_stack_that_the_header_promises(self):
        (kilobytes,) = re.findall(r"kKernelStackBytes = (\d+) << 10", pathlib.Path("runtime/abi/program.h").read_text())
        self.assertIn(f"needs {kilobytes} KiB of its stack", " ".join(pathlib.Path("runtime/c/weft.h").read_text().replace("\n *", "\n").split()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
