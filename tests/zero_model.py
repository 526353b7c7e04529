"""A llama of zeros for tests of memory and of crashes: a folder whose weights are a sparse file, so that size costs no disk."""
import json, pathlib, shutil, struct

TINY = pathlib.Path("tests/oracle/tiny")


def write(folder, hidden=1536, intermediate=4096, layers=5, vocab=512, positions=512):
    """Writes the model into `folder`, which must not exist; returns the bytes of its F32 weights. `hidden` is a multiple of 128."""
    shutil.copytree(TINY / "llama-gqa", folder)
    config = json.loads((folder / "config.json").read_text())
    config.update(hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=hidden // 128,
                  num_key_value_heads=hidden // 128, head_dim=128, max_position_embeddings=positions)
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"model.embed_tokens.weight": [vocab, hidden], "model.norm.weight": [hidden], "lm_head.weight": [vocab, hidden]}
    for layer in range(layers):
        at = f"model.layers.{layer}."
        shapes.update({at + f"self_attn.{name}_proj.weight": [hidden, hidden] for name in "qkvo"})
        shapes.update({at + f"mlp.{name}_proj.weight": [intermediate, hidden] for name in ("gate", "up")})
        shapes[at + "mlp.down_proj.weight"] = [hidden, intermediate]
        shapes.update({at + f"{name}_layernorm.weight": [hidden] for name in ("input", "post_attention")})
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return end
