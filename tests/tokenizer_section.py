"""Reads the tokenizer section of a plan from docs/plan-format.md alone, and checks what it says there."""
import json, struct

FACTOR = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def text_hash(text):
    h = FACTOR * len(text) & MASK
    for i in range(0, len(text), 8):
        h = (h ^ int.from_bytes(text[i : i + 8], "little")) * FACTOR & MASK
        h ^= h >> 32
    return h


def merge_hash(left, right):
    h = (left << 32 | right) * FACTOR & MASK
    return h ^ h >> 32


def check_table(slots, entries):
    """`entries` are (hash, value): every value stands in the first slot that was empty, and there is nothing else."""
    count = len(slots)
    assert count >= 2 and count & (count - 1) == 0, count
    assert sorted(value for value in slots if value >= 0) == sorted(value for _, value in entries)
    for h, value in entries:
        slot = h & (count - 1)
        while slots[slot] != value:
            assert slots[slot] >= 0, f"{value} is not found"
            slot = (slot + 1) & (count - 1)


def read_tokenizer(section):
    magic, version, tokens, text_bytes, scores, merges, piece_slots, merge_slots, added, longest, cuts, json_bytes, zero = struct.unpack_from("<8s12I", section)
    assert magic == b"WEFTTOKN" and version == 1 and zero == 0 and cuts in (0, 1)
    at = 56

    def array(form, count):
        nonlocal at
        values = struct.unpack_from(f"<{count}{form}", section, at)
        at += count * struct.calcsize(form)
        return values

    byte_tokens, offsets, score = array("i", 256), array("I", tokens + 1), array("f", scores)
    merge = array("i", 3 * merges)
    merge = [merge[i : i + 3] for i in range(0, 3 * merges, 3)]
    pieces, merge_ranks = array("i", piece_slots), array("i", merge_slots)
    entries = array("I", 6 * added)
    types = array("B", tokens)
    text = section[at : at + text_bytes]
    settings = json.loads(section[at + text_bytes :])
    assert at + text_bytes + json_bytes == len(section)
    vocabulary = [text[offsets[i] : offsets[i + 1]] for i in range(tokens)]
    scored = settings["merging"] == "scored"
    assert scores == (tokens if scored else 0) and (scored or settings["merging"] == "ranked")
    for token in vocabulary:
        token.decode()

    reachable = {}
    for id, token in enumerate(vocabulary):
        if token and types[id] in ((1, 4, 5) if scored else (1, 4)):
            reachable[token] = id
    check_table(pieces, [(text_hash(token), id) for token, id in reachable.items()])
    assert longest == max(map(len, reachable), default=0)
    ranks = {}
    for rank, (left, right, made) in enumerate(merge):
        assert made == reachable[vocabulary[left] + vocabulary[right]]
        ranks[left, right] = rank
    check_table(merge_ranks, [(merge_hash(*pair), rank) for pair, rank in ranks.items()])
    for byte, id in enumerate(byte_tokens):
        assert id == -1 or vocabulary[id].lower() == b"<0x%02x>" % byte
    added_tokens = []
    for i in range(0, 6 * added, 6):
        id, flags, begin, size, pattern_begin, pattern_size = entries[i : i + 6]
        assert id < tokens and flags < 32 and 0 < pattern_size and max(begin + size, pattern_begin + pattern_size) <= text_bytes
        added_tokens.append({"id": id, "special": bool(flags & 1), "content": text[begin : begin + size].decode()})
    return {"tokens": [token.decode() for token in vocabulary], "types": types, "scores": score, "merges": [m[:2] for m in merge],
            "added": added_tokens, **settings}
