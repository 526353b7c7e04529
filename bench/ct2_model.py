#!/usr/bin/env python3
"""ct2_model.py MODEL.gguf OUT: the matrices of a GGUF file (GPT-2, Llama, Gemma 3) as a CTranslate2 model folder in int8.

Needs the packages ctranslate2, numpy and gguf, and none of what its own converters take. CTranslate2 quantises by rows."""
import pathlib
import shutil
import sys

import gguf
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec


class Source:
    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        self.architecture = self.key("general.architecture")
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}

    def key(self, name, fallback=None):
        field = self.reader.fields.get(name)
        return fallback if field is None else field.contents()

    def of_model(self, name, fallback=None):
        return self.key(f"{self.architecture}.{name}", fallback)

    def values(self, name):
        tensor = self.tensors[name]
        return np.ascontiguousarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)


def set_norm(spec, source, name):
    spec.gamma = source.values(name + ".weight")
    if name + ".bias" in source.tensors:
        spec.beta = source.values(name + ".bias")


def set_linear(spec, source, *names):
    """One projection, or several over the same input as one."""
    spec.weight = np.concatenate([source.values(name + ".weight") for name in names])
    if names[0] + ".bias" in source.tensors:
        spec.bias = np.concatenate([source.values(name + ".bias") for name in names])


def make_spec(source):
    layers, heads = source.of_model("block_count"), source.of_model("attention.head_count")
    if source.architecture == "gpt2":
        return transformer_spec.TransformerDecoderModelSpec.from_config(layers, heads, pre_norm=True, activation=common_spec.Activation.GELUTanh)
    gemma = source.architecture == "gemma3"
    if not gemma and source.architecture != "llama":
        raise SystemExit(f"the architecture {source.architecture} is not supported")
    head_dim = source.of_model("attention.key_length", source.of_model("embedding_length") // heads)
    kv_heads = source.of_model("attention.head_count_kv", heads)
    window = source.of_model("attention.sliding_window", 0)
    base = source.of_model("rope.freq_base", 10000.0)
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers, heads, pre_norm=True, activation=common_spec.Activation.GELUTanh if gemma else common_spec.Activation.SWISH, ffn_glu=True,
        rms_norm=True, rotary_dim=head_dim if gemma else 0, rotary_interleave=not gemma, rotary_base=10000.0 if gemma else base,
        num_heads_kv=None if kv_heads == heads else kv_heads, head_dim=head_dim if gemma else None, sliding_window=window if gemma else None,
        pre_post_layer_norm=gemma, qk_norm=gemma)
    if gemma:
        for layer in range(5, layers, 6):  # every sixth sees all positions
            spec.decoder.layer[layer].self_attention.rotary_base = np.float32(base)
            spec.decoder.layer[layer].self_attention.sliding_window = np.int32(0)
    return spec


def fill(spec, source):
    decoder = spec.decoder
    gemma, gpt2 = source.architecture == "gemma3", source.architecture == "gpt2"
    decoder.scale_embeddings = gemma
    if gemma:
        decoder.start_from_zero_embedding = False
    decoder.embeddings.weight = source.values("token_embd.weight")
    if gpt2:
        decoder.position_encodings.encodings = source.values("position_embd.weight")
    set_norm(decoder.layer_norm, source, "output_norm")
    decoder.projection.weight = source.values("output.weight" if "output.weight" in source.tensors else "token_embd.weight")
    for number, layer in enumerate(decoder.layer):
        prefix = f"blk.{number}."
        attention = layer.self_attention
        set_norm(layer.input_layer_norm if gemma else attention.layer_norm, source, prefix + "attn_norm")
        set_norm(layer.pre_feedforward_layer_norm if gemma else layer.ffn.layer_norm, source, prefix + "ffn_norm")
        if gemma:
            set_norm(layer.post_attention_layer_norm, source, prefix + "post_attention_norm")
            set_norm(layer.post_feedforward_layer_norm, source, prefix + "post_ffw_norm")
            set_norm(attention.q_norm, source, prefix + "attn_q_norm")
            set_norm(attention.k_norm, source, prefix + "attn_k_norm")
        if gpt2:
            set_linear(attention.linear[0], source, prefix + "attn_qkv")
            set_linear(layer.ffn.linear_0, source, prefix + "ffn_up")
        else:
            set_linear(attention.linear[0], source, *[prefix + f"attn_{part}" for part in "qkv"])
            set_linear(layer.ffn.linear_0, source, prefix + "ffn_gate")
            set_linear(layer.ffn.linear_0_noact, source, prefix + "ffn_up")
        set_linear(attention.linear[1], source, prefix + "attn_output")
        set_linear(layer.ffn.linear_1, source, prefix + "ffn_down")


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, out = Source(sys.argv[1]), pathlib.Path(sys.argv[2])
    spec = make_spec(source)
    fill(spec, source)
    tokens = source.key("tokenizer.ggml.tokens")
    spec.register_vocabulary(tokens)
    for name in ("bos", "eos", "unk"):
        setattr(spec.config, f"{name}_token", tokens[source.key(f"tokenizer.ggml.{name}_token_id", 0)])
    epsilon = source.of_model("attention.layer_norm_rms_epsilon", source.of_model("attention.layer_norm_epsilon"))
    spec.config.layer_norm_epsilon = epsilon
    spec.validate()
    spec.optimize(quantization="int8")
    temporary = out.with_name(out.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    spec.save(str(temporary))
    temporary.rename(out)


if __name__ == "__main__":
    main()
