#!/usr/bin/env python3
"""plan_reader.py PLAN...: reads plans as docs/plan-format.md has them, by that text alone, and checks every section. Prints a line for
each plan; exits with 1 at the first thing that is not as the text says."""
import ctypes, ctypes.util, json, pathlib, re, struct, sys

from tokenizer_section import read_tokenizer

XXHASH = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
XXHASH.XXH3_64bits.argtypes, XXHASH.XXH3_64bits.restype = (ctypes.c_char_p, ctypes.c_size_t), ctypes.c_uint64

FORMAT_VERSION = 4
KINDS = {1: "program", 2: "metadata", 3: "IR", 4: "tokenizer", 5: "chat template", 6: "machine code", 7: "weights", 8: "side files"}
PROGRAM = {"arena_bytes": int, "weight_bytes": int, "kv_bytes": int, "max_tokens": int, "max_logit_rows": int, "context": int, "vocab": int,
           "tokens": dict, "positions": dict, "logits": dict, "argmax": dict, "logits_stride": int, "steps": list}
STEP = {"name": str, "kind": str, "kernel": str, "extent": str, "units": int, "unit_rows": int, "grain": int, "weight_bytes": int,
        "macs_per_row": int, "detail": str, "operands": list}
OPERAND = {"space": str, "offset": int, "bytes": int, "written": bool, "stride": int}
METADATA = {"weft_version": str, "model": str, "source": list, "targets": list, "stages": list, "kv_format": str, "options": list,
            "eos_ids": list, "bos_id": int, "generation": list, "decisions": list}


def checksum_of(data):
    return XXHASH.XXH3_64bits(data, len(data))


def check(condition, message):
    if not condition:
        raise ValueError(message)


def fields(value, types, where):
    check(isinstance(value, dict) and value.keys() == types.keys(), f"{where}: fields are not {', '.join(types)}")
    for name, kind in types.items():
        check(type(value[name]) is kind or (kind is float and type(value[name]) is int), f"{where}: {name} is no {kind.__name__}")


def read_table(data):
    check(data[:8] == b"WEFTPLAN", "no plan: the magic is missing")
    check(len(data) >= 32, "shorter than a header")
    version, count, size, checksum = struct.unpack_from("<IIQQ", data, 8)
    check(version == FORMAT_VERSION, f"format version {version}, not {FORMAT_VERSION}")
    check(size == len(data), f"{len(data)} bytes, its header says {size}")
    check(count <= 127 and 32 + 32 * count <= size, f"{count} sections")
    table = data[32 : 32 + 32 * count]
    check(checksum_of(data[:24] + table) == checksum, "checksum of the header")
    sections, end = {}, 32 + 32 * count
    for kind, index, offset, length, checksum in sorted(struct.iter_unpack("<IIQQQ", table), key=lambda entry: entry[2]):
        name = f"{KINDS.get(kind, 'kind')} {index}"
        check(kind in KINDS and (index == 0 or kind in (3, 6)) and (kind, index) not in sections, f"{name}: unknown or repeated")
        check(offset % 4096 == 0 and end <= offset <= size and length <= size - offset, f"{name}: misplaced")
        check(not any(data[end:offset]), f"{name}: the bytes before it are not zero")
        end = offset + length
        sections[kind, index] = data[offset:end]
        check(checksum_of(data[offset:end]) == checksum, f"{name}: checksum")
    check(end == size, "bytes behind the last section")
    for kind in (1, 2, 6):
        check((kind, 0) in sections, f"{KINDS[kind]}: missing")
    check(((7, 0) in sections) != ((8, 0) in sections), "weights or side files: not one of them")
    return sections


def weights_of(sections, folder):
    if (7, 0) in sections:
        return sections[7, 0]
    document = json.loads(sections[8, 0])
    fields(document, {"files": list}, "side files")
    weights, count = b"", len(document["files"])
    for i, entry in enumerate(document["files"]):
        fields(entry, {"name": str, "bytes": int, "checksum": int}, f"side files: {i}")
        check(pathlib.PurePath(entry["name"]).name == entry["name"], f"side files: {i}: name")
        check(entry["bytes"] > 0 and (i == count - 1 or entry["bytes"] % 4096 == 0), f"side files: {i}: bytes")
        data = (folder / entry["name"]).read_bytes()
        header = struct.pack("<8sIIQQ", b"WEFTPART", i + 1, count, entry["bytes"], entry["checksum"])
        check(data[:4096] == header.ljust(4096, b"\0") and len(data) == 4096 + entry["bytes"], f"{entry['name']}: header or size")
        check(checksum_of(data[4096:]) == entry["checksum"], f"{entry['name']}: checksum")
        weights += data[4096:]
    return weights


def check_program(program, weights):
    fields(program, PROGRAM, "program")
    spaces = {"arena": program["arena_bytes"], "weights": program["weight_bytes"], "kv_cache": program["kv_bytes"]}
    tokens, logit_rows = program["max_tokens"], program["max_logit_rows"]
    check(all(0 <= size <= 2**46 for size in spaces.values()) and spaces["weights"] == len(weights), "program: sizes of the spaces")
    check(1 <= logit_rows <= tokens and all(1 <= program[name] <= 2**24 for name in ("max_tokens", "context", "vocab")), "program: counts")

    def operand(value, where):
        fields(value, OPERAND, where)
        check(0 <= value["offset"] and 0 <= value["bytes"] and value["offset"] + value["bytes"] <= spaces[value["space"]], f"{where}: outside its space")
        check(value["offset"] % 4 == 0 and not (value["written"] and value["space"] == "weights"), f"{where}: unaligned, or writes to the weights")
        return value

    row = 4 * program["vocab"]
    check(program["logits_stride"] >= row and program["logits_stride"] % 4 == 0, "program: logits_stride")
    for name, needed in {"tokens": 4 * tokens, "positions": 4 * tokens, "argmax": 4 * logit_rows,
                         "logits": (logit_rows - 1) * program["logits_stride"] + row}.items():
        value = operand(program[name], f"program: {name}")
        check(value["space"] == "arena" and value["bytes"] >= needed, f"program: {name}: too small or not in the arena")
    for i, step in enumerate(program["steps"]):
        where = f"program: step {i}"
        fields(step, STEP, where)
        rows = {"one": 1, "tokens": tokens, "logit_rows": logit_rows}[step["extent"]]
        check(step["kernel"] and 1 <= step["units"] <= 2**40 // rows and 1 <= step["grain"] <= 2**40 and 1 <= step["unit_rows"] <= 2**24
              and 0 <= step["weight_bytes"] <= 2**46 and 0 <= step["macs_per_row"] <= 2**46, f"{where}: kernel or counts")
        for value in step["operands"]:
            stride = operand(value, where)["stride"]
            check(stride == 0 or (stride > 0 and stride % 4 == 0 and step["extent"] != "one" and value["space"] == "arena"
                                  and -(-value["bytes"] // stride) == rows), f"{where}: stride")
    return [re.sub(b"[^A-Za-z0-9._]", b"_", f"step{i}.{step['name']}.{step['kernel']}".encode()).decode() for i, step in enumerate(program["steps"])]


def check_metadata(metadata, sections):
    fields(metadata, METADATA, "metadata")
    parts = {"source": {"name": str, "bytes": int, "sha256": str}, "targets": {"name": str, "cpu_features": int},
             "options": {"name": str, "value": str}, "generation": {"name": str, "value": float},
             "decisions": {"weight": str, "format": str, "why": str}}
    for name, types in parts.items():
        for entry in metadata[name]:
            fields(entry, types, f"metadata: {name}")
    check(all(type(value) is int for value in metadata["eos_ids"]) and metadata["bos_id"] >= -1, "metadata: ids")
    check(all(type(value) is str for value in metadata["stages"]), "metadata: stages")
    targets = [target["name"] for target in metadata["targets"]]
    for kind, names, least, most in ((6, targets, 1, 8), (3, metadata["stages"], 0, 64)):
        check(least <= len(names) <= most and len(set(names)) == len(names), f"metadata: names of {KINDS[kind]}")
        check({index for other, index in sections if other == kind} == set(range(len(names))), f"{KINDS[kind]}: not one for each name")
    return targets


def symbols(code):
    """Those that an ELF shared object for x86-64 defines in its dynamic symbol table."""
    check(code[:7] == b"\x7fELF\2\1\1" and struct.unpack_from("<HH", code, 16) == (3, 62), "machine code: no ELF shared object for x86-64")
    (table,), (size, count) = struct.unpack_from("<Q", code, 40), struct.unpack_from("<HH", code, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", code, table + i * size) for i in range(count)]
    (dynamic,) = [header for header in headers if header[1] == 11]
    names = headers[dynamic[6]][4]
    return {code[names + name : code.index(b"\0", names + name)].decode()
            for name, _, _, section, _, _ in struct.iter_unpack("<IBBHQQ", code[dynamic[4] : dynamic[4] + dynamic[5]]) if section != 0}


def read(data, folder=pathlib.Path()):
    """`folder` is where its side files are."""
    sections = read_table(data)
    steps = check_program(json.loads(sections[1, 0]), weights_of(sections, folder))
    metadata = json.loads(sections[2, 0])
    targets = check_metadata(metadata, sections)
    for i, target in enumerate(targets):
        missing = set(steps) - symbols(sections[6, i])
        check(not missing, f"machine code for {target}: no {missing}")
    for (kind, index), content in sections.items():
        if kind == 4:
            read_tokenizer(content)
        elif kind in (3, 5):
            text = content.decode()
            check(kind != 3 or text.startswith("module "), f"IR {index}: no module")
    return f"{metadata['model']} for {', '.join(targets)}: {len(sections)} sections, {len(steps)} steps"


if __name__ == "__main__":
    for path in sys.argv[1:]:
        try:
            print(f"{path}: {read(pathlib.Path(path).read_bytes(), pathlib.Path(path).parent)}")
        except (AssertionError, ValueError, KeyError, struct.error, IndexError) as error:
            sys.exit(f"{path}: {error!r}")
