#!/usr/bin/env python3
"""make_dictionaries.py OUT: a libFuzzer dictionary for every target, out of the string literals of the sources that read its format, so that
no list of keys, types and ops is kept twice. Runs from the source folder."""
import pathlib
import re
import sys

# Target: the sources whose strings are its words, and words of its own.
INTEGERS = [n.to_bytes(8, "little") for n in (0, 1, 31, 32, 2**31, 2**32, 2**61 + 1, 2**63 - 1, 2**63, 2**64 - 32, 2**64 - 1)]
NUMBERS = [b"1e999", b"-1", b"0.5", b"18446744073709551615", b"18446744073709551616", b"9223372036854775807", b"NaN", b"null", b"true", b"false", b"[[", b"]]", b'"":', b"\\ud800"]
REGEX = [b"(?i)", b"(?-i)", b"(?i:", b"(?>", b"(?=", b"(?!", b"(?<=", b"(?<!", b"(?#", b"(?R)", b"(?1)", b"(*", b"[[:alpha:]]", b"[:", b"&&", b"[^", b"a-z", b"{2,4}", b"{1,2}+", b"*+", b"*?", b"\\1", b"\\h", b"\\G", b"\\K", b"\\Q",
         b"\\b", b"\\X", b"\\R", b"\\p{L}", b"\\P{N}", b"\\x{10FFFF}", b"\\x{0}-\\x{10FFFF}"]
TARGETS = {
    "safetensors": (["frontends/safetensors.cc"], NUMBERS + INTEGERS),
    "gguf": (["frontends/gguf*.cc", "frontends/families/*.cc", "runtime/text/tokenizer_gguf.cc", "runtime/text/pre_tokenizer.cc"], INTEGERS + [b"GGUF"]),
    "tokenizer_json": (["runtime/text/tokenizer*.cc", "runtime/text/normalizer.cc", "runtime/text/pre_tokenizer*.cc", "runtime/text/bpe*.cc"], NUMBERS + REGEX),
    "config_json": (["frontends/*config*.cc", "frontends/hf_rope.cc", "frontends/text_settings.cc", "frontends/safetensors.cc", "frontends/families/*.cc"], NUMBERS),
    "chat_template": (["runtime/text/jinja_*.cc", "runtime/text/chat_template.cc"],
                      [b"{%", b"%}", b"{{", b"}}", b"{%-", b"-%}", b"{#", b"#}", b"loop.index0", b"range(", b"messages", b"namespace(", b"%s", b"[::-1]", b" in ", b" is ", b" not ", b" ~ ", b"**", b"//"]),
    "ir_text": (["ir/*.cc", "ir/ops.def", "runtime/abi/data_type.cc"], [b"9223372036854775807", b"-9223372036854775808", b"1e999", b"nan", b"[T]", b"f32[", b"%0", b" = ", b" -> "]),
    "plan": (["runtime/plan/*.cc", "runtime/text/tokenizer_image.cc", "runtime/abi/data_type.cc", "ir/ops.def"], NUMBERS + INTEGERS),
}
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def words(pattern):
    for path in sorted(pathlib.Path(".").glob(pattern)):
        if path.name.endswith("_test.cc"):
            continue
        for line in path.read_text().splitlines():
            if line.lstrip().startswith(("//", "#")):
                continue
            for literal in LITERAL.findall(line):
                if 0 < len(literal) <= 48 and literal.count(" ") <= 1 and "\\" not in literal:  # longer ones are messages
                    yield literal.encode()


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for target, (patterns, own) in TARGETS.items():
        found = set(own)
        for pattern in patterns:
            assert list(pathlib.Path(".").glob(pattern)), pattern
            found.update(words(pattern))
        lines = ['"' + "".join(f"\\x{b:02x}" if b < 32 or b > 126 or b in b'"\\' else chr(b) for b in word) + '"' for word in sorted(found)]
        (out / f"{target}.dict").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
