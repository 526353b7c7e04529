#!/usr/bin/env python3
"""strange_plan_test.py WEFT: models and plans that are whole and keep the rules of their formats, and say what no compiler says. Commands
that look at them end with an answer or an error, within seconds and some hundred megabytes."""
import json, os, pathlib, re, resource, shutil, struct, subprocess, sys, tempfile, threading, unittest

import plan_reader

WEFT = ""
TINY = pathlib.Path("tests/oracle/tiny/llama-gqa")
PROGRAM, METADATA, IR = (1, 0), (2, 0), (3, 0)
SECONDS = 10  # of CPU; each of the large ones took more before its mend
BYTES = 1 << 30  # of memory; the libraries take 60 MB


def write_plan(path, sections):
    """As docs/plan-format.md has it."""
    end = 32 + 32 * len(sections)
    table, places = b"", []
    for (kind, index), content in sections.items():
        offset = (end + 4095) // 4096 * 4096
        table += struct.pack("<IIQQQ", kind, index, offset, len(content), plan_reader.checksum_of(bytes(content)))
        places.append((offset, content))
        end = offset + len(content)
    header = b"WEFTPLAN" + struct.pack("<IIQ", plan_reader.FORMAT_VERSION, len(sections), end)
    with open(path, "wb") as file:
        file.write(header + struct.pack("<Q", plan_reader.checksum_of(header + table)) + table)
        for offset, content in places:
            file.seek(offset)
            file.write(content)


def module(tensors, lines, returned):
    """IR text whose values are numbered by their line."""
    declared = [f'tensor "{name}" : {kind} {{file=0, offset=0}}' for name, kind in tensors]
    numbered = [f"%{i} = {line}" for i, line in enumerate(lines)]
    return "\n".join(['module "m" {', *declared, *numbered, "return " + ", ".join(f"%{i}" for i in returned), "}"]).encode()


def with_lines(text, tensors, lines):
    """The module with these tensors and, before it returns, these lines."""
    old = text.decode().split("\n")
    first, end = (next(i for i, line in enumerate(old) if line.strip().startswith(begin)) for begin in ("%", "return"))
    return "\n".join([*old[:first], *tensors, *old[first:end], *lines, *old[end:]]).encode()


TOKENS = ['input {name="tokens"} : i32[T]', 'weight {tensor="E"} : f32[64,16]', "embed %0, %1 : f32[T,16]"]


class StrangePlan(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.path = cls.folder / "strange.weft"
        for name, options in {"plain": [], "recorded": ["--record-stages"]}.items():
            plan = cls.folder / f"{name}.weft"
            subprocess.run([WEFT, "compile", TINY, "--target", "x86-64-v3", "-o", plan, *options], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def change(self, plan, program=None, metadata=None, ir=None):
        """Writes the plan anew with what the functions change of it."""
        sections = dict(plan_reader.read_table((self.folder / f"{plan}.weft").read_bytes()))
        for key, mend in ((PROGRAM, program), (METADATA, metadata)):
            if mend:
                value = json.loads(sections[key])
                mend(value)
                sections[key] = json.dumps(value).encode()
        if ir:
            sections[IR] = ir(sections[IR])
        write_plan(self.path, sections)

    def run_weft(self, *arguments):
        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([WEFT, *map(str, arguments)], stdout=output, stderr=errors, stdin=subprocess.DEVNULL, preexec_fn=limit,
                                       env={**os.environ, "WEFT_CACHE_SIZE": "0"})
            timer = threading.Timer(120, process.kill)  # of what waits, which takes no CPU
            timer.start()
            _, status, usage = os.wait4(process.pid, 0)
            timer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0), errors.seek(0)
            message = errors.read().decode(errors="replace")
            self.assertIn(process.returncode, (0, 1), f"{arguments}: {message}")
            self.assertLess(usage.ru_maxrss << 10, BYTES, arguments)
            return process.returncode, output.read(), message

    def shown(self, *arguments):
        code, output, message = self.run_weft(*arguments)
        self.assertEqual(code, 0, message)
        return output

    def refused(self, *arguments, message):
        code, output, said = self.run_weft(*arguments)
        self.assertEqual(code, 1)
        self.assertEqual(output, b"")
        self.assertIn(message, said)

    def why_recorded(self, text, options=()):
        """Of a plan whose graph before all passes is `text`, which `weft why` sends through them."""
        self.change("recorded", metadata=lambda m: m["options"].extend({"name": n, "value": v} for n, v in options), ir=lambda _: text)
        return "why", self.path, "lm_head.weight", "--no-measure"

    def test_a_token_that_the_model_lacks_comes_first_in_a_block(self):
        """Its logits were looked up beyond their end."""
        folder = self.folder / "model"
        shutil.copytree(TINY, folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary["\u2603"] = 66000
        known = next(token for token in vocabulary if len(token) == 1 and token.isalpha())
        tokenizer["added_tokens"].append({"id": 66000, "content": "\u2603", "special": False, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False})
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        plan = self.folder / "lacks.weft"
        subprocess.run([WEFT, "compile", folder, "-o", plan], check=True, stdout=subprocess.DEVNULL)
        text = self.folder / "text"
        met = 0
        for before in range(14, 18):
            text.write_text(known + (" " + known) * before + "\u2603" + known)
            for command in (["eval", folder, "--text", text, "--no-reference"], ["eval", folder, "--text", text], ["eval", plan, "--text", text]):
                self.refused(*command, message="token id 66000 (at position ")
            ids = subprocess.run([WEFT, "tokenize", "--ids", folder], input=text.read_bytes(), check=True, capture_output=True).stdout
            met += json.loads(ids).index(66000) % 16 == 0
        self.assertGreater(met, 0)
        text.write_text(known * 40 + " " + known)
        self.refused("eval", folder, "--text", text, "-c", "1", message="a context of 1 position has no next token to score")

    def test_a_step_that_is_no_matmul_multiplies(self):
        def mend(program):
            next(step for step in program["steps"] if step["kind"] == "rms_norm")["macs_per_row"] = 1

        self.change("plain", program=mend)
        self.assertIn(b"rms_norm", self.shown("why", self.path, "model.layers.0.input_layernorm.weight", "-t", "1"))

    def test_numbers_of_steps_add_up_to_more_than_64_bits(self):
        def mend(program):
            for step in program["steps"]:
                step["macs_per_row"] = step["weight_bytes"] = 2**46

        self.change("plain", program=mend)
        rows = json.loads(self.shown("profile", self.path, "-p", "4", "-n", "2", "-t", "1", "--json"))["phases"]
        self.assertTrue(all(row["macs"] >= 0 for phase in rows for row in phase["rows"]))

    def test_the_target_is_a_wish(self):
        self.change("plain", metadata=lambda m: m["targets"][0].update(name="host"))
        for options in (["--no-measure"], ["-t", "1"]):
            self.refused("why", self.path, "lm_head.weight", *options, message="names the target host")

    def test_the_program_is_in_no_graph(self):
        """What is returned has no place in the arena."""
        self.change("plain", ir=lambda text: text.replace(b"return ", b"return " + re.search(rb"(%\d+) = weight", text)[1] + b", "))
        self.refused("why", self.path, "lm_head.weight", "--no-measure", message="a program returns logits and their argmax")

    def test_names_with_escapes(self):
        def mend(program):
            for step in program["steps"]:
                step["name"] = "\x1b[31m" + step["name"]

        self.change("plain", program=mend, ir=lambda text: text.replace(b'"lm_head', b'"\\x1b[31mlm_head'))
        for command in (["why", self.path, "*", "--no-measure"], ["dump", self.path, "--stage", "program"], ["dump", self.path, "--memory"],
                        ["dump", self.path, "--stage", "plan-memory"], ["dump", self.path, "--stage", "plan-memory", "--format", "dot"]):
            output = self.shown(*command)
            self.assertNotIn(b"\x1b", output)
            self.assertIn(b"[31m", output)

    def test_weights_stacked_and_used_by_thousands(self):
        rows = [f'weight {{tensor="W", rows=[{i},{i + 1}]}} : f32[1,16]' for i in range(4000)]
        stack = "concat " + ", ".join(f"%{3 + i}" for i in range(4000)) + " : f32[4000,16]"
        uses = [f"matmul %2, %{3 + 4000} : f32[T,4000]"] * 1000
        text = module([("E", "f32[64,16]"), ("W", "f32[4000,16]")], [*TOKENS, *rows, stack, *uses], [4004])
        self.refused(*self.why_recorded(text, [("disable-pass", "canonicalise")]), message="stacks 4000 weights")
        self.refused("dump", self.path, "--stage", "import", "--format", "dot", message="stacks 4000 weights")

    def test_long_patterns_and_names(self):
        def named(name):
            return module([(name, "f32[64,16]")], [TOKENS[0], f'weight {{tensor="{name}"}} : f32[64,16]', TOKENS[2]], [2])

        self.refused(*self.why_recorded(named("a" * 160_000)), message="the name of tensor 0 has 160000 bytes; the most is 2048")
        text = named("a" * 2000)
        pattern = "*" + "a" * 80_000 + "b=f32"
        self.refused(*self.why_recorded(text, [("weight-format", pattern)]), message="the patterns of formats for weights have more than 2048 bytes")

    def test_weights_packed_in_thousands_of_orders(self):
        """Each pack names all of its weights for each of them."""
        count, long = 4000, "n" * 1000
        weights = [f'%{9000 + i} = weight {{tensor="W", rows=[{i},{i + 1}], format="f32", why=""}} : f32[1,1] @ "{long}{i}"' for i in range(16)]
        packs = [f"%{9100 + i} = pack " + ", ".join(f"%{9000 + (i * 7 + j * (1 + i % 2 * 2)) % 16}" for j in range(16)) +
                 f' {{format="f32", layout="rows", space="weights", address={2**30 + 64 * i}, bytes=64}} : f32[16,1]' for i in range(count)]

        self.change("plain", ir=lambda text: with_lines(text, ['tensor "W" : f32[16,1] {file=0, offset=0}'], [*weights, *packs]))
        listed = json.loads(self.shown("why", self.path, "W", "--no-measure", "--json"))["weights"]
        self.assertEqual([(len(weight["packed"]), weight["packs_not_listed"]) for weight in listed], [(4, count - 4)] * 16)
        self.assertIn(b"and in 3996 more packs", self.shown("why", self.path, "W", "--no-measure"))

    def test_all_of_thousands_of_weights(self):
        """What passes said of each was sought among all that they said."""
        asked, matmuls = 100_000, 10_000
        lines = list(TOKENS)
        for i in range(matmuls):
            lines += [f'weight {{tensor="W{i}"}} : f32[16,16]', f"matmul %2, %{len(lines)} : f32[T,16]"]
        command = self.why_recorded(module([("E", "f32[64,16]"), *[(f"W{i}", "f32[16,16]") for i in range(matmuls)]], lines, range(4, len(lines), 2)),
                                    [("disable-pass", "canonicalise")])
        sections = dict(plan_reader.read_table(self.path.read_bytes()))
        last = max(key for key in sections if key[0] == IR[0])
        sections[last] = with_lines(sections[last], ['tensor "W" : f32[16,16] {file=0, offset=0}'],
                                    [f'%{900_000 + i} = weight {{tensor="W", rows=[0,1], format="f32", why=""}} : f32[1,16]' for i in range(asked)])
        write_plan(self.path, sections)
        self.assertEqual(self.shown(*command[:2], "W", "--no-measure").count(b"used by"), asked)

    def test_steps_that_read_all_of_the_arena(self):
        def mend(program):
            size, last = program["arena_bytes"], program["steps"][-1]

            def step(operands):
                return {**last, "kind": "add", "extent": "one", "units": 1, "unit_rows": 1, "grain": 1, "weight_bytes": 0, "macs_per_row": 0, "operands": operands}

            writes = [[{"space": "arena", "offset": 240 * i + 4 * j, "bytes": 4, "written": True, "stride": 0} for j in range(60)] for i in range(1000)]
            reads = [[{"space": "arena", "offset": 0, "bytes": size, "written": False, "stride": 0}] * 60] * 1000
            self.assertGreater(size, 240_000)
            program["steps"] += [step(operands) for operands in writes + reads]

        self.change("plain", program=mend)
        shown = json.loads(self.shown("dump", self.path, "--memory", "--format", "json"))["arena"]
        last = max(value["last_step"] or 0 for value in shown)
        self.assertGreaterEqual(sum(value["last_step"] in (last, None) for value in shown), 60_000)  # none: the caller's, who reads the logits

    def test_thousands_of_values_alive_at_once(self):
        def place(i):
            return f'partition="tokens", units=1, grain=1, space="arena", address={4096 + 32768 * i}, stride=64, bytes=32768'

        lines = ['input {name="tokens", space="arena", address=0, bytes=2048} : i32[T]', 'weight {tensor="E", format="f32", why=""} : f32[64,16]',
                 'pack %1 {format="f32", layout="panels16", space="weights", address=0, bytes=4096} : f32[64,16]{panels16}',
                 f"embed %0, %2 {{{place(0)}}} : f32[T,16]"]
        lines += [f"scale %3 {{value={i}.5, {place(i + 1)}}} : f32[T,16]" for i in range(131_000)]
        self.change("plain", ir=lambda _: module([("E", "f32[64,16]")], lines, range(4, len(lines))))
        self.refused("why", self.path, "E", "--no-measure", message="a program needs the inputs tokens and positions")

    def test_a_long_chain_before_thousands_of_attentions(self):
        chain = [f"scale %{2 + i} {{value=2}} : f32[T,16]" for i in range(40_000)]
        lines = [*TOKENS, *chain]
        x, outputs = len(lines) - 1, []
        for layer in range(4000):
            lines.append(f"kv_append %{x}, %{x} {{layer={layer}, heads=1}} : f32[S,2,1,16]")
            lines.append(f"attention %{x}, %{len(lines) - 1} {{heads=1, scale=1}} : f32[T,16]")
            outputs.append(len(lines) - 1)
        self.shown(*self.why_recorded(module([("E", "f32[64,16]")], lines, outputs), [("ctx-size", "64")]))

    def test_thousands_of_slices_of_slices(self):
        slices = [f"slice %{2 + i} {{begin=0, end=16}} : f32[T,16]" for i in range(30_000)]
        uses = [f"scale %{30_002} {{value={i}.5}} : f32[T,16]" for i in range(30_000)]
        self.change("recorded", ir=lambda _: module([("E", "f32[64,16]")], [*TOKENS, *slices, *uses], [60_002]))
        self.shown("dump", self.path, "--stage", "import", "--format", "dot")

    def test_two_stages_that_share_lines_and_no_order(self):
        scales = [f"scale %2 {{value={i}.5}} : f32[T,16]" for i in range(20_000)]
        one, other = (module([("E", "f32[64,16]")], [*TOKENS, *lines], [2]) for lines in (scales, [scales[i * 7919 % 20_000] for i in range(20_000)]))
        self.change("recorded", ir=lambda _: one)
        sections = dict(plan_reader.read_table(self.path.read_bytes()))
        sections[3, 1] = other
        write_plan(self.path, sections)
        stages = json.loads(sections[METADATA])["stages"]
        self.assertIn(b"+  %", self.shown("dump", self.path, "--stage", stages[1], "--diff", stages[0]))

    def test_profiles(self):
        path = self.folder / "profile.json"
        path.write_text('{"phases": [], "x": ' + "[" * 200_000 + "]" * 200_000 + "}")
        self.refused("profile", "--compare", path, path, message="nests deeper than 64 levels")
        path.write_text('{"phases": [], ' + ", ".join(f'"{i}": 0' for i in range(300_000)) + "}")
        self.refused("profile", "--compare", path, path, message="'model' is missing")
        row = '{"op": "%d", "dims": "", "format": "", "total_ns": 1, "weight_bytes": 0}'
        path.write_text('{"phases": [{"phase": "decode", "tokens": 1, "rows": [' + ", ".join(row % i for i in range(20_000)) + "]}]}")
        self.refused("profile", "--compare", path, path, message="more than 1024 kinds of rows")
        path.write_text('{"phases": [{"phase": "decode", "tokens": 1, "rows": [' + ", ".join(row.replace("%d", f"{i}{'n' * 20_000}") for i in range(1000)) + "]}]}")
        self.refused("profile", "--compare", path, path, message="the most is 512")

    def test_pipes_and_devices_as_models(self):
        """A pipe was waited for."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for path in (pipe, pathlib.Path("/dev/zero")):
            for command in (["info", path], ["dump", path], ["why", path, "*"], ["logits", path, "--ids", "1", "--digest"], ["run", path, "-p", "a"],
                            ["tokenize", path], ["compile", path, "-o", self.folder / "none.weft"], ["profile", path], ["verify", path],
                            ["diff", path, path], ["profile", "--compare", path, path]):
                self.refused(*command, message=str(path))


if __name__ == "__main__":
    WEFT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=1)
