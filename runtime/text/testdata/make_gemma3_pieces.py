#!/usr/bin/env python3
"""The excerpt of Gemma 3's vocabulary that the texts of tokenizer-gemma3.json can reach.

SentencePiece merges only look up pieces that are substrings of the text, so leaving out all others changes no id.
Writes [[id, type, score, piece], ...] as one JSON array, byte pieces and <unk> included.

Needs: pip install gguf
Usage: make_gemma3_pieces.py gemma-3-270m.gguf tests/oracle/vectors/tokenizer-gemma3.json > gemma3_pieces.json
"""
import json
import sys

import gguf

fields = gguf.GGUFReader(sys.argv[1]).fields
tokens, scores, types = (fields["tokenizer.ggml." + key].contents() for key in ("tokens", "scores", "token_type"))
texts = [row["text"] for row in json.load(open(sys.argv[2]))]
texts += [text.replace(" ", "\u2581") for text in texts]
longest = max(map(len, tokens))
seen = {text[i:j] for text in texts for i in range(len(text)) for j in range(i + 1, min(i + longest, len(text)) + 1)}
rows = [
    [i, kind, score, token]
    for i, (token, kind, score) in enumerate(zip(tokens, types, scores))
    if token in seen or kind == 6 or token == "<unk>"
]
print("[" + ",\n".join(json.dumps(row) for row in rows) + "]")
