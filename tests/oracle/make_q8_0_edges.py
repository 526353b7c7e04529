#!/usr/bin/env python3
"""Q8_0 blocks at the edges of what their F16 scales hold, by the gguf Python package: OUT/q8_0-edges.safetensors with
"x" f32 [blocks, 32] and "raw" u8 [blocks, 34]. Nothing whose scale F16 would round to infinity: Weft refuses that.

Needs: pip install gguf numpy
Usage: make_q8_0_edges.py OUT
"""
import json, pathlib, struct, sys
import gguf
import numpy as np

rng = np.random.default_rng(3)
blocks = []


def block(largest, others=1.0):
    """Random values up to `largest` in size, which is somewhere among them with some sign."""
    x = (rng.uniform(-1, 1, 32) * others).astype(np.float32) * np.float32(largest)
    x[rng.integers(32)] = np.float32(largest) * rng.choice([-1, 1])
    blocks.append(x.astype(np.float32))


for power in range(-149, 23):  # 2^23 / 127 is above 65504, the largest F16
    block(np.ldexp(np.float32(1), power))
    block(np.ldexp(np.float32(rng.uniform(1, 2)), power) if power < 22 else np.ldexp(np.float32(1.5), power))
# Scales at and beside the ties of subnormal F16s, the smallest of which is 2^-24, and where it rounds to zero; and around the largest.
for scale in [(k + half) * 2.0**-24 for k in (0, 1, 2, 3, 1022, 1023, 1024) for half in (0, 0.5)] + [2.0**-25, 2.0**-14, 65504, 65519]:
    for nudge in (-1, 0, 1):
        largest = np.float32(scale * 127)
        for _ in range(abs(nudge)):
            largest = np.nextafter(largest, np.float32(np.inf if nudge > 0 else 0))
        block(largest)
for value in (0.0, -0.0, 1e-45, -1e-45, 1.17549435e-38, 5e-39):  # one value among zeros
    x = np.zeros(32, np.float32)
    x[17] = value
    blocks.append(x)
for step in (0.5, 1.5, 126.5):  # quants at ties, scale 1
    x = np.full(32, step, np.float32)
    x[1::2] = -step
    x[0] = 127
    blocks.append(x)

x = np.stack(blocks)
with np.errstate(all="ignore"):
    raw = gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0)
assert np.isfinite(raw[:, :2].copy().view(np.float16)).all()
header = {"x": {"dtype": "F32", "shape": list(x.shape), "data_offsets": [0, x.nbytes]},
          "raw": {"dtype": "U8", "shape": list(raw.shape), "data_offsets": [x.nbytes, x.nbytes + raw.nbytes]}}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
(pathlib.Path(sys.argv[1]) / "q8_0-edges.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + x.tobytes() + raw.tobytes())
print(len(blocks), "blocks, of scale zero", int((raw[:, :2].copy().view(np.uint16) == 0).sum()))
