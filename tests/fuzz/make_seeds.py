#!/usr/bin/env python3
"""make_seeds.py WEFT OUT: small valid files to begin fuzzing from, a folder per target, out of tests/oracle and out of models of one
layer made here. Runs from the source folder; WEFT compiles the plans."""
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

ORACLE = pathlib.Path("tests/oracle")
FAMILIES = ["gemma2", "gemma3", "gpt2", "llama-gqa", "llama3-rope", "mistral-swa", "phi3", "qwen2", "qwen3"]  # as in config_json_fuzz.cc
FILES = ["config.json", "generation_config.json", "tokenizer_config.json", "model.safetensors.index.json"]
DIM, HEADS, FFN, VOCAB = 32, 2, 64, 100
# ggml's types: id, values and bytes of a block.
GGML = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24),
        "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176),
        "Q6_K": (14, 256, 210), "Q8_K": (15, 256, 292), "IQ2_XXS": (16, 256, 66), "IQ2_XS": (17, 256, 74), "IQ3_XXS": (18, 256, 98),
        "IQ1_S": (19, 256, 50), "IQ4_NL": (20, 32, 18), "IQ3_S": (21, 256, 110), "IQ2_S": (22, 256, 82), "IQ4_XS": (23, 256, 136),
        "I8": (24, 1, 1), "I16": (25, 1, 2), "I32": (26, 1, 4), "I64": (27, 1, 8), "F64": (28, 1, 8), "IQ1_M": (29, 256, 56),
        "BF16": (30, 1, 2), "TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66), "MXFP4": (39, 32, 17)}


def safetensors(tensors):
    """{name: (dtype, shape, bytes)}"""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def floats(count, seed):
    source = random.Random(seed)
    return struct.pack(f"<{count}f", *(source.gauss(0, 0.1) for _ in range(count)))


class Gguf:
    """The format of ggml's docs/gguf.md."""

    U32, F32, BOOL, STRING, ARRAY, I32, U64 = 4, 6, 7, 8, 9, 5, 10
    FORMS = {U32: "<I", F32: "<f", BOOL: "<B", I32: "<i", U64: "<Q"}

    def __init__(self):
        self.values, self.tensors = [], []

    @staticmethod
    def string(text):
        text = text.encode() if isinstance(text, str) else text
        return struct.pack("<Q", len(text)) + text

    def scalar(self, kind, value):
        return self.string(value) if kind == self.STRING else struct.pack(self.FORMS[kind], value)

    def add(self, key, kind, value):
        self.values.append(self.string(key) + struct.pack("<I", kind) + self.scalar(kind, value))

    def add_array(self, key, kind, values):
        self.values.append(self.string(key) + struct.pack("<IIQ", self.ARRAY, kind, len(values)) + b"".join(self.scalar(kind, v) for v in values))

    def add_tensor(self, name, dims, kind):
        number, values, size = GGML[kind]
        count = 1
        for dim in dims:
            count *= dim
        data = floats(count, name) if kind == "F32" else random.Random(name).randbytes(count // values * size)
        if kind == "Q8_0":  # a scale that is no number would be refused
            data = b"".join(struct.pack("<e", 0.01) + data[i + 2 : i + size] for i in range(0, len(data), size))
        self.tensors.append((name, dims, number, data))

    def bytes(self):
        table, data = b"", b""
        for name, dims, number, values in self.tensors:
            table += self.string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, number, len(data))
            data += values + bytes(-len(values) % 32)
        head = struct.pack("<4sIQQ", b"GGUF", 3, len(self.tensors), len(self.values)) + b"".join(self.values) + table
        return head + bytes(-len(head) % 32) + data


def gguf_model(kind, tokenizer, dim=DIM, ffn=FFN):
    """A Llama of one layer whose matrices are of the kind."""
    file = Gguf()
    file.add("general.architecture", Gguf.STRING, "llama")
    file.add("general.name", Gguf.STRING, "seed")
    for key, value in {"context_length": 64, "embedding_length": dim, "block_count": 1, "feed_forward_length": ffn,
                       "attention.head_count": HEADS, "attention.head_count_kv": HEADS, "rope.dimension_count": dim // HEADS}.items():
        file.add("llama." + key, Gguf.U32, value)
    file.add("llama.attention.layer_norm_rms_epsilon", Gguf.F32, 1e-5)
    file.add("llama.rope.freq_base", Gguf.F32, 10000.0)
    file.add("tokenizer.ggml.model", Gguf.STRING, tokenizer)
    if tokenizer == "gpt2":
        tokens = ["<s>", "</s>"] + [chr(c) for c in range(ord("!"), ord("!") + VOCAB - 6)] + ["th", "the", "Ġ", "Ġthe"]
        file.add("tokenizer.ggml.pre", Gguf.STRING, "gpt-2")
        file.add_array("tokenizer.ggml.merges", Gguf.STRING, ["t h", "th e", "Ġ the"])
        types = [3, 3] + [1] * (VOCAB - 2)
    else:
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(20)] + [chr(c) for c in range(ord("a"), ord("a") + VOCAB - 26)] + ["▁", "th", "▁th"]
        types = [2, 3, 3] + [6] * 20 + [1] * (VOCAB - 23)
        file.add_array("tokenizer.ggml.scores", Gguf.F32, [-float(i) for i in range(VOCAB)])
    file.add_array("tokenizer.ggml.tokens", Gguf.STRING, tokens)
    file.add_array("tokenizer.ggml.token_type", Gguf.I32, types)
    file.add("tokenizer.ggml.bos_token_id", Gguf.U32, 0)
    file.add("tokenizer.ggml.eos_token_id", Gguf.U32, 1)
    file.add("tokenizer.ggml.add_bos_token", Gguf.BOOL, 1)
    file.add("tokenizer.chat_template", Gguf.STRING, "{% for m in messages %}<s>{{ m.role }}\n{{ m.content | trim }}{% endfor %}")
    for name in ["token_embd", "output"]:
        file.add_tensor(f"{name}.weight", [dim, VOCAB], kind)
    for name, rows, columns in [("attn_q", dim, dim), ("attn_k", dim, dim), ("attn_v", dim, dim), ("attn_output", dim, dim),
                                ("ffn_gate", ffn, dim), ("ffn_up", ffn, dim), ("ffn_down", dim, ffn)]:
        file.add_tensor(f"blk.0.{name}.weight", [columns, rows], kind)
    for name in ["blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"]:
        file.add_tensor(f"{name}.weight", [dim], "F32")
    return file.bytes()


def hugging_face_model(folder):
    """The same as a folder."""
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": DIM, "intermediate_size": FFN, "num_hidden_layers": 1,
              "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "vocab_size": VOCAB, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
              "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 1}
    layer = "model.layers.0."
    shapes = {"model.embed_tokens": [VOCAB, DIM], "model.norm": [DIM], layer + "input_layernorm": [DIM], layer + "post_attention_layernorm": [DIM],
              **{f"{layer}self_attn.{n}_proj": [DIM, DIM] for n in "qkvo"}, layer + "mlp.gate_proj": [FFN, DIM], layer + "mlp.up_proj": [FFN, DIM],
              layer + "mlp.down_proj": [DIM, FFN]}
    tensors = {}
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        tensors[name + ".weight"] = ("F32", shape, floats(count, name))
    vocabulary = {t: i for i, t in enumerate(["<s>", "</s>"] + [chr(c) for c in range(ord("!"), ord("!") + VOCAB - 6)] + ["th", "the", "Ġ", "Ġthe"])}
    tokenizer = {"version": "1.0", "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, t in enumerate(["<s>", "</s>"])],
                 "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                 "post_processor": None, "decoder": {"type": "ByteLevel"},
                 "model": {"type": "BPE", "vocab": vocabulary, "merges": ["t h", "th e", "Ġ the"]}}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"}))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))


def main():
    weft, out = sys.argv[1], pathlib.Path(sys.argv[2])

    def write(target, name, content):
        (out / target).mkdir(parents=True, exist_ok=True)
        (out / target / name).write_bytes(content.encode() if isinstance(content, str) else content)

    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
    write("safetensors", "all-types", safetensors({d: (d, [2, 3], bytes(6 * s)) for d, s in sizes.items()}))
    write("safetensors", "none", safetensors({}))
    for family in FAMILIES:  # the headers of real files, their data left out: refused at its end
        data = (ORACLE / "tiny" / family / "model.safetensors").read_bytes()
        write("safetensors", family, data[: 8 + struct.unpack("<Q", data[:8])[0]])

    for kind, (_, block, _) in GGML.items():
        dim = DIM if block <= 32 else 256
        write("gguf", kind, gguf_model(kind, "gpt2" if block == 1 else "llama", dim, max(FFN, dim)))

    for path in [*(ORACLE / "tiny").glob("*/tokenizer.json"), *(ORACLE / "vectors").glob("tokenizer-*.json")]:
        write("tokenizer_json", f"{path.parent.name}-{path.name}", path.read_bytes())

    for f, family in enumerate(FAMILIES):
        for n, name in enumerate(FILES):
            path = ORACLE / "tiny" / family / name
            content = path.read_bytes() if path.exists() else b"{}"
            if name == FILES[3]:
                data = (ORACLE / "tiny" / family / "model.safetensors").read_bytes()
                names = [k for k in json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]]) if k != "__metadata__"]
                content = json.dumps({"metadata": {}, "weight_map": {k: "model.safetensors" for k in names}}).encode()
            write("config_json", f"{family}-{name}", bytes([f + n * len(FAMILIES)]) + content)

    chat = json.loads((ORACLE / "vectors" / "chat-templates.json").read_text())
    context = json.dumps(chat["snippet_context"])
    for i, snippet in enumerate(chat["snippets"]):
        write("chat_template", f"snippet-{i}", snippet["template"] + "\0" + context)
    for family in chat["families"]:
        for i, messages in enumerate(list(chat["conversations"].values())[:3]):
            variables = {"messages": messages, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
            write("chat_template", f"{family['name']}-{i}", family["template"] + "\0" + json.dumps(variables))

    for path in pathlib.Path("tests/passes").glob("*.wir"):
        write("ir_text", path.name, path.read_bytes())

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "model"
        hugging_face_model(folder)
        for name, options in {"f32": ["--weights", "f32"], "q8": ["--weights", "q8_0", "--record-stages"], "split": ["--split-size", "8192"],
                              "fat": []}.items():
            plan = pathlib.Path(scratch) / f"{name}.weft"
            subprocess.run([weft, "compile", folder, "--target", "x86-64-v3,avx512-vnni" if name == "fat" else "x86-64-v3", *options, "-o", plan], check=True, stdout=subprocess.DEVNULL)
            write("plan", name, plan.read_bytes())
        for stage in ["import", "plan-memory"]:
            text = subprocess.run([weft, "dump", folder, "--stage", stage], check=True, capture_output=True, text=True).stdout
            write("ir_text", stage, text)


if __name__ == "__main__":
    main()
