#!/usr/bin/env python3
"""What transformers computes in float32 where numbers are at their edges: OUT/<family>.safetensors for every model of tiny/, with a tensor
f32 [T, vocab / 32] for each change below, the logits of every 32nd id at all positions of the golden prompt. tests/edge_weights_test.cc makes
the same changes.

What no number is left of is NaN in all of a sequence here: attention multiplies what a position must not see by a weight of zero, and zero
times NaN is NaN. Only finite numbers bear comparing.

Needs: pip install torch transformers safetensors
Usage: make_edge_goldens.py OUT
"""
import pathlib, shutil, sys, tempfile
import torch
import transformers
from safetensors.torch import load_file, save_file

TINY = pathlib.Path(__file__).with_name("tiny")
LARGEST = torch.finfo(torch.float32).max
is_embedding = lambda name: "embed_tokens" in name or "wte" in name
is_first_norm = lambda name: "h.0.ln_1.weight" in name or "layers.0.input_layernorm.weight" in name
is_second_norm = lambda name: "h.1.ln_1.weight" in name or "layers.1.input_layernorm.weight" in name


def large(value):
    """In the embedding of the prompt's token 11, and in a weight of a norm."""

    def change(name, x, ids):
        if is_embedding(name):
            x[ids[11], 2] = value
        if is_second_norm(name):
            x[1] = value

    return change


def zero_rows(name, x, ids):
    if is_embedding(name):
        x[ids[7]] = 0
    if "wpe" in name:
        x.zero_()


def subnormal(name, x, ids):
    if is_embedding(name) or "wpe" in name:
        x.mul_(torch.tensor(1e-40))
    if is_first_norm(name):
        x.mul_(torch.tensor(3e36))


CHANGES = {"largest": large(LARGEST), "1e30": large(1e30), "-1e20": large(-1e20), "zero_rows": zero_rows, "subnormal": subnormal}

torch.set_flush_denormal(False)
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
for folder in sorted(TINY.iterdir()):
    weights = load_file(folder / "model.safetensors")
    ids = load_file(folder / "golden.safetensors")["input_ids"]
    results = {}
    for label, change in CHANGES.items():
        changed = {name: x.clone() for name, x in weights.items()}
        for name, x in changed.items():
            change(name, x, ids)
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy(folder / "config.json", scratch)
            save_file(changed, pathlib.Path(scratch) / "model.safetensors", metadata={"format": "pt"})
            model = transformers.AutoModelForCausalLM.from_pretrained(scratch, dtype=torch.float32, attn_implementation="eager")
        with torch.no_grad():
            results[label] = model(ids[None], use_cache=False).logits[0, :, ::32].contiguous()
        print(f"{folder.name:12} {label:10} finite {int(results[label].isfinite().sum())} of {results[label].numel()}, std {results[label].std():.3f}")
    save_file(results, out / f"{folder.name}.safetensors")
