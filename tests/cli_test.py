#!/usr/bin/env python3
"""The `weft` command as a user types it: results, exit codes and messages. Usage: cli_test.py path/to/weft [unittest arguments]

Runs from the source folder; models come from tests/oracle/tiny, the interrupted run needs smollm2-135m-instruct-q4_1 in the cache
(scripts/test pulls it)."""
import hashlib, json, os, pathlib, re, shutil, signal, struct, subprocess, sys, tempfile, unittest

WEFT = os.path.abspath(sys.argv.pop(1))
TINY = pathlib.Path("tests/oracle/tiny")
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "WEFT_CACHE_SIZE": "0"}  # the cache has cache_test.py


def weft(*arguments, stdin="", **options):
    return subprocess.run([WEFT, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120, **{"env": ENVIRONMENT, **options})


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return {name: (entry, data[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]])
            for name, entry in header.items() if name != "__metadata__"}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, (entry, values) in tensors.items():
        header[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def copy(self, name):
        target = self.folder / name
        shutil.copytree(TINY / name, target)
        return target

    def succeeds(self, *arguments, **options):
        result = weft(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def fails(self, *arguments, message, code=1, **options):
        result = weft(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertRegex(result.stderr, message)
        if code == 1:
            self.assertTrue(result.stderr.startswith("weft: "), result.stderr)
        return result.stderr


class Results(CommandTest):
    def golden_ids(self, name):
        _, values = read_safetensors(TINY / name / "golden.safetensors")["input_ids"]
        return list(struct.unpack(f"<{len(values) // 8}q", values))

    def floats(self, values):
        return struct.unpack(f"<{len(values) // 4}f", values)

    def test_logits_of_model_and_plan_equal_the_golden(self):
        for name in ["llama-gqa", "gpt2", "gemma3"]:
            golden = self.floats(read_safetensors(TINY / name / "golden.safetensors")["logits"][1])
            plan = self.folder / f"{name}.weft"
            self.assertIn("wrote", self.succeeds("compile", TINY / name, "--weights", "f32", "-o", plan))
            ids = ",".join(map(str, self.golden_ids(name)))
            files = []
            for source in [TINY / name, plan]:
                out = self.folder / "out.safetensors"
                options = [] if source == plan else ["--weights", "f32"]
                self.succeeds("logits", source, "--ids", ids, "-o", out, *options)
                entry, values = read_safetensors(out)["logits"]
                self.assertEqual(entry["shape"], [41, 512])
                files.append(values)
                worst = max(abs(a - b) for a, b in zip(self.floats(values), golden))
                self.assertLessEqual(worst, 3e-5)
            self.assertEqual(files[0], files[1])

    def test_run_json_of_model_and_plan_agree(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "qwen3", "-o", plan)
        arguments = ["-p", "It was", "-n", 12, "--temp", 0, "--ignore-eos", "--json"]
        results = [json.loads(self.succeeds("run", *source, *arguments))
                   for source in ([TINY / "qwen3"], [plan], [plan, "--no-hugepages"])]
        self.assertEqual(len(results[0]["ids"]), 12)
        for key in ("ids", "text", "prompt_ids"):
            self.assertEqual(results[0][key], results[1][key])
            self.assertEqual(results[0][key], results[2][key])

    def test_plans_follow_no_options_of_compiling(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "qwen3", "-o", plan, "-c", 64)
        for option in (["-c", 32], ["-c", 128], ["-b", 4], ["--weights", "f32"], ["--kv", "f16"], ["--disable-pass", "fuse-qkv"], ["--time-passes"]):
            for command in (["run", plan, "-p", "It was", "-n", 2], ["dump", plan, "--memory"]):
                self.fails(*command, *option, message="compil")
        self.succeeds("run", plan, "-p", "It was", "-n", 2, "-c", 64)

    def test_weft_run_agrees_with_weft(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "qwen3", "-o", plan)
        for arguments in (["-p", "It was", "-n", 12, "--temp", 0, "--ignore-eos"], ["-p", "It", "-n", 9]):
            arguments = [str(word) for word in [*arguments, "--seed", 3]]
            ours = subprocess.run([WEFT + "-run", plan, *arguments], capture_output=True, text=True)
            self.assertEqual(ours.returncode, 0, ours.stderr)
            self.assertEqual(ours.stdout, self.succeeds("run", plan, *arguments))
            self.assertIn("generated", ours.stderr)
        for arguments, code, message in (([plan, "-p", ""], 1, "the prompt holds no token"), ([plan, "-p", "a", "--chat"], 1, "no chat template"),
                                         (["no.weft", "-p", "a"], 1, "no.weft"), ([plan, "-t", "0"], 2, "--threads"),
                                         ([TINY / "qwen3" / "config.json", "-p", "a"], 1, "config.json")):
            failed = subprocess.run([WEFT + "-run", *arguments], capture_output=True, text=True)
            self.assertEqual(failed.returncode, code)
            self.assertIn(message, failed.stderr)

    def test_verify_and_diff(self):
        plans = [self.folder / "a.weft", self.folder / "b.weft"]
        self.succeeds("compile", TINY / "gemma3", "--weights", "f32", "-o", plans[0])
        self.succeeds("compile", TINY / "gemma3", "--weights", "q8_0", "-o", plans[1])
        self.assertRegex(self.succeeds("verify", plans[0]), "whole: [67] sections' checksums and [0-9.]+ MB of weights agree")
        self.assertEqual(self.succeeds("diff", plans[0], plans[0]), "no difference\n")
        self.assertRegex(self.succeeds("diff", *plans), r"(?s)fields:.*kv_format: f32 -> f16.*weights:.*q_proj.weight: f32 \(.*-> q8_0 \(.*steps:\n.*: 0 -> ")
        diff = json.loads(self.succeeds("diff", *plans, "--json"))
        self.assertEqual(diff["fields"]["kv_format"], ["f32", "f16"])
        self.assertEqual(set(map(len, diff["weights"].values())), {2})
        damaged = bytearray(plans[0].read_bytes())
        sections = [struct.unpack_from("<IIQQQ", damaged, 32 + 32 * i) for i in range(struct.unpack_from("<I", damaged, 12)[0])]
        damaged[next(offset for kind, _, offset, _, _ in sections if kind == 7)] ^= 1
        plans[0].write_bytes(damaged)
        self.fails("verify", plans[0], message="weights")
        self.fails("verify", TINY / "gemma3" / "config.json", message="config.json")

    def test_equal_plans_from_any_path_with_any_threads(self):
        source = TINY / "gpt2"
        elsewhere = self.folder / "other name" / "gpt2"
        shutil.copytree(source, elsewhere)
        plans = [self.folder / "a.weft", self.folder / "b.weft"]
        self.succeeds("compile", source, "-o", plans[0])
        subprocess.run(["taskset", "-c", "0", WEFT, "compile", elsewhere, "-o", plans[1]], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(plans[0].read_bytes(), plans[1].read_bytes())
        digest = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
        self.assertIn(f"sha256 {digest}", json.loads(self.succeeds("info", plans[0], "--json"))["source"])

    def test_prompt_from_file_and_stdin(self):
        (self.folder / "p.txt").write_text("It was a day")
        arguments = ["run", TINY / "gpt2", "-n", 5, "--temp", 0, "--ignore-eos", "--json"]
        texts = [self.succeeds(*arguments, "-p", "It was a day"), self.succeeds(*arguments, "-f", self.folder / "p.txt"),
                 self.succeeds(*arguments, stdin="It was a day")]
        self.assertEqual(len({json.dumps(json.loads(text)["ids"]) for text in texts}), 1)

    def test_seed_repeats_a_sampled_run(self):
        def ids(seed):
            return json.loads(self.succeeds("run", TINY / "llama-gqa", "-p", "a", "-n", 20, "--temp", 1, "--seed", seed, "--ignore-eos", "--json"))["ids"]
        self.assertEqual(ids(3), ids(3))
        self.assertNotEqual(ids(3), ids(4))

    def test_trace_accounts_for_every_matmul(self):
        text = self.succeeds("run", TINY / "llama-gqa", "-p", "a b c", "-n", 4, "--temp", 0, "--ignore-eos", "--trace")
        for part in ("prefill: 1 run", "decode: 3 runs", "GB/s", "model.layers.*.mlp.{gate,up}_proj", "attention", "barriers and waiting"):
            self.assertIn(part, text)

    def test_profile_adds_up_to_the_wall_time(self):
        trace = self.folder / "trace.json"
        arguments = ["profile", TINY / "llama-gqa", "-p", 20, "-n", 6, "-t", 2, "--weights", "q8_0"]
        report = json.loads(self.succeeds(*arguments, "--json", "--trace-out", trace))
        self.assertGreater(report["roof_gb_per_s"], 0)
        self.assertGreater(report["peak_gmac_per_s_f32"], 0)
        self.assertEqual([(phase["phase"], phase["runs"], phase["tokens"]) for phase in report["phases"]],
                         [("cold", 1, 1), ("prefill", 1, 20), ("decode", 6, 6)])
        weight_bytes = json.loads(self.succeeds("bench", TINY / "llama-gqa", "--weights", "q8_0", "-p", 0, "-n", 1, "-r", 1, "-o", "json"))[0]["streamed_bytes"]
        for phase in report["phases"]:
            rest = sum(phase[name] for name in ("between_steps_ns", "choosing_ns", "text_ns", "other_ns"))
            self.assertEqual(sum(row["total_ns"] for row in phase["rows"]) + rest, phase["wall_ns"])
            self.assertGreaterEqual(phase["between_steps_ns"], 0)
            self.assertGreaterEqual(phase["other_ns"], 0)
            self.assertEqual(sum(row["weight_bytes"] for row in phase["rows"]), weight_bytes * phase["runs"])
            for row in phase["rows"]:
                self.assertTrue(row["min_ns"] <= row["p50_ns"] <= row["p95_ns"] <= row["max_ns"], row)
        events = json.loads(trace.read_text())["traceEvents"]
        self.assertEqual(sum(event["ph"] == "X" and event["cat"] == "run" for event in events), 8)
        self.assertEqual({event["args"]["name"] for event in events if event["name"] == "thread_name"},
                         {"passes and code", "runs", "worker 0", "worker 1"})
        layers = json.loads(self.succeeds(*arguments, "--no-roof", "--by", "layer", "--json"))
        self.assertEqual(layers["roof_gb_per_s"], 0)
        self.assertEqual([row["op"] for row in layers["phases"][2]["rows"]], ["outside layers", "layer 0", "layer 1", "layer 2"])
        weights = self.succeeds(*arguments, "--no-roof", "--by", "weight", "--csv").splitlines()
        self.assertTrue(weights[0].startswith("phase,op,dims,format,calls,"))
        self.assertTrue(any('"model.layers.1.mlp.down_proj"' in row for row in weights))

    def test_profile_of_plans_and_text(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-o", plan)
        text = self.succeeds("profile", plan, "-p", "It was a day", "-n", 2, "--no-roof")
        self.assertIn("decode: 2 runs", text)
        self.assertIn("text of tokens", text)
        for wrong in ("0", "-3", "100000"):
            self.fails("profile", plan, f"--prompt={wrong}", message=f"-p {wrong}: takes 1 to")

    def test_info(self):
        info = json.loads(self.succeeds("info", TINY / "gemma3", "--json"))
        self.assertEqual((info["family"], info["layers"], info["kv_heads"], info["vocab"]), ("gemma3", 7, 1, 512))
        self.assertIn("gemma3", self.succeeds("info", TINY / "gemma3"))

    def test_formats_of_the_cache(self):
        plan = self.folder / "m.weft"
        sizes = {}
        for kv in ("f32", "f16", "q8_0"):
            self.succeeds("compile", TINY / "llama-gqa", "--kv", kv, "-o", plan)
            info = json.loads(self.succeeds("info", plan, "--json"))
            self.assertEqual(info["kv_format"], kv)
            self.assertIn(f'format="{kv}", why="--kv {kv}"', self.succeeds("dump", plan))
            sizes[kv] = info["kv_bytes"]
            self.succeeds("run", plan, "-p", "a b", "-n", 3, "--temp", 0, "--ignore-eos")
        self.assertEqual(sizes["f32"], 2 * sizes["f16"])
        self.assertLess(sizes["q8_0"], sizes["f32"])
        (self.folder / "t.txt").write_text("It was a day like any other. " * 20)
        evaluate = ["eval", TINY / "llama-gqa", "--weights", "f32", "--text", self.folder / "t.txt", "--json"]
        losses = [json.loads(self.succeeds(*evaluate, "--kv", kv))["mean_kl"] for kv in ("f16", "q8_0")]
        self.assertTrue(0 < losses[0] < losses[1] < 1e-3, losses)

    def test_dump_every_stage_and_format(self):
        text = weft("dump", "--help").stdout
        stages = re.search(r"what to print: (.*?) ?\(default", text, re.S).group(1).split(",")
        stages = [stage.strip() for stage in stages]
        self.assertGreaterEqual(len(stages), 11)
        for stage in stages:
            self.assertGreater(len(self.succeeds("dump", TINY / "llama-gqa", "--stage", stage)), 500, stage)
            formats = ["text"] if stage in ("llvm", "asm") else ["text", "json"] if stage == "program" else ["text", "json", "dot"]
            for wrong in {"json", "dot"} - set(formats):
                self.fails("dump", TINY / "llama-gqa", "--stage", stage, "--format", wrong, message=f"{stage} is printed as {' or '.join(formats)}")
        self.assertIn("vfmadd", self.succeeds("dump", TINY / "llama-gqa", "--stage", "asm", "--kernel", "matmul"))
        self.assertTrue(self.succeeds("dump", TINY / "llama-gqa", "--format", "dot").startswith("digraph"))
        self.assertGreater(len(json.loads(self.succeeds("dump", TINY / "llama-gqa", "--format", "json"))["nodes"]), 50)

    def test_dump_of_a_plan_is_its_ir(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "phi3", "-o", plan)
        self.assertTrue(self.succeeds("dump", plan).startswith("module "))

    def test_tokenize_both_ways(self):
        text = "It was a day — über \U0001f600"
        ids = self.succeeds("tokenize", TINY / "gpt2", "--ids", stdin=text)
        self.assertGreater(len(json.loads(ids)), 5)
        self.assertEqual(self.succeeds("tokenize", TINY / "gpt2", "--decode", stdin=ids), text)
        self.assertIn('"', self.succeeds("tokenize", TINY / "gpt2", stdin="a"))

    def test_eval(self):
        (self.folder / "t.txt").write_text("It was a day like any other. " * 20)
        result = json.loads(self.succeeds("eval", TINY / "llama-gqa", "--weights", "q8_0", "--text", self.folder / "t.txt", "--json"))
        self.assertGreater(result["mean_nll"], 0)
        self.assertGreater(result["mean_kl"], 0)
        self.assertLess(abs(result["nll_change"]), 0.05)

    def test_help_of_every_command(self):
        for command in ("pull", "info", "dump", "compile", "run", "eval", "logits", "tokenize", "synth", "bench", "profile", "explore", "verify", "diff", "cache", "why"):
            self.assertIn("--help", self.succeeds(command, "--help"))
        self.assertIn("weft ", self.succeeds("--version"))


class Bench(CommandTest):
    """What the output holds; what the figures are, a test cannot know."""

    QUICK = ["-r", 2, "-t", 1]

    def bench(self, *arguments):
        """The output. On a machine that others disturb the roof may come out too low, which must be said."""
        result = weft("bench", *arguments)
        if result.returncode != 0:
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("of the roof", result.stderr)
        return result.stdout

    def check_memory(self, test):
        self.assertAlmostEqual(test["gb_per_s"], test["bytes_per_token"] * test.get("median", test["tokens_per_s"]) / 1e9, delta=1e-6 * test["gb_per_s"])
        for field in ("tokens_per_s", "bytes_per_token", "gb_per_s", "roof_gb_per_s", "roof_share", "gmac_per_s"):
            self.assertGreater(test[field], 0, field)

    def test_model_json(self):
        tests = json.loads(self.bench(TINY / "llama-gqa", "-p", "8,16", "-n", 4, "-d", "0,20", "--step-tokens", "4", "-r", 3, "-t", "1,2", "-o", "json"))
        names = ["pp8", "pp16", "tg4", "st4", "pp8 @ d20", "pp16 @ d20", "tg4 @ d20", "st4 @ d20"]
        self.assertEqual([(test["threads"], test["test"]) for test in tests], [(threads, name) for threads in (1, 2) for name in names])
        for test in tests:
            self.check_memory(test)
            self.assertEqual(len(test["samples"]), 3)
            self.assertEqual((test["weights"], test["kv"]), ("f32", "f32"))
            self.assertTrue(test["weights_fit_caches"])
            self.assertEqual("step_ms_p99" in test, test["n_prompt"] == 0)
            self.assertEqual("ratio_to_one" in test, test["step_tokens"] == 4)
            if test["n_prompt"] == 0:
                self.assertLessEqual(test["step_ms_p50"], test["step_ms_p99"])
                self.assertLessEqual(test["step_ms_p99"], test["step_ms_max"])

    def test_bytes_of_a_token(self):
        """Weights of all matmuls, and keys and values of the positions that each layer sees."""
        def bytes_per_token(*arguments):
            return json.loads(self.bench(*arguments, *self.QUICK, "-p", 0, "-o", "json"))[0]["bytes_per_token"]
        layers, hidden, intermediate, kv, vocab, position = 3, 96, 224, 32, 512, 3 * 2 * 32 * 4
        weights = 4 * (layers * (2 * hidden * hidden + 2 * kv * hidden + 3 * hidden * intermediate) + vocab * hidden)
        model = [TINY / "llama-gqa", "--weights", "f32"]
        self.assertEqual(bytes_per_token(*model, "-n", 1), weights + position)
        self.assertEqual(bytes_per_token(*model, "-n", 3, "-d", 10), weights + 12 * position)
        # Seven layers with one head of 32, all but the sixth with a window of 9.
        gemma = [TINY / "gemma3", "--weights", "f32"]
        self.assertEqual(bytes_per_token(*gemma, "-n", 1, "-d", 99) - bytes_per_token(*gemma, "-n", 1), 2 * 32 * 4 * (6 * 8 + 99))

    def test_plan_profile_and_tables(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "--weights", "q8_0", "-o", plan)
        text = self.bench(plan, "-p", 8, "-n", 4, *self.QUICK, "--profile")
        for part in ("| model", " pp8 |", " tg4 |", " ± ", "q8_0", "fit the caches", "outside matmuls", "barriers and waiting"):
            self.assertIn(part, text)
        tests = json.loads(self.bench(plan, "-p", 8, "-n", 0, *self.QUICK, "--profile", "-o", "json"))
        self.assertTrue(0 < tests[0]["outside_matmuls"] < 1)
        self.assertEqual(tests[0]["weights"], "q8_0")
        self.assertEqual(tests[0]["trace"]["runs"], 1)
        rows = self.bench(plan, "-p", 8, "-n", 4, *self.QUICK, "-o", "csv").splitlines()
        self.assertEqual(len(rows), 3)
        self.assertTrue(rows[0].startswith("test,n_prompt,") and "step_ms_p99" in rows[0])
        self.assertTrue(rows[1].startswith('"pp8",8,'))

    def test_matmul(self):
        test = json.loads(self.bench("--matmul", "64,64", "--format", "f32", "-r", 1, "-t", 1, "--json"))
        self.assertEqual((test["n"], test["k"], test["tokens"], test["format"], test["weight_bytes"]), (64, 64, 1, "f32", 64 * 64 * 4))
        self.check_memory(test)
        self.assertGreaterEqual(test["p99_over_p50"], 1)
        self.assertIn("share", self.bench("--matmul", "64,64,2", "-r", 1, "-t", 1))

    def test_errors(self):
        for arguments in ([], [TINY / "gpt2", "--matmul", "64,64"], [TINY / "gpt2", "-p", "0", "-n", "0"], [TINY / "gpt2", "-p", "x"],
                          [TINY / "gpt2", "-t", "0"], [TINY / "gpt2", "-r", "0"], [TINY / "gpt2", "-o", "xml"], ["--matmul", "64,64", "-t", "1,2"],
                          [TINY / "gpt2", "-p", "-1"], [TINY / "gpt2", "--step-tokens", "0"]):
            self.assertEqual(weft("bench", *arguments).returncode, 2, arguments)
        for shape in ("64", "64,x", "0,64", "64,64,64,64"):
            self.fails("bench", "--matmul", shape, message="--matmul")
        self.fails("bench", self.folder / "nothing", message="nothing")
        self.fails("bench", TINY / "gpt2", "-p", 100, "-c", 50, message="context of 128|context of 100")
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-c", 64, "--logit-rows", 2, "-o", plan)
        self.fails("bench", plan, "-p", 65, "-n", 0, message="compile again with -c 65")
        self.fails("bench", plan, "-p", 0, "-n", 0, "--step-tokens", 4, message="--step-tokens 4")


class Synth(CommandTest):
    def test_writes_a_model_that_runs(self):
        folder = self.folder / "model"
        self.assertIn("wrote", self.succeeds("synth", "tiny", "-o", folder, "--seed", 5))
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["config.json", "model.safetensors", "tokenizer.json"])
        info = json.loads(self.succeeds("info", folder, "--json"))
        self.assertEqual((info["family"], info["layers"], info["vocab"]), ("gemma3", 7, 1024))
        for weights in ("f32", "q8_0"):
            out = self.folder / "l.safetensors"
            self.succeeds("logits", folder, "--ids", ",".join(map(str, range(300))), "--weights", weights, "-o", out)
            _, values = read_safetensors(out)["logits"]
            logits = struct.unpack(f"<{len(values) // 4}f", values)
            self.assertTrue(all(abs(value) < 30 for value in logits))
            last = logits[-1024:]
            mean = sum(last) / 1024
            # Logits of random weights are close to normal with deviation 1.
            self.assertTrue(0.5 < (sum((value - mean) ** 2 for value in last) / 1024) ** 0.5 < 2)
        run = json.loads(self.succeeds("run", folder, "-p", "some words of text", "-n", 4, "--ignore-eos", "--json"))
        self.assertEqual(len(run["ids"]), 4)

    def test_dtype_seed_and_force(self):
        folder = self.folder / "model"
        self.succeeds("synth", "tiny", "-o", folder, "--dtype", "f32")
        first = (folder / "model.safetensors").read_bytes()
        self.assertEqual(read_safetensors(folder / "model.safetensors")["model.norm.weight"][0]["dtype"], "F32")
        self.fails("synth", "tiny", "-o", folder, message="--force")
        self.succeeds("synth", "tiny", "-o", folder, "--dtype", "f32", "--force", "--seed", 0)
        self.assertEqual((folder / "model.safetensors").read_bytes(), first)
        self.succeeds("synth", "tiny", "-o", folder, "--dtype", "f32", "--force", "--seed", 1)
        self.assertNotEqual((folder / "model.safetensors").read_bytes(), first)

    def test_wrong_usage(self):
        for arguments in ([], ["tiny"], ["gpt9", "-o", self.folder / "m"], ["tiny", "-o", self.folder / "m", "--dtype", "f16"]):
            self.assertEqual(weft("synth", *arguments).returncode, 2, arguments)

    def test_no_space_leaves_nothing_behind(self):
        script = f'trap "" XFSZ; ulimit -f 200; exec "{WEFT}" synth tiny -o {self.folder / "m"}'
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("model.safetensors", result.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])


class WrongUsage(CommandTest):
    def test_exit_code_2(self):
        for arguments in ([], ["nonsense"], ["run"], ["run", TINY / "gpt2", "--no-such-flag"], ["run", TINY / "gpt2", "-n", "many"],
                          ["dump", TINY / "gpt2", "--stage", "none"], ["run", TINY / "gpt2", "-t", "0"], ["run", TINY / "gpt2", "-c", "99999999999999999999"], ["compile", TINY / "gpt2"],
                          ["run", TINY / "gpt2", "--kv", "bf16"]):
            self.assertEqual(weft(*arguments).returncode, 2, arguments)


class BadInput(CommandTest):
    def test_missing_model(self):
        self.fails("info", self.folder / "nothing.gguf", message="nothing.gguf")
        self.fails("run", "no-org/no-model", "-p", "a", message="no-org/no-model")

    def test_endless_prompts(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-o", plan)
        for command in ([WEFT, "tokenize", plan], [WEFT, "run", plan], [WEFT + "-run", plan], [WEFT, "run", plan, "-f", "/dev/zero"],
                        [WEFT + "-run", plan, "-f", "/dev/zero"]):
            with self.subTest(command=command), open("/dev/zero") as zeros:
                result = subprocess.run(command, stdin=zeros, capture_output=True, text=True, env=ENVIRONMENT)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertRegex(result.stderr, "(standard input|/dev/zero): ")

    def test_empty_and_foreign_files(self):
        for content in (b"", b"hello, world", b"GGUF", os.urandom(4096)):
            path = self.folder / "m.gguf"
            path.write_bytes(content)
            self.fails("info", path, message="m.gguf")

    def test_truncated_safetensors(self):
        folder = self.copy("llama-gqa")
        data = (folder / "model.safetensors").read_bytes()
        for size in (0, 4, 8, 100, len(data) // 2, len(data) - 1):
            (folder / "model.safetensors").write_bytes(data[:size])
            self.fails("run", folder, "-p", "a", message="model.safetensors")

    def test_unknown_family_lists_the_known(self):
        folder = self.copy("llama-gqa")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "perceiver"}))
        message = self.fails("info", folder, message="perceiver")
        for family in ("gpt2", "llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3"):
            self.assertIn(family, message)

    def test_missing_tensor_is_named(self):
        folder = self.copy("llama-gqa")
        tensors = read_safetensors(folder / "model.safetensors")
        del tensors["model.layers.1.mlp.up_proj.weight"]
        write_safetensors(folder / "model.safetensors", tensors)
        self.fails("info", folder, message="model.layers.1.mlp.up_proj.weight")

    def test_shape_that_does_not_fit_the_config(self):
        folder = self.copy("llama-gqa")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 225}))
        self.fails("info", folder, message="225")

    def test_missing_tokenizer(self):
        folder = self.copy("llama-gqa")
        (folder / "tokenizer.json").unlink()
        self.fails("run", folder, "-p", "a", message="tokenizer")
        self.succeeds("logits", folder, "--ids", "1,2", "-o", self.folder / "l.safetensors")

    def test_missing_config(self):
        folder = self.copy("llama-gqa")
        (folder / "config.json").unlink()
        self.fails("info", folder, message="config.json")

    def test_token_ids(self):
        out = self.folder / "l.safetensors"
        self.fails("logits", TINY / "gpt2", "--ids", "1,512", "-o", out, message="512")
        self.fails("logits", TINY / "gpt2", "--ids", "1,-1", "-o", out, message="-1")
        self.fails("logits", TINY / "gpt2", "--ids", "1,x", "-o", out, message="'x'")
        self.assertFalse(out.exists())

    def test_prompt_longer_than_the_context(self):
        self.fails("run", TINY / "gpt2", "-p", "word " * 500, message="-c")
        self.fails("run", TINY / "gpt2", "-c", "100000", "-p", "a", message="context|positions")

    def test_empty_prompt(self):
        self.fails("run", TINY / "gpt2", "-p", "", message="prompt")

    def test_no_chat_template(self):
        self.fails("run", TINY / "gpt2", "-p", "a", "--chat", message="chat template")

    def test_unwritable_outputs(self):
        missing = self.folder / "missing" / "x.weft"
        self.fails("compile", TINY / "gpt2", "-o", missing, message="missing")
        self.fails("compile", TINY / "gpt2", "-o", self.folder, message=re.escape(str(self.folder)))
        self.fails("logits", TINY / "gpt2", "--ids", "1", "-o", "/dev/full", message="/dev/full.*space")

    def test_full_standard_output(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([WEFT, "dump", TINY / "gpt2"], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write", result.stderr)

    def test_no_space_leaves_nothing_behind(self):
        # A file size limit stands for the full disk: the write fails part way.
        script = f'trap "" XFSZ; ulimit -f 200; exec "{WEFT}" compile {TINY / "gemma3"} -o {self.folder / "m.weft"}'
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("m.weft", result.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_damaged_plans(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-o", plan)
        data = plan.read_bytes()
        for size in (0, 7, 31, 100, 5000, len(data) // 2, len(data) - 1):
            plan.write_bytes(data[:size])
            self.fails("run", plan, "-p", "a", message="m.weft")
        changed = bytearray(data)
        changed[4200] ^= 1
        plan.write_bytes(changed)
        self.fails("run", plan, "-p", "a", message="m.weft")

    def test_unknown_names(self):
        self.fails("dump", TINY / "gpt2", "--target", "z80", message="x86-64-v3")
        self.fails("dump", TINY / "gpt2", "--disable-pass", "schedule", message="schedule")
        self.fails("dump", TINY / "gpt2", "--disable-pass", "nothing", message="nothing")
        self.fails("dump", TINY / "gpt2", "--weight-format", "wte", message="wte")
        self.fails("dump", TINY / "gpt2", "--stage", "asm", "--kernel", "nothing", message="matmul")


class Interruption(unittest.TestCase):
    def test_ctrl_c_prints_what_is_pending_and_exits_130(self):
        process = subprocess.Popen([WEFT, "run", "smollm2-135m-instruct-q4_1", "-p", "Once upon a time", "-n", "-1", "--temp", "0", "--ignore-eos"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        first = process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(len(first), 20)
        self.assertTrue(rest.endswith("\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
