#!/usr/bin/env python3
"""corruption_test.py WEFT: damaged files through the command, as a user meets them: exit 1, one clear message on standard error that names
the file, and nothing else; never a signal, a hang or more memory than a small model takes. The mass of the cases is in tests/corruption."""
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "fuzz"))
from file_times import file_system, times_tell  # noqa: E402
from make_seeds import gguf_model, hugging_face_model, safetensors  # noqa: E402

WEFT = WEFT_OPT = ""
ADDRESS_SPACE = 4 << 30  # LLVM and the libraries take some hundred megabytes of it
MAX64 = 2**64 - 1
cases = {}


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Corruption(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.model = cls.folder / "model"
        hugging_face_model(cls.model)
        cls.gguf = gguf_model("F32", "llama")
        cls.plan = cls.folder / "good.weft"
        subprocess.run([WEFT, "compile", cls.model, "--target", "x86-64-v3", "-o", cls.plan], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def refused(self, kind, command, path, *words, options=()):
        program = [WEFT_OPT] if command == "weft-opt" else [WEFT, command]
        result = subprocess.run([*program, path, *options], capture_output=True, timeout=120, preexec_fn=limited, stdin=subprocess.DEVNULL)
        message = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, 1, f"{path}: {message}")
        self.assertEqual(result.stdout, b"")
        self.assertLess(len(message), 4000)
        for word in [str(path), *words]:
            self.assertIn(word, message)
        self.assertNotRegex(message, "CHECK|terminate|Sanitizer|what\\(\\)")
        cases[kind] = cases.get(kind, 0) + 1

    def test_gguf(self):
        path = self.folder / "m.gguf"
        good = self.gguf
        path.write_bytes(good)
        subprocess.run([WEFT, "info", path], check=True, stdout=subprocess.DEVNULL)
        for size in [0, 3, 4, 7, 8, 15, 16, 23, 24, 31, 100, 1000, len(good) - 1]:
            path.write_bytes(good[:size])
            self.refused("gguf", "info", path)
        for at, name in [(8, "tensor count"), (16, "key count")]:
            for value in [MAX64, 2**63, 2**61 + 1, MAX64 // 24 + 1, 2**32]:
                path.write_bytes(good[:at] + struct.pack("<Q", value) + good[at + 8:])
                self.refused("gguf", "info", path, name, f"byte {at}")
        for version in [0, 1, 4, 0x03000000, 2**32 - 1]:
            path.write_bytes(good[:4] + struct.pack("<I", version) + good[8:])
            self.refused("gguf", "info", path)
        name = b"blk.0.attn_q.weight"
        at = good.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
        for dims in [0xffffffff, 5, 255]:
            path.write_bytes(good[:at] + struct.pack("<I", dims) + good[at + 4:])
            self.refused("gguf", "info", path, name.decode())
        for dim in [MAX64, 2**63, 2**62, 2**42 + 1, 2**32]:
            path.write_bytes(good[:at + 4] + struct.pack("<Q", dim) + good[at + 12:])
            self.refused("gguf", "info", path, name.decode())
        for kind in [4, 5, 31, 36, 255, 2**31, 2**32 - 1]:
            path.write_bytes(good[:at + 20] + struct.pack("<I", kind) + good[at + 24:])
            self.refused("gguf", "info", path, name.decode())
        for offset in [MAX64, MAX64 - 31, 2**63, 1, 2**32]:
            path.write_bytes(good[:at + 24] + struct.pack("<Q", offset) + good[at + 32:])
            self.refused("gguf", "info", path, name.decode())

    def test_safetensors(self):
        copy = self.folder / "copy"
        shutil.copytree(self.model, copy)
        path = copy / "model.safetensors"
        good = path.read_bytes()
        length = struct.unpack("<Q", good[:8])[0]
        for size in [0, 1, 7, 8, 9, 8 + length - 1, 8 + length, len(good) - 1]:
            path.write_bytes(good[:size])
            self.refused("safetensors", "info", copy, "model.safetensors")
        for value in [0, 1, length - 1, length + 1, 100_000_001, 2**32, 2**63, MAX64, MAX64 - 7]:
            path.write_bytes(struct.pack("<Q", value) + good[8:])
            self.refused("safetensors", "info", copy, "model.safetensors", "byte")
        header = json.loads(good[8:8 + length])
        name = "model.norm.weight"
        for change in [{"shape": [2**63]}, {"shape": [2**62, 4]}, {"shape": [-1]}, {"shape": [1e300]}, {"dtype": "F8"}, {"dtype": None},
                       {"data_offsets": [0, MAX64]}, {"data_offsets": [MAX64, 0]}, {"data_offsets": []}]:
            text = json.dumps({**header, name: {**header[name], **change}}).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + good[8 + length:])
            self.refused("safetensors", "info", copy, name, "byte")
        # Of two that overlap, the one that comes second is named.
        text = json.dumps({**header, name: {**header[name], "data_offsets": [0, 128]}}).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + good[8 + length:])
        self.refused("safetensors", "info", copy, "inside the tensor before it", "byte")
        path.unlink()
        for shard in ["../model/model.safetensors", "/etc/passwd", "", "..", "a\\b", "x\0", "missing.safetensors"]:
            (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {name: shard}}))
            self.refused("safetensors", "info", copy, "index.json", name)

    def test_shards(self):
        """The weights in two files: damage to either names it."""
        copy = self.folder / "sharded"
        shutil.copytree(self.model, copy)
        data = (copy / "model.safetensors").read_bytes()
        (copy / "model.safetensors").unlink()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        names = list(header)
        shards = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
        places = {name: shard for shard, its in shards.items() for name in its}
        index = copy / "model.safetensors.index.json"

        def write(shard, its):
            tensors = {}
            for name in its:
                begin, end = header[name]["data_offsets"]
                tensors[name] = ("F32", header[name]["shape"], data[8 + length + begin:8 + length + end])
            (copy / shard).write_bytes(safetensors(tensors))

        def write_all():
            index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
            for shard, its in shards.items():
                write(shard, its)

        write_all()
        subprocess.run([WEFT, "info", copy], check=True, stdout=subprocess.DEVNULL)
        for shard, its in shards.items():
            good = (copy / shard).read_bytes()
            header_length = struct.unpack("<Q", good[:8])[0]
            for size in [0, 7, 8, 8 + header_length - 1, 8 + header_length, len(good) - 1]:
                (copy / shard).write_bytes(good[:size])
                self.refused("shards", "info", copy, shard)
            (copy / shard).write_bytes(good + b"x")
            self.refused("shards", "info", copy, shard)
            for value in [0, header_length - 1, header_length + 1, 2**63, MAX64]:
                (copy / shard).write_bytes(struct.pack("<Q", value) + good[8:])
                self.refused("shards", "info", copy, shard, "byte")
            write(shard, its[1:])  # one that the index has there
            self.refused("shards", "info", copy, shard, its[0])
            write(shard, [*its, next(name for name in names if name not in its)])  # one that lies in the other as well
            self.refused("shards", "info", copy, shard)
            (copy / shard).unlink()
            self.refused("shards", "info", copy, shard)
            (copy / shard).mkdir()
            self.refused("shards", "info", copy, shard)
            (copy / shard).rmdir()
            write(shard, its)
        # What an index says of places is not needed, as in Hugging Face's loaders, but the files that it leaves out are not there.
        for only in shards:
            index.write_text(json.dumps({"metadata": {}, "weight_map": {name: only for name in names}}))
            self.refused("shards", "info", copy, "tensor")

    def test_cache(self):
        """Damage to what is kept between runs costs time, never the run or its tokens; but for bits of a plan's weights, which only `weft verify`
        reads through: other weights are other tokens, and no crash."""
        model, cache = self.folder / "cached", self.folder / "cache"
        # Of more than a MiB, and older than two seconds, so that its digest is remembered.
        shutil.copytree(pathlib.Path(__file__).parent / "oracle/tiny/llama-gqa", model)
        time.sleep(2.2)
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        environment.pop("WEFT_CACHE_SIZE", None)

        def weft(*arguments):
            result = subprocess.run([WEFT, *arguments], capture_output=True, text=True, errors="replace", timeout=120, env=environment, stdin=subprocess.DEVNULL)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stdout

        def ids():
            return json.loads(weft("run", model, "-p", "the", "-n", "4", "--temp", "0", "--ignore-eos", "--json"))["ids"]

        truth = ids()
        files = [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
        if not times_tell(model):
            print(f"NOT TESTED: damage to digests, which are not kept of files on {file_system(model)}")
        self.assertEqual({path.suffix for path in files}, {".json", ".so", ".weft"} | ({""} if times_tell(model) else set()))
        damages = {"empty": lambda good: b"", "half": lambda good: good[:len(good) // 2], "last": lambda good: good[:-1], "more": lambda good: good + b"x",
                   "zeros": lambda good: bytes(len(good)), "turned": lambda good: good[:len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1:],
                   "deep": lambda good: b"[" * 100_000, "deep within": lambda good: b'{"key":{"weights":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"}
        for path in files:
            good = path.read_bytes()
            for name, damage in damages.items():
                with self.subTest(path=path.name, damage=name):
                    path.write_bytes(damage(good))
                    weft("cache", "list", "--json")
                    self.assertEqual(ids(), truth)
                    cases["cache"] = cases.get("cache", 0) + 1
        (plan,) = (cache / "weft" / "plans").glob("*.weft")
        good = plan.read_bytes()
        table_end = 32 + 32 * struct.unpack("<I", good[12:16])[0]
        ((at, size),) = [(offset, size) for kind, _, offset, size, _ in struct.iter_unpack("<IIQQQ", good[32:table_end]) if kind == 7]
        for flip in range(0, size, size // 8):
            plan.write_bytes(good[:at + flip] + bytes([good[at + flip] ^ 0xff]) + good[at + flip + 1:])
            result = subprocess.run([WEFT, "run", model, "-p", "the", "-n", "4", "--ignore-eos"], capture_output=True, timeout=120, env=environment, stdin=subprocess.DEVNULL)
            self.assertIn(result.returncode, (0, 1), result.stderr)
            self.refused("plan", "verify", plan, "checksum of section 'weights'")
        plan.write_bytes(good)
        for name in ["..weft", "0123456789abcdef.weft", "x\n.json", "0123456789abcdef.json"]:
            (cache / "weft" / "plans" / name).write_bytes(b"\0")
        self.assertEqual(ids(), truth)
        weft("cache", "list")
        weft("cache", "clear")
        self.assertEqual(ids(), truth)

    def test_json(self):
        copy = self.folder / "json"
        shutil.copytree(self.model, copy)
        deep = "[" * 100_000 + "]" * 100_000
        for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"]:
            path = copy / file
            good = path.read_text() if path.exists() else "{}"
            for text in [good[:-1], good[: len(good) // 2], good + "}", good + "\0x", "[]", "1", deep, '{"a":' + deep + "}", '{"a":1e999}', '{"a":NaN}',
                         '{"a":1,"a":2}', '{"a":"\\ud800"}', "\ufeff[1]"]:
                path.write_text(text)
                # Without its tokenizer a model runs ids, so that its file is asked for what takes it.
                self.refused("json", "info", copy, file) if file != "tokenizer.json" else self.tokenizer_refused(copy, file)
            path.write_bytes(b'{"a":"\xff"}')
            self.refused("json", "info", copy, file) if file != "tokenizer.json" else self.tokenizer_refused(copy, file)
            path.write_text(good)

    def test_chat_template(self):
        """Wherever it stands, and only where it is asked for: a model whose template is none runs without."""
        chat = ["--chat", "-p", "the", "-n", "1"]
        good = "{% for m in messages %}\n{{ m.role }}: {{ m.content | trim }}\n{% endfor %}\n{% if add_generation_prompt %}{{ 'A:' }}{% endif %}"
        damaged = {"no end": (good[:-11], 4), "no bracket": (good.replace("| trim }}", "| trim }"), 2), "no loop": (good.replace("endfor", "endif"), 3),
                   "a word": (good.replace("in messages", "messages"), 1), "a filter": (good.replace("trim", "trimm"), 2), "a type": (good.replace("m.content", "1 + 'a'"), 2),
                   "steps": (good + "\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", 5),
                   "cut": (good[:30], 2), "bytes": ("{{ '\0\x01' }}\n{{", 2)}
        copy, gguf = self.folder / "chat", self.folder / "chat.gguf"
        shutil.copytree(self.model, copy)
        settings = copy / "tokenizer_config.json"
        for name, (text, line) in damaged.items():
            settings.write_text(json.dumps({"chat_template": text}))
            self.refused("chat template", "run", copy, f"chat template, line {line}: ", options=chat)
        settings.write_text("{}")
        for name, (text, line) in damaged.items():
            (copy / "chat_template.jinja").write_text(text)
            self.refused("chat template", "run", copy, f"chat template, line {line}: ", options=chat)
        subprocess.run([WEFT, "run", copy, "-p", "the", "-n", "1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        plan = self.folder / "chat.weft"
        subprocess.run([WEFT, "compile", copy, "--target", "x86-64-v3", "-o", plan], check=True, stdout=subprocess.DEVNULL)
        self.refused("chat template", "run", plan, "chat template, line 2: ", options=chat)
        (copy / "chat_template.jinja").write_bytes(b"{{ '\xff' }}\n{{ ")
        self.refused("chat template", "run", copy, "chat template, line ", options=chat)
        (copy / "chat_template.jinja").write_text(good)
        subprocess.run([WEFT, "run", copy, *chat], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for old, new, line in [(b"endfor", b"endfur", 2), (b"trim", b"trym", 2), (b" | trim }}", b" | trim } ", 2), (b"for m in", b"for m on", 1), (b"{{ m.role", b"{{ m.r le", 1)]:
            self.assertEqual(self.gguf.count(old), 1)
            gguf.write_bytes(self.gguf.replace(old, new))  # of the same length, so that nothing else moves
            self.refused("chat template", "run", gguf, f"chat template, line {line}: ", options=chat)

    def test_ir_text(self):
        path = self.folder / "m.wir"
        good = subprocess.run([WEFT, "dump", self.model, "--stage", "import"], check=True, capture_output=True, text=True).stdout
        path.write_text(good)
        subprocess.run([WEFT_OPT, "--pipeline", path], check=True, stdout=subprocess.DEVNULL)
        lines = good.splitlines(keepends=True)
        for count in range(len(lines)):  # at the end of each line, and within it
            path.write_text("".join(lines[:count]))
            self.refused("IR text", "weft-opt", path, f"{path}:{count + 1}:")
            if count + 1 < len(lines):  # which is one bracket
                path.write_text("".join(lines[:count]) + lines[count][:len(lines[count]) // 2])
                self.refused("IR text", "weft-opt", path, f"{path}:{count + 1}:")
        for number, line in enumerate(lines, 1):
            for old, new in [(" = ", " "), ("f32[", "q4_k["), ("matmul", "attention"), ("%1", "%99"), ("]", ""), ("{", "{{"), (": ", ": f64 ")]:
                if old in line:
                    path.write_text("".join([*lines[:number - 1], line.replace(old, new, 1), *lines[number:]]))
                    self.refused("IR text", "weft-opt", path, f"{path}:")
        path.write_bytes(b"\xff\0" * 1000)
        self.refused("IR text", "weft-opt", path, f"{path}:1:1: ")

    def test_no_files(self):
        """Pipes, devices and folders in place of files: nobody is waited for."""
        copy = self.folder / "no-files"
        shutil.copytree(self.model, copy)
        for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja", "model.safetensors"]:
            path = copy / file
            good = path.read_bytes() if path.exists() else None
            path.unlink(missing_ok=True)
            for make in [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir]:
                make(path)
                self.refused("no files", "info", copy, file) if file != "tokenizer.json" else self.tokenizer_refused(copy, file)
                path.rmdir() if make is os.mkdir else path.unlink()
            if good is not None:
                path.write_bytes(good)

    def tokenizer_refused(self, model, file):
        result = subprocess.run([WEFT, "tokenize", model], input="hello", capture_output=True, text=True, errors="replace", timeout=120, preexec_fn=limited)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(file, result.stderr)
        cases["json"] = cases.get("json", 0) + 1

    def test_plan(self):
        path = self.folder / "bad.weft"
        good = self.plan.read_bytes()
        for size in [0, 1, 8, 31, 32, 100, 4095, 4096, 4097, len(good) // 2, len(good) - 1]:
            path.write_bytes(good[:size])
            self.refused("plan", "info", path)
        table_end = 32 + 32 * struct.unpack("<I", good[12:16])[0]
        for at in range(0, table_end, 7):
            path.write_bytes(good[:at] + bytes([good[at] ^ 0x80]) + good[at + 1:])
            self.refused("plan", "info", path)
        for _, _, offset, size, _ in struct.iter_unpack("<IIQQQ", good[32:table_end]):
            for at in {offset, offset + size // 2, offset + size - 1}:
                path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
                self.refused("plan", "verify", path, "checksum")


if __name__ == "__main__":
    os.environ["WEFT_CACHE_SIZE"] = "0"  # the user's cache is not for these
    WEFT, WEFT_OPT = (str(pathlib.Path(sys.argv.pop(1)).absolute()) for _ in range(2))
    result = unittest.main(exit=False, verbosity=2).result
    for kind, count in sorted(cases.items()):
        print(f"corruption by command: {kind}: {count} cases, all " + ("passed over" if kind == "cache" else "refused with exit 1"))
    sys.exit(not result.wasSuccessful())
