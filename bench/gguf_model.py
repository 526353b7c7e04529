#!/usr/bin/env python3
"""gguf_model.py SOURCE OUT.gguf: the same model with Q8_0 matrices, as a GGUF file with llama.cpp's names and keys.

SOURCE is a GGUF file (its matrices are requantised) or a folder that `weft synth` wrote (GPT-2, Llama, Gemma 3). Needs the packages
numpy and gguf. Q8_0 by the gguf package, so every reader of the file has the same weights, bit by bit."""
import json
import pathlib
import struct
import sys

import gguf
import numpy as np

Q8_0 = gguf.GGMLQuantizationType.Q8_0
F32 = gguf.GGMLQuantizationType.F32


def add_tensor(writer, name, values):
    """Matrices as Q8_0, vectors and GPT-2's table of positions as F32, as llama.cpp's own quantiser leaves them."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.ndim == 2 and values.shape[1] % 32 == 0 and name != "position_embd.weight":
        writer.add_tensor(name, gguf.quants.quantize(values, Q8_0), raw_dtype=Q8_0)
    else:
        writer.add_tensor(name, values, raw_dtype=F32)


def write(writer):
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def requantise(source, out):
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(out, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type", "general.quantization_version"):
            continue
        array = field.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=field.types[-1] if array else None)
    for tensor in reader.tensors:
        if tensor.tensor_type == Q8_0:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=Q8_0)
        else:
            add_tensor(writer, tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type))
    write(writer)


class Safetensors:
    """Tensors of a folder by name, as F32."""

    def __init__(self, folder):
        self.entries = {}
        for path in sorted(folder.glob("*.safetensors")):
            with open(path, "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
            for name, entry in header.items():
                if name != "__metadata__":
                    self.entries[name] = (entry, data)

    def __contains__(self, name):
        return name in self.entries

    def __getitem__(self, name):
        entry, data = self.entries[name]
        begin, end = entry["data_offsets"]
        raw = data[begin:end]
        if entry["dtype"] == "F32":
            values = raw.view(np.float32)
        elif entry["dtype"] == "BF16":
            values = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            raise SystemExit(f"{name}: {entry['dtype']} is not supported")
        return values.reshape(entry["shape"])


def add_tokenizer(writer, folder, config):
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    special = {token["id"] for token in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocab])
    writer.add_token_types([gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL for _, i in vocab])
    writer.add_token_merges(tokenizer["model"]["merges"])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)


def convert_gpt2(folder, config, writer):
    tensors = Safetensors(folder)
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_block_count(config["n_layer"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    add_tensor(writer, "token_embd.weight", tensors["wte.weight"])
    add_tensor(writer, "position_embd.weight", tensors["wpe.weight"])
    for kind in ("weight", "bias"):
        add_tensor(writer, f"output_norm.{kind}", tensors[f"ln_f.{kind}"])
    # Projections lie as [in, out] in the folder and as [out, in] in GGUF.
    names = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
             "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    for layer in range(config["n_layer"]):
        for theirs, ours in names.items():
            add_tensor(writer, f"blk.{layer}.{ours}.weight", tensors[f"h.{layer}.{theirs}.weight"].T)
            add_tensor(writer, f"blk.{layer}.{ours}.bias", tensors[f"h.{layer}.{theirs}.bias"])


def interleave(weight, heads):
    """Rows of q and k of a Llama: rotated pairs lie half a head apart in the folder and side by side in GGUF."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def convert_llama_or_gemma(folder, config, writer):
    tensors = Safetensors(folder)
    gemma = config["model_type"] == "gemma3_text"
    heads, kv_heads, head_dim = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    if gemma:
        writer.add_sliding_window(config["sliding_window"])
    else:
        writer.add_rope_dimension_count(head_dim)

    def norm(name):  # Gemma's hold w of 1 + w, GGUF the sum
        return tensors[name] + 1 if gemma else tensors[name]

    add_tensor(writer, "token_embd.weight", tensors["model.embed_tokens.weight"])
    add_tensor(writer, "output_norm.weight", norm("model.norm.weight"))
    if not config["tie_word_embeddings"]:
        add_tensor(writer, "output.weight", tensors["lm_head.weight"])
    norms = {"input_layernorm": "attn_norm", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}
    if gemma:
        norms.update({"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
                      "post_feedforward_layernorm": "post_ffw_norm"})
    else:
        norms["post_attention_layernorm"] = "ffn_norm"
    matrices = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
                "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
                "mlp.down_proj": "ffn_down"}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for theirs, ours in norms.items():
            if prefix + theirs + ".weight" in tensors:
                add_tensor(writer, f"blk.{layer}.{ours}.weight", norm(prefix + theirs + ".weight"))
        for theirs, ours in matrices.items():
            weight = tensors[prefix + theirs + ".weight"]
            if not gemma and ours in ("attn_q", "attn_k"):
                weight = interleave(weight, heads if ours == "attn_q" else kv_heads)
            add_tensor(writer, f"blk.{layer}.{ours}.weight", weight)


CONVERTERS = {"gpt2": ("gpt2", convert_gpt2), "llama": ("llama", convert_llama_or_gemma),
              "gemma3_text": ("gemma3", convert_llama_or_gemma)}


def convert(folder, out):
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] not in CONVERTERS:
        raise SystemExit(f"{folder}: model_type {config['model_type']} is not one of {', '.join(CONVERTERS)}")
    architecture, converter = CONVERTERS[config["model_type"]]
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_name(folder.name)
    add_tokenizer(writer, folder, config)
    converter(folder, config, writer)
    write(writer)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    temporary = out.with_name(out.name + ".part")
    (convert if source.is_dir() else requantise)(source, temporary)
    temporary.replace(out)


if __name__ == "__main__":
    main()
