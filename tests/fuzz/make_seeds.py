#!/usr/bin/env python3
"""make_seeds.py WEFT OUT [MODEL.gguf…]: small valid files to begin fuzzing from, a folder per target, out of tests/oracle, of models of one
layer made here, and of real models cut to one small layer. Runs from the source folder; WEFT compiles the plans."""
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
MAX_BYTES = 262144  # -max_len of scripts/fuzz
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
    NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # types of tokens

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

    def add_tensor(self, name, dims, kind, data=None):
        number, values, size = GGML[kind]
        count = 1
        for dim in dims:
            count *= dim
        if data is None:
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


def shapes_of(dim, ffn, heads, kv_heads, head_dim, vocab):
    """{tensor of a model or a layer: dims}, the longest that a row has first."""
    query, cache = heads * head_dim, kv_heads * head_dim
    return {"token_embd": [dim, vocab], "output": [dim, vocab], "attn_q": [dim, query], "attn_k": [dim, cache], "attn_v": [dim, cache],
            "attn_output": [query, dim], "ffn_gate": [dim, ffn], "ffn_up": [dim, ffn], "ffn_down": [ffn, dim], "attn_q_norm": [head_dim],
            "attn_k_norm": [head_dim], **{f"{n}_norm": [dim] for n in ("attn", "ffn", "output", "post_attention", "post_ffw")}}


def fitting(kind, dims):
    """The kind, or one that takes rows of any length."""
    return kind if dims[0] % GGML[kind][1] == 0 else "F16"


def gguf_model(kind, tokenizer, arch="llama", add_more=None):
    """A Llama of one layer whose matrices are of the kind, as far as their rows are whole blocks, and what `add_more` adds to it."""
    file = Gguf()
    file.add("general.architecture", Gguf.STRING, arch)
    file.add("general.name", Gguf.STRING, "seed")
    dim = max(DIM, GGML[kind][1])
    head_dim = DIM // HEADS
    for key, value in {"context_length": 64, "embedding_length": dim, "block_count": 1, "feed_forward_length": FFN,
                       "attention.head_count": HEADS, "attention.head_count_kv": HEADS, "attention.key_length": head_dim,
                       "attention.value_length": head_dim, "rope.dimension_count": head_dim}.items():
        file.add(f"{arch}.{key}", Gguf.U32, value)
    file.add(f"{arch}.attention.layer_norm_rms_epsilon", Gguf.F32, 1e-5)
    file.add(f"{arch}.rope.freq_base", Gguf.F32, 10000.0)
    file.add("tokenizer.ggml.model", Gguf.STRING, tokenizer)
    if tokenizer == "gpt2":
        tokens = ["<s>", "</s>"] + [chr(c) for c in range(ord("!"), ord("!") + VOCAB - 6)] + ["th", "the", "Ġ", "Ġthe"]
        file.add("tokenizer.ggml.pre", Gguf.STRING, "gpt-2")
        file.add_array("tokenizer.ggml.merges", Gguf.STRING, ["t h", "th e", "Ġ the"])
        types = [Gguf.CONTROL] * 2 + [Gguf.NORMAL] * (VOCAB - 2)
    else:
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(20)] + [chr(c) for c in range(ord("a"), ord("a") + VOCAB - 26)] + ["▁", "th", "▁th"]
        types = [Gguf.UNKNOWN] + [Gguf.CONTROL] * 2 + [Gguf.BYTE] * 20 + [Gguf.USER_DEFINED] + [Gguf.NORMAL] * (VOCAB - 25) + [Gguf.UNUSED]
        file.add_array("tokenizer.ggml.scores", Gguf.F32, [-float(i) for i in range(VOCAB)])
    file.add_array("tokenizer.ggml.tokens", Gguf.STRING, tokens)
    file.add_array("tokenizer.ggml.token_type", Gguf.I32, types)
    file.add("tokenizer.ggml.bos_token_id", Gguf.U32, 0)
    file.add("tokenizer.ggml.eos_token_id", Gguf.U32, 1)
    file.add("tokenizer.ggml.add_bos_token", Gguf.BOOL, 1)
    file.add("tokenizer.chat_template", Gguf.STRING, "{% for m in messages %}<s>{{ m.role }}\n{{ m.content | trim }}{% endfor %}")
    shapes = shapes_of(dim, FFN, HEADS, HEADS, head_dim, VOCAB)
    for name in ["token_embd", "output"]:
        file.add_tensor(f"{name}.weight", shapes[name], kind)
    for name in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]:
        file.add_tensor(f"blk.0.{name}.weight", shapes[name], fitting(kind, shapes[name]))
    for name in ["blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"]:
        file.add_tensor(f"{name}.weight", [dim], "F32")
    if add_more:
        add_more(file)
    return file.bytes()


def add_llama3_rope(file):
    pairs = DIM // HEADS // 2
    file.add_tensor("rope_freqs.weight", [pairs], "F32", struct.pack(f"<{pairs}f", *range(1, pairs + 1)))


def add_linear_rope(file):
    file.add("llama.rope.scaling.type", Gguf.STRING, "linear")
    file.add("llama.rope.scaling.factor", Gguf.F32, 4.0)


def add_unused_characters(file):
    """Tokens that no text becomes; without tokens for bytes what they stand for is unknown."""
    for i, value in enumerate(file.values):
        if value.startswith(Gguf.string("tokenizer.ggml.token_type")):
            file.values[i] = value[: -4 * VOCAB] + struct.pack(f"<{VOCAB}i", Gguf.UNKNOWN, *[Gguf.CONTROL] * 2, *[Gguf.NORMAL] * 20, *[Gguf.UNUSED] * 7, *[Gguf.NORMAL] * (VOCAB - 31), Gguf.UNUSED)


def add_windows(file):
    file.add("gemma3.attention.sliding_window", Gguf.U32, 16)
    file.add_array("gemma3.attention.sliding_window_pattern", Gguf.BOOL, [1])
    for name, size in {"post_attention_norm": DIM, "post_ffw_norm": DIM, "attn_q_norm": DIM // HEADS, "attn_k_norm": DIM // HEADS}.items():
        file.add_tensor(f"blk.0.{name}.weight", [size], "F32")


def add_nested_arrays(file):
    inner = struct.pack("<IQ", Gguf.STRING, 2) + Gguf.string("one") + Gguf.string("")
    file.values.append(Gguf.string("general.nested") + struct.pack("<IIQ", Gguf.ARRAY, Gguf.ARRAY, 2) + 2 * inner)


class GgufReader:
    """Of a file that is sound."""

    SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def __init__(self, file):
        self.file = file

    def number(self, form):
        return struct.unpack(form, self.file.read(struct.calcsize(form)))[0]

    def string(self):
        return self.file.read(self.number("<Q"))

    def scalar(self, kind):
        """As bytes of the file."""
        return Gguf.string(self.string()) if kind == Gguf.STRING else self.file.read(self.SIZES[kind])


def cut_gguf(path, vocab=300):
    """The metadata of a real model, with arrays of at most `vocab` values, and its tensors outside layers and of layer 0, of the same types
    and small dims."""
    out, kinds = Gguf(), {number: name for name, (number, _, _) in GGML.items()}
    small, heads, dim, head_dim = {}, 3, 96, 32
    with open(path, "rb") as file:
        reader = GgufReader(file)
        assert file.read(4) == b"GGUF" and reader.number("<I") == 3, path
        tensors, pairs = reader.number("<Q"), reader.number("<Q")
        for _ in range(pairs):
            key, kind = reader.string(), reader.number("<I")
            if kind == Gguf.ARRAY:
                element, count = reader.number("<I"), reader.number("<Q")
                values = [reader.scalar(element) for _ in range(count)][:vocab]
                content = struct.pack("<IQ", element, len(values)) + b"".join(values)
            else:
                content = reader.scalar(kind)
            if key == b"general.architecture" and content.endswith(b"gemma3"):
                heads, dim, head_dim = 1, 256, 32  # blocks of 256
            small = {b"embedding_length": dim, b"block_count": 1, b"feed_forward_length": FFN, b"attention.head_count": heads,
                     b"attention.head_count_kv": 1, b"attention.key_length": head_dim, b"attention.value_length": head_dim,
                     b"rope.dimension_count": head_dim, b"vocab_size": vocab}
            name = key.partition(b".")[2]
            if name in small:
                content = struct.pack(Gguf.FORMS[kind], small[name])
            if kind == Gguf.U32 and name.endswith(b"token_id") and struct.unpack("<I", content)[0] >= vocab:
                content = struct.pack("<I", 0)
            out.values.append(Gguf.string(key) + struct.pack("<I", kind) + content)
        shapes = shapes_of(dim, FFN, heads, 1, head_dim, vocab)
        for _ in range(tensors):
            name = reader.string().decode()
            file.seek(8 * reader.number("<I"), 1)
            kind = kinds[reader.number("<I")]
            file.seek(8, 1)
            parts = name.split(".")
            if len(parts) == 2 or parts[1] == "0":
                dims = shapes[parts[-2]]
                out.add_tensor(name, dims, fitting(kind, dims))
    return out.bytes()


def cut_tokenizer(path, vocab=600):
    """A real one with its first tokens, the merges that make them, and the added tokens, renumbered."""
    tokenizer = json.loads(path.read_text())
    model = tokenizer["model"]
    model["vocab"] = dict(sorted(model["vocab"].items(), key=lambda item: item[1])[:vocab])
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    model["merges"] = [merge for merge, pair in zip(model["merges"], pairs) if {*pair, "".join(pair)} <= model["vocab"].keys()]
    for token in tokenizer["added_tokens"]:
        token["id"] = model["vocab"].setdefault(token["content"], len(model["vocab"]))
    return json.dumps(tokenizer)


# Each comes to one of the bounds on templates: steps, text, values, depth of lists, of dicts and of calls.
UNBOUNDED = ["{% for i in range(999) %}{% for j in range(999) %}{{ loop.index }}{% if j > 900 %}{% break %}{% endif %}{% endfor %}{% endfor %}",
             "{% set n = namespace(s='ab') %}{% for i in range(40) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
             "{% set n = namespace(l=[], s='a' * 200000) %}{% for i in range(99) %}{% set n.l = n.l + [n.s ~ i] %}{% endfor %}{{ n.l | tojson }}",
             "{% set n = namespace(d={}) %}{% for i in range(99) %}{% set n.d = {'d': n.d, i: 1} %}{% endfor %}{{ n.d | dictsort | tojson(indent=2) }}",
             "{% set n = namespace(l=[]) %}{% for i in range(500) %}{% set n.l = [n.l, {'a': n.l}] %}{% if loop.first %}{% continue %}{% endif %}{% endfor %}{{ n.l }}",
             "{% macro m(x) %}{{ m(x + 1) if x < 9999 }}{% endmacro %}{{ m(0) }}",
             "{% for x in [messages] recursive %}{{ loop(x) }}{% else %}{{ caller is defined }}{% endfor %}{{ ('a' * 9999).split('a') | sort | unique | join(',' * 999) }}"]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def sentencepiece_tokenizers():
    """{name: tokenizer.json} of the parts that none of the above has."""
    added = [{"id": i, "content": t, "single_word": i == 1, "lstrip": i == 1, "rstrip": i == 2, "normalized": i == 2, "special": i != 2} for i, t in enumerate(["<unk>", "<s>", "</s>"])]
    vocabulary = {t: i for i, t in enumerate(["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["▁", "th", "the", "▁the"])}
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
             "byte_fallback": True, "ignore_merges": True, "vocab": vocabulary, "merges": [["t", "h"], ["th", "e"], ["▁", "the"]]}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    special = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template = {"type": "TemplateProcessing", "single": special, "pair": special, "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    decoders = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    several = lambda kind, parts: {"type": "Sequence", kind: parts}
    whole = {"version": "1.0", "added_tokens": added, "normalizer": several("normalizers", [{"type": "Prepend", "prepend": "▁"}, replace]), "pre_tokenizer": None,
             "post_processor": template, "decoder": several("decoders", decoders), "model": model}
    split = lambda pattern, behavior, invert=False: {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    cuts = [split({"String": " "}, "MergedWithPrevious"), split({"Regex": r"\d+"}, "MergedWithNext"), split({"String": "-"}, "Contiguous"),
            split({"Regex": r"[.,]"}, "Removed"), split({"Regex": r"\w+"}, "Isolated", True)]
    forms = [{"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True},
             {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}]
    # What known tokenizers leave out: ranges without case, looking around, backtracking that needs more steps than a window allows.
    patterns = [split({"Regex": pattern}, "Isolated") for pattern in (r"(?i)[a-f\x{3b1}-\x{3c9}]+|(?-i)[[:upper:]]", r"(?<=\s)\S+(?=\s)|(?<!a)b(?!c)", r"(a|aa)+b|(\w+\s?){2,4}$", r"^(?>\s*)(.*)$|\p{Han}\R?")]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    parts = {"sentencepiece": {}, "gemma": {"normalizer": replace, "pre_tokenizer": cuts[0]}, "metaspace": {"normalizer": None, "pre_tokenizer": metaspace, "decoder": metaspace},
             "llama3": {"normalizer": {"type": "NFC"}, "pre_tokenizer": several("pretokenizers", [split({"Regex": LLAMA3}, "Isolated"), byte_level]),
                        "post_processor": {"type": "Sequence", "processors": [byte_level, template]}, "decoder": byte_level},
             "patterns": {"pre_tokenizer": several("pretokenizers", patterns)},
             **{f"metaspace-{scheme}": {"normalizer": None, "pre_tokenizer": {**metaspace, "prepend_scheme": scheme, "split": scheme == "first"}, "decoder": metaspace} for scheme in ("first", "never")},
             "merges-as-strings": {"model": {**model, "byte_fallback": False, "merges": [" ".join(merge) for merge in model["merges"]]}},
             "all-splits": {"normalizer": several("normalizers", forms), "pre_tokenizer": several("pretokenizers", [*cuts, {"type": "WhitespaceSplit"}, {"type": "Whitespace"}, {"type": "Digits", "individual_digits": True}])}}
    return {name: json.dumps({**whole, **part}) for name, part in parts.items()}


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
        assert len(content) <= MAX_BYTES, f"{target}/{name} has {len(content)} bytes; the fuzzer would cut it"
        (out / target).mkdir(parents=True, exist_ok=True)
        (out / target / name).write_bytes(content.encode() if isinstance(content, str) else content)

    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
    write("safetensors", "all-types", safetensors({d: (d, [2, 3], bytes(6 * s)) for d, s in sizes.items()}))
    write("safetensors", "none", safetensors({}))
    for family in FAMILIES:  # the headers of real files, their data left out: refused at its end
        data = (ORACLE / "tiny" / family / "model.safetensors").read_bytes()
        write("safetensors", family, data[: 8 + struct.unpack("<Q", data[:8])[0]])

    for kind, (_, block, _) in GGML.items():
        write("gguf", kind, gguf_model(kind, "gpt2" if block == 1 else "llama"))
    for name, arch, add_more in [("rope-freqs", "llama", add_llama3_rope), ("rope-linear", "llama", add_linear_rope), ("windows", "gemma3", add_windows),
                                 ("nested-arrays", "llama", add_nested_arrays), ("unused-characters", "llama", add_unused_characters)]:
        write("gguf", name, gguf_model("F32", "llama", arch, add_more))
    for path in map(pathlib.Path, sys.argv[3:]):
        write("gguf", path.stem, cut_gguf(path))

    for path in (ORACLE / "tiny").glob("*/tokenizer.json"):
        write("tokenizer_json", f"{path.parent.name}-{path.name}", path.read_bytes())
    for path in (ORACLE / "vectors").glob("*.tokenizer.json"):
        write("tokenizer_json", path.name, cut_tokenizer(path))
    for name, content in sentencepiece_tokenizers().items():
        write("tokenizer_json", name, content)

    for f, family in enumerate(FAMILIES):
        for n, name in enumerate(FILES):
            path = ORACLE / "tiny" / family / name
            content = path.read_bytes() if path.exists() else b"{}"
            if name == FILES[3]:
                data = (ORACLE / "tiny" / family / "model.safetensors").read_bytes()
                names = [k for k in json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]]) if k != "__metadata__"]
                content = json.dumps({"metadata": {}, "weight_map": {k: "model-1.safetensors" for k in names}}).encode()
            write("config_json", f"{family}-{name}", bytes([f + n * len(FAMILIES)]) + content)

    config = json.loads((ORACLE / "tiny" / "llama-gqa" / "config.json").read_text())
    config["rope_scaling"] = {"type": "linear", "factor": 4.0}
    write("config_json", "llama-gqa-linear-rope", bytes([FAMILIES.index("llama-gqa")]) + json.dumps(config).encode())
    token = lambda content: {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    templates = [{"name": name, "template": "{{ messages[0].content }}"} for name in ("tool_use", "default")]
    settings = {"add_bos_token": True, "add_eos_token": False, "bos_token": token("<s>"), "eos_token": token("</s>"), "chat_template": templates}
    for name in ("llama-gqa", "gpt2"):
        write("config_json", f"{name}-tokens-as-objects", bytes([FAMILIES.index(name) + FILES.index("tokenizer_config.json") * len(FAMILIES)]) + json.dumps(settings).encode())

    chat = json.loads((ORACLE / "vectors" / "chat-templates.json").read_text())
    context = json.dumps(chat["snippet_context"])
    for i, snippet in enumerate(chat["snippets"]):
        write("chat_template", f"snippet-{i}", snippet["template"] + "\0" + context)
    for i, template in enumerate(UNBOUNDED):
        write("chat_template", f"unbounded-{i}", template + "\0" + context)
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
