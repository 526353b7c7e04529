#!/usr/bin/env python3
"""Text and tokens at their edges, through every entry of the command, weft-run and the C interface: what comes out is what
docs/tokenizers.md says. Usage: edges_test.py path/to/weft path/to/libweft-runtime.so [unittest arguments]

Runs from the source folder, on the models of tests/oracle/tiny."""
import json, os, shutil, struct, subprocess, sys, unittest

LIBRARY = os.path.abspath(sys.argv.pop(2))
import c_library
from cli_test import ENVIRONMENT, TINY, WEFT, CommandTest, read_safetensors, write_safetensors

BROKEN = [b"a\xffz", b"\xe2\x82", b"\xc0\x80\xed\xa0\x80x", b"ok\xf0\x9f\x98", b"\xf4\x90\x80\x80\x80", b"caf\xe9 au lait"]
# A byte order mark, a NUL, both ends of a line, and the ends of the range of characters.
ODD = ["\ufeffIt was", "a\0b\0", "\0", "a\r\nb\r\n", "\r", "\x7f\x1b[31m", "\u2028\u2029", "\U0010ffff\ufffe", "\u200bzero\u200d", "\u202eabc"]
GREEDY = ["-n", "3", "--temp", "0", "--ignore-eos"]


def run(*command, stdin=b"", **options):
    command = [word if isinstance(word, bytes) else str(word) for word in command]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, **{"env": ENVIRONMENT, **options})


class Edges(CommandTest):
    def ids(self, *arguments, stdin=b""):
        """Of the prompt, as a run saw it."""
        result = run(WEFT, "run", *arguments, *GREEDY, "--json", stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout.decode())["prompt_ids"]

    def tokens(self, model, text):
        result = run(WEFT, "tokenize", model, "--ids", stdin=text)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def text(self, model, ids, *options):
        result = run(WEFT, "tokenize", model, "--decode", *options, stdin=json.dumps(ids).encode())
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def with_template(self, name):
        folder = self.copy(name)
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"chat_template": "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[answer]"}))
        return folder

    def refused(self, *command, message, code=1, stdin=b""):
        result = run(*command, stdin=stdin)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertRegex(result.stderr.decode(), message)


class Text(Edges):
    def test_bytes_that_are_no_utf8_are_read_as_u_fffd_by_every_entry(self):
        """As Python's decoder replaces them, which like Unicode's chapter 3.9 takes the longest beginning of a character as one."""
        model = self.with_template("gpt2")
        plan, file = self.folder / "m.weft", self.folder / "prompt"
        self.succeeds("compile", model, "-o", plan)
        for text in BROKEN:
            with self.subTest(text=text):
                repaired = text.decode("utf-8", errors="replace").encode()
                expected = self.tokens(model, repaired)
                self.assertEqual(self.text(model, expected), repaired)
                file.write_bytes(text)
                self.assertEqual(self.tokens(model, text), expected)
                for arguments, stdin in (([model, "-p", text], b""), ([plan, "-f", file], b""), ([plan], text), ([plan, "-p", text], b"")):
                    self.assertEqual(self.ids(*arguments, stdin=stdin), expected)
                in_chat = self.tokens(model, b"[system]" + repaired + b"[user]" + repaired + b"[answer]")
                for arguments, stdin in ((["-p", text], b""), (["-f", file], b""), ([], text)):
                    self.assertEqual(self.ids(plan, "--chat", "--system", text, *arguments, stdin=stdin), in_chat)
                outputs = [run(WEFT + "-run", plan, "-p", prompt, *GREEDY) for prompt in (text, repaired)]
                self.assertEqual((outputs[0].returncode, outputs[0].stdout), (0, outputs[1].stdout))
                chats = [run(WEFT + "-run", plan, "--chat", "-p", prompt, *GREEDY) for prompt in (text, repaired)]
                self.assertEqual((chats[0].returncode, chats[0].stdout), (0, chats[1].stdout))
                self.assertEqual(library_tokens(plan, text), expected)

    def test_nothing_is_taken_from_a_text(self):
        """Neither NUL, byte order mark nor carriage returns end, begin or change it."""
        model = self.with_template("llama-gqa")
        plan, file = self.folder / "m.weft", self.folder / "prompt"
        self.succeeds("compile", model, "-o", plan)
        for text in ODD:
            with self.subTest(text=text):
                data = text.encode()
                expected = self.tokens(model, data)
                self.assertEqual(self.text(model, expected), data)
                file.write_bytes(data)
                self.assertEqual(self.ids(plan, "-f", file), expected)
                self.assertEqual(self.ids(plan, stdin=data), expected)
                self.assertEqual(library_tokens(plan, data), expected)
                in_chat = self.ids(plan, "--chat", "-f", file)
                self.assertEqual(self.text(model, in_chat), b"[user]" + data + b"[answer]")
                if b"\0" not in data:  # no argument of a program can hold it
                    self.assertEqual(self.ids(plan, "-p", data), expected)
                    continue
                # Nor a message of the C interface; that is said, and nothing cut off.
                self.refused(WEFT + "-run", plan, "--chat", "-f", file, message="NUL byte")

    def test_prompts_without_a_token(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-o", plan)
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        for arguments in (["-p", ""], ["-f", empty], []):
            self.refused(WEFT, "run", TINY / "gpt2", *arguments, message="the prompt holds no token")
            self.refused(WEFT + "-run", plan, *arguments, message="the prompt holds no token")
        self.refused(WEFT, "logits", plan, "--ids", "", "--digest", message="--ids holds no token id")

    def test_prompts_of_a_million_characters(self):
        """They are tokenised, and only then found to be too long: no entry may take long over them (here, a minute)."""
        model = self.with_template("llama-gqa")
        plan, file = self.folder / "m.weft", self.folder / "prompt"
        self.succeeds("compile", model, "-o", plan)
        for piece in ("a", " ", "It was a day like any other. ", "\U0001f600", "8", "\n"):
            text = (piece * (1_000_000 // len(piece))).encode()
            file.write_bytes(text)
            for command in ([WEFT, "run", plan], [WEFT, "run", plan, "--chat"], [WEFT + "-run", plan]):
                result = subprocess.run([*map(str, command), "-f", str(file)], capture_output=True, timeout=60, env=ENVIRONMENT)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertRegex(result.stderr.decode(), "tokens after position 0 do not fit the context of 256 tokens")
            ids = self.tokens(model, text)
            self.assertEqual(self.text(model, ids), text)


def library_tokens(plan, text):
    """By the C interface."""
    with c_library.Plan(LIBRARY, plan) as opened:
        return opened.tokenize(text, flags=3)


def zero(folder, keep=lambda name: False):
    """Makes all logits of the model equal: of equal ones greedy sampling takes id 0."""
    tensors = read_safetensors(folder / "model.safetensors")
    write_safetensors(folder / "model.safetensors", {name: (entry, values if keep(name) else bytes(len(values))) for name, (entry, values) in tensors.items()})


class Tokens(Edges):
    def test_generation_that_ends_within_a_character(self):
        """The model gives one byte over and over. As it comes, in JSON and from weft-run, text is that of Python's decoder: valid UTF-8."""
        folder = self.copy("llama-gqa")
        zero(folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary.pop("<s>", None)
        tokenizer["added_tokens"] = [token for token in tokenizer["added_tokens"] if token["id"] != 0]
        # Bytes from 0xA1 on but 0xAD are themselves in the byte-level alphabet; 0x80 is U+0122 there.
        for byte, letter in ((0xC3, "\u00c3"), (0xE2, "\u00e2"), (0xF0, "\u00f0"), (0xFF, "\u00ff"), (0x80, "\u0122")):
            changed = dict(vocabulary)
            changed[letter] = 0
            tokenizer["model"]["vocab"] = changed
            tokenizer["model"]["merges"] = []
            for token in [token for token, id in changed.items() if len(token) > 1]:
                del changed[token]
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
            plan = self.folder / "m.weft"
            self.succeeds("compile", folder, "-o", plan)
            for count in (1, 2, 3, 4):
                with self.subTest(byte=byte, count=count):
                    expected = (bytes([byte]) * count).decode("utf-8", errors="replace")
                    arguments = ["-p", "It", "-n", count, "--temp", "0", "--ignore-eos"]
                    whole = run(WEFT, "run", folder, *arguments, "--json")
                    self.assertEqual(whole.returncode, 0, whole.stderr)
                    result = json.loads(whole.stdout.decode())  # strict: bytes that are no UTF-8 would end it
                    self.assertEqual((result["ids"], result["text"]), ([0] * count, expected))
                    for command in ([WEFT, "run", folder], [WEFT, "run", plan], [WEFT + "-run", plan]):
                        self.assertEqual(run(*command, *arguments).stdout.decode(), expected + "\n")

    def test_ids_out_of_range(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "gpt2", "-o", plan)
        for model in (TINY / "gpt2", plan):
            for id in ("-1", "512", "2147483647", "-2147483648"):
                self.refused(WEFT, "logits", model, "--ids", f"3,{id}", "--digest", message=rf"token id {id} \(at position 1\) is not in the model's vocabulary of 512")
                self.refused(WEFT, "tokenize", model, "--decode", stdin=id.encode(), message=f"id {id} is no token")
            for id in ("2147483648", "-2147483649", "1e3", "0x1", "1.5", "nan", "\u0661"):
                self.refused(WEFT, "logits", model, "--ids", id, "--digest", message="is not a token id")

    def test_a_tokenizer_with_more_tokens_than_the_embedding(self):
        folder = self.copy("llama-gqa")
        tensors = read_safetensors(folder / "model.safetensors")
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            entry, values = tensors[name]
            row = len(values) // 512
            tensors[name] = ({**entry, "shape": [300, entry["shape"][1]]}, values[:300 * row])
        write_safetensors(folder / "model.safetensors", tensors)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 300}))
        vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
        beyond = next(token for token, id in vocabulary.items() if id >= 300 and token.isalpha() and token.isascii())
        known = next(token for token, id in vocabulary.items() if 2 <= id < 300 and token.isalpha() and token.isascii())
        plan = self.folder / "m.weft"
        self.succeeds("compile", folder, "-o", plan)
        for command in ([WEFT, "run", folder], [WEFT, "run", plan], [WEFT + "-run", plan]):
            self.assertEqual(run(*command, "-p", known, *GREEDY).returncode, 0)
            self.refused(*command, "-p", beyond, message=f"token id {vocabulary[beyond]} .* is not in the model's vocabulary of 300")

    def test_a_padded_vocabulary(self):
        """Rows beyond the tokenizer, as Qwen and Phi have them: other logits stay as they are, and such an id stands for no text."""
        folder = self.copy("llama-gqa")
        tensors = read_safetensors(folder / "model.safetensors")
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            entry, values = tensors[name]
            tensors[name] = ({**entry, "shape": [576, entry["shape"][1]]}, values + bytes(64 * len(values) // 512))
        write_safetensors(folder / "model.safetensors", tensors)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 576}))
        outs = [self.folder / "a", self.folder / "b"]
        for weights in ("f32", "q8_0"):
            for source, out in zip((TINY / "llama-gqa", folder), outs):
                self.succeeds("logits", source, "--ids", "3,5,7,11", "--weights", weights, "-o", out)
            plain, padded = (read_safetensors(out)["logits"][1] for out in outs)
            for row in range(4):
                self.assertEqual(padded[row * 576 * 4 : row * 576 * 4 + 512 * 4], plain[row * 512 * 4 : (row + 1) * 512 * 4])
        zero(folder)
        result = json.loads(run(WEFT, "run", folder, "-p", "It", "-n", 200, "--temp", 1, "--top-k", 0, "--top-p", 1, "--min-p", 0, "--seed", 1, "--ignore-eos", "--json").stdout)
        self.assertTrue(any(id >= 512 for id in result["ids"]))
        self.assertEqual(result["text"].encode(), self.text(TINY / "llama-gqa", [id for id in result["ids"] if id < 512], "--no-special"))
        # Such an id is one of the model's: it may also be given.
        self.succeeds("logits", folder, "--ids", "3,575", "--digest")
        self.refused(WEFT, "logits", folder, "--ids", "3,576", "--digest", message="vocabulary of 576")

    def test_the_end_of_the_context(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "llama-gqa", "-c", 32, "-o", plan)
        text = "\u0001"  # a byte without a merge
        self.assertEqual(len(self.tokens(plan, text.encode() * 31)), 31)
        for length, generated in ((30, 3), (31, 2), (32, 1)):
            result = json.loads(run(WEFT, "run", plan, "-p", text * length, "-n", -1, "--temp", 0, "--ignore-eos", "--json").stdout)
            self.assertEqual((len(result["ids"]), result["stop_reason"]), (generated, "end of the context (-c)"))
            self.assertEqual(run(WEFT + "-run", plan, "-p", text * length, "-n", -1, "--temp", 0, "--ignore-eos").returncode, 0)
        for command in ([WEFT, "run", plan], [WEFT + "-run", plan]):
            self.refused(*command, "-p", text * 33, message="33 tokens after position 0 do not fit the context of 32 tokens .compile it for a larger one with -c")
            self.refused(*command, "-p", "a", "--context-shift", code=2, message="context-shift")  # nothing is dropped unseen


class Numbers(Edges):
    def test_sampling_options_at_their_edges(self):
        plan = self.folder / "m.weft"
        self.succeeds("compile", TINY / "llama-gqa", "-o", plan)
        bad = {"--temp": (["-1", "nan", "inf", "-1e-30"], "--temp: must be 0 or more, and finite"), "--top-k": (["-1"], "--top-k: Value -1 not in range 0"),
               "--top-p": (["0", "nan", "-0.5", "1.01"], "--top-p: must be above 0 and at most 1"), "--min-p": (["-0.1", "nan", "2"], "--min-p: must be from 0 to 1")}
        only_weft = {"--repeat-penalty": (["0", "nan", "-1", "inf"], "--repeat-penalty: must be above 0, and finite"), "--repeat-last-n": (["-1"], "--repeat-last-n: Value -1 not")}
        unreadable = {"--temp": ["x", ""], "--top-k": ["1e10", "99999999999", "1.5"], "--seed": ["-1", "18446744073709551616", "x"], "--top-p": ["many"]}
        good = {"--temp": ["0", "-0", "1e-30", "1e30", "1e-45", "3e38"], "--top-k": ["0", "1", "2147483647"], "--top-p": ["1", "1e-30", "1e-45"], "--min-p": ["0", "1", "1e-30"],
                "--seed": ["0", "18446744073709551615"]}
        for command, more in (([WEFT, "run", plan], only_weft), ([WEFT + "-run", plan], {})):
            command = [*command, "-p", "It was", "-n", "4", "--ignore-eos"]
            for option, (values, message) in {**bad, **more}.items():
                for value in values:
                    self.refused(*command, f"{option}={value}", code=2, message=message)
            for option, values in unreadable.items():
                for value in values:
                    self.refused(*command, f"{option}={value}", code=2, message=option)
            for option, values in good.items():
                for value in values:
                    outputs = {run(*command, "--seed=5", f"{option}={value}").stdout if option != "--seed" else run(*command, f"{option}={value}").stdout for _ in range(2)}
                    self.assertEqual(len(outputs), 1, (option, value))
                    self.assertGreater(len(outputs.pop()), 1, (option, value))

    def test_advice_of_a_model_that_no_option_can_be(self):
        for field, value in (("temperature", -1), ("top_k", -5), ("top_p", 7), ("top_p", 0), ("min_p", 1e300), ("repetition_penalty", 0), ("temperature", "hot")):
            folder = self.copy("llama-gqa")
            (folder / "generation_config.json").write_text(json.dumps({field: value}))
            self.refused(WEFT, "run", folder, "-p", "It", message=field.replace("repetition", "repeat").replace("_", ".") + "|" + field)
            shutil.rmtree(folder)

    def test_broken_weights_end_generation_and_evaluation(self):
        folder = self.copy("llama-gqa")
        tensors = read_safetensors(folder / "model.safetensors")
        entry, values = tensors["model.norm.weight"]
        tensors["model.norm.weight"] = (entry, struct.pack("<f", float("nan")) + values[4:])
        write_safetensors(folder / "model.safetensors", tensors)
        plan, text = self.folder / "m.weft", self.folder / "t.txt"
        self.succeeds("compile", folder, "-o", plan)
        text.write_text("It was a day like any other. " * 5)
        for command in ([WEFT, "run", folder], [WEFT, "run", plan], [WEFT + "-run", plan]):
            for temperature in ("0", "0.8"):
                result = run(*command, "-p", "It was", "--temp", temperature)
                self.assertEqual((result.returncode, result.stdout.strip()), (1, b""))
                self.assertIn(b"the logit of token 0 is NaN: broken weights?", result.stderr)
        self.refused(WEFT, "eval", folder, "--text", text, "--weights", "f32", message="the logits after token 1 of window 1 are NaN")
        self.refused(WEFT, "eval", plan, "--text", text, "--against", TINY / "llama-gqa", message="are NaN")
        self.succeeds("logits", folder, "--ids", "1,2", "-o", self.folder / "l")  # which shows them
        _, logits = read_safetensors(self.folder / "l")["logits"]
        self.assertTrue(all(value != value for value in struct.unpack(f"<{len(logits) // 4}f", logits)))

    def test_weights_that_q8_0_cannot_hold(self):
        for value, what in ((float("nan"), "is NaN"), (float("inf"), "is infinite"), (1e9, "is 1e.09, too large for q8_0")):
            folder = self.copy("llama-gqa")
            tensors = read_safetensors(folder / "model.safetensors")
            name = "model.layers.1.mlp.down_proj.weight"
            entry, values = tensors[name]
            at = (3 * entry["shape"][1] + 40) * 4
            tensors[name] = (entry, values[:at] + struct.pack("<f", value) + values[at + 4:])
            write_safetensors(folder / "model.safetensors", tensors)
            for command in (["compile", folder, "-o", self.folder / "m.weft"], ["run", folder, "-p", "It"], ["logits", folder, "--ids", "1", "--digest"]):
                self.refused(WEFT, *command, "--weights", "q8_0", message=rf"\Aweft: {folder}: packing '[^']*': tensor '{name}': the value at \[3, 40\] {what}.*--weight-format '{name}=f32'")
                self.assertFalse((self.folder / "m.weft").exists())
            self.succeeds("compile", folder, "--weights", "q8_0", "--weight-format", f"{name}=f32", "-o", self.folder / "m.weft")
            self.assertIn(f'format="f32", why="--weight-format {name}"', self.succeeds("dump", self.folder / "m.weft"))
            (self.folder / "m.weft").unlink()
            shutil.rmtree(folder)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
