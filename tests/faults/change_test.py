#!/usr/bin/env python3
"""Models and plans that lose their end, are overwritten or replaced while they are in use. Usage: change_test.py path/to/weft path/to/shim
[unittest arguments]

The shim does it just before a system call, so that every run of a command meets it at another moment: while files are opened, mapped
and read, while threads start, and while tokens are written."""
import shutil, struct, unittest

from faults import GREEDY, WEFT, FaultTest

MOMENTS = "open,read,write,map,anon,thread,advise,close,stat,allocate,sync"
TRUNCATED = "truncated while it was in use"


class Changes(FaultTest):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"
        self.out.mkdir()
        self.plan = self.out / "m.weft"
        self.model = self.small_model()
        self.gguf = self.small_gguf("F32")
        # Of other values, and as valid.
        self.other = {}
        for path in (self.model / "model.safetensors", self.gguf):
            data = path.read_bytes()
            values = len(data) // 8 * 4  # of the second half, in reverse
            numbers = struct.unpack(f"<{values // 4}f", data[-values:])
            self.other[path] = data[:-values] + struct.pack(f"<{values // 4}f", *reversed(numbers))

    def change(self, command, victim, right, actions, stride, message, outputs=()):
        """Changes `victim` at each `stride`-th moment of `command`: it ends as ever, or with an error that tells of the file. The last
        moment comes too late to be noticed; some before it do not."""
        original = victim.read_bytes()
        replacement = victim.with_name(victim.name + ".new")

        def reset():
            victim.unlink(missing_ok=True)
            victim.write_bytes(original)
            if victim in self.other:
                replacement.write_bytes(self.other[victim])
            else:
                shutil.copy(victim, replacement)
            for path in outputs:
                path.unlink(missing_ok=True)
            shutil.rmtree(self.folder / "cache", ignore_errors=True)

        def whole():
            return [path.read_bytes() for path in outputs]

        result, lines = self.calls_of(command, MOMENTS, reset, least=65536)
        text, files = result.stdout, whole()
        seen = []
        for action, size in actions:
            for number in (*range(1 + stride // 2, len(lines), stride), len(lines)):
                result, now = self.strike(command, MOMENTS, reset, least=65536, at=number, victim=victim, action=action, size=size)
                with self.subTest(command=command[:2], action=action, size=size, at=lines[number - 1][1:]):
                    self.struck(now)
                    self.assertIn(result.returncode, (0, 1), result.stderr)
                    seen.append(result.returncode)
                    if result.returncode == 1:
                        self.assertRegex(result.stderr, rf"(?m)^weft(-run)?: .*{victim.name}")
                        self.assertRegex(result.stderr, message)
                        self.assertEqual([path for path in outputs if path.exists()], [])
                    elif right:
                        right(result, text)
                        self.assertEqual(whole(), files)
        self.assertEqual(set(seen), {0, 1}, command)
        reset()

    def sizes(self, path):
        size = path.stat().st_size
        return [("truncate", at) for at in (0, 4096, size // 2, size - 1)]

    def same(self, result, text):
        self.assertEqual(result.stdout, text)

    def test_models_that_are_compiled(self):
        # What was read by then, or that the file changed, or that it is no model any more where it was opened after that.
        message = f"{TRUNCATED}|changed or replaced|reach to byte|ends at byte|is empty|cannot read|truncated|bytes"
        for model, victim in ((self.model, self.model / "model.safetensors"), (self.gguf, self.gguf)):
            command = [WEFT, "compile", model, "-o", self.plan]
            self.change(command, victim, lambda result, text: None, self.sizes(victim)[1:], 15, message, [self.plan])
            self.change_values(command, victim)

    def change_values(self, command, victim, action="replace"):
        """Where the values change the plan is that of the old or of the new ones, and says so: what it was compiled from is what it holds."""
        self.change_to_other(command, victim, action, self.plan, 9 if action == "replace" else 24)

    def change_to_other(self, command, victim, action, output, stride):
        """Changes `victim` to other values at each `stride`-th moment: `output` is there by the old or by the new ones, or there is an error."""
        original = victim.read_bytes()
        wholes = []
        for data in (original, self.other[victim]):
            victim.write_bytes(data)
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            self.succeeds(*command[1:])
            wholes.append(output.read_bytes())
        self.assertNotEqual(*wholes)

        def reset():
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            output.unlink(missing_ok=True)
            victim.unlink()
            victim.write_bytes(original)
            victim.with_name(victim.name + ".new").write_bytes(self.other[victim])

        keeps = command[1] != "compile" and "--no-cache" not in command
        # Noise is no model any more, where it is opened after that.
        message = victim.name + (".*" if action == "scribble" else ": the file was changed or replaced while it was read")
        _, lines = self.calls_of(command, MOMENTS, reset, least=65536)
        self.assertEqual(output.read_bytes(), wholes[0])
        seen = set()
        for number in range(1, len(lines) + 1, stride):
            result, now = self.strike(command, MOMENTS, reset, least=65536, at=number, victim=victim, action=action)
            with self.subTest(command=command[:2], victim=victim.name, action=action, at=lines[number - 1][1:]):
                self.struck(now)
                self.assertNotEqual(victim.read_bytes(), original)
                self.assertIn(result.returncode, (0, 1), result.stderr)
                if result.returncode == 1:
                    self.assertRegex(result.stderr, "its files were changed while it was compiled" if "compiled" in result.stderr else message)
                    self.assertFalse(output.exists())
                    seen.add("refused")
                else:
                    self.assertIn(output.read_bytes(), wholes)
                    seen.add(("old", "new")[wholes.index(output.read_bytes())])
                # What is kept for either is that.
                for data, whole in zip((original, self.other[victim]), wholes) if keeps else ():
                    victim.write_bytes(data)
                    self.succeeds(*command[1:])
                    self.assertEqual(output.read_bytes(), whole)
        self.assertIn("refused", seen)
        self.assertTrue(seen & {"old", "new"} or action == "scribble", seen)
        victim.unlink()
        victim.write_bytes(original)

    def test_models_overwritten_in_place(self):
        """While they are compiled, computed with, and kept: the old values, the new ones or an error, and nothing else in the cache."""
        logits = self.out / "l"
        for model, victim in ((self.model, self.model / "model.safetensors"), (self.gguf, self.gguf)):
            for action in ("overwrite", "scribble"):
                self.change_values([WEFT, "compile", model, "-o", self.plan], victim, action)
                for options in ([], ["--no-cache"]):
                    self.change_to_other([WEFT, "logits", model, "--ids", "1,2,3", "-o", logits, *options], victim, action, logits, 40)

    def test_a_cached_plan_is_that_of_its_key(self):
        logits = self.out / "l"
        self.change_to_other([WEFT, "logits", self.model, "--ids", "1,2,3", "-o", logits], self.model / "model.safetensors", "replace", logits, 9)

    def test_texts_that_change_and_change_back(self):
        """Between any two looks at them: what is kept is what compiling the files of its key gives."""
        plans = self.folder / "cache" / "weft" / "plans"
        command = [WEFT, "run", self.model, *GREEDY]

        def kept():
            return {path.name: path.read_bytes() for path in plans.glob("*.weft")}

        def alone(text):
            self.put(victim, text)
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            texts.add(self.succeeds(*command[1:]))
            return kept()

        for name, other in (("generation_config.json", '{"eos_token_id": [1, 5]}'), ("chat_template.jinja", "{{ 1 }}"),
                            ("tokenizer_config.json", '{"chat_template": "{{ 2 }}"}'), ("config.json", None), ("tokenizer.json", None)):
            victim = self.model / name
            before = victim.read_text() if victim.exists() else None
            if other is None:
                other = before.replace("1e-05", "1e-06") if name == "config.json" else before.replace('"Ġthe"', '"Ġthy"').replace("Ġ the", "Ġ thy")
                other = other if other != before else before.replace("</s>", "</S>")
            texts, ends, kept_some = set(), set(), 0
            right = alone(other) | alone(before)
            self.assertEqual(len(right), 2)
            shutil.rmtree(self.folder / "cache")
            result, lines = self.shimmed(command, "open,look", paths=victim)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertGreater(len(lines), 1)
            for there in range(1, len(lines) + 1):
                for back in range(there + 1, len(lines) + 2):
                    self.put(victim, before)
                    self.put(victim.with_name(name + ".new"), other)
                    self.put(victim.with_name(name + ".old"), before)
                    shutil.rmtree(self.folder / "cache", ignore_errors=True)
                    result, now = self.shimmed(command, "open,look", paths=victim, victim=victim, action="replace", at=there, back=back)
                    with self.subTest(file=name, there=there, back=back):
                        self.struck(now)
                        is_back = len(now) >= back  # else the command ended before
                        self.assertEqual(victim.read_text() if victim.exists() else None, before if is_back else other)
                        self.injected["back"] += is_back
                        self.assertIn(result.returncode, (0, 1), result.stderr)
                        ends.add((result.returncode, is_back))
                        if result.returncode == 1:
                            self.assertRegex(result.stderr, f"its files were changed while it was compiled|{name}")
                        else:
                            self.assertIn(result.stdout, texts)
                        self.assertEqual(right | kept(), right)
                        kept_some += len(kept())
            self.assertEqual({code for code, _ in ends}, {0, 1}, name)
            self.assertEqual({is_back for _, is_back in ends}, {False, True}, name)
            self.assertGreater(kept_some, 0, name)
            self.put(victim, before)

    def put(self, path, text):
        """None: no such file."""
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)

    def test_models_that_are_run(self):
        victim = self.model / "model.safetensors"
        self.change([WEFT, "run", self.model, *GREEDY, "--no-cache"], victim, self.same, self.sizes(victim)[1:3], 9,
                    f"{TRUNCATED}|changed or replaced|byte")
        self.change([WEFT, "dump", self.gguf], self.gguf, self.same, self.sizes(self.gguf)[:3], 1, f"{TRUNCATED}|changed or replaced|byte|is empty|GGUF")

    def test_plans(self):
        self.succeeds("compile", self.model, "-o", self.plan)
        message = f"{TRUNCATED}|truncated|ends at byte|bytes|checksum|not a plan|is empty|changed while it was opened"
        for command in ([WEFT, "run", self.plan, *GREEDY], [WEFT, "run", self.plan, *GREEDY, "--no-hugepages"],
                        [WEFT + "-run", self.plan, *GREEDY], [WEFT, "verify", self.plan], [WEFT, "dump", self.plan]):
            self.change(command, self.plan, self.same, self.sizes(self.plan), 5, message)

    def test_plans_that_are_replaced_or_overwritten(self):
        self.succeeds("compile", self.model, "-o", self.plan)
        command = [WEFT, "run", self.plan, *GREEDY]
        text = self.succeeds(*command[1:])
        original = self.plan.read_bytes()

        def reset():
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            self.plan.write_bytes(original)
            shutil.copy(self.plan, self.out / "m.weft.new")

        _, lines = self.calls_of(command, MOMENTS, reset, least=65536)
        for action in ("replace", "scribble"):
            for number in range(1, len(lines) + 1, 2):
                result, now = self.strike(command, MOMENTS, reset, least=65536, at=number, victim=self.plan, action=action)
                with self.subTest(action=action, at=lines[number - 1][1:]):
                    self.struck(now)
                    if action == "replace":
                        self.assertEqual((result.returncode, result.stdout), (0, text), result.stderr)
                    else:  # other weights are other tokens; nothing else
                        self.assertIn(result.returncode, (0, 1), result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
