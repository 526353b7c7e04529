#!/usr/bin/env python3
"""The tokenizer section of plans, as docs/plan-format.md has it, against the tokenizer.json that it came from.
Usage: tokenizer_section_test.py path/to/weft [unittest arguments]; runs from the source folder."""
import json, struct, unittest

from cli_test import TINY, CommandTest
from tokenizer_section import read_tokenizer


class TokenizerSection(CommandTest):
    def test_the_tokenizer_of_a_plan(self):
        for name in ("gpt2", "gemma3"):
            plan = self.folder / "m.weft"
            self.succeeds("compile", TINY / name, "-o", plan)
            data = plan.read_bytes()
            sections = [struct.unpack_from("<IIQQQ", data, 32 + 32 * i) for i in range(struct.unpack_from("<I", data, 12)[0])]
            tokenizer = next(read_tokenizer(data[offset : offset + size]) for kind, _, offset, size, _ in sections if kind == 4)
            source = json.loads((TINY / name / "tokenizer.json").read_text())
            ids = {**source["model"]["vocab"], **{token["content"]: token["id"] for token in source["added_tokens"]}}
            self.assertEqual({token: id for id, token in enumerate(tokenizer["tokens"]) if token}, ids)
            merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in source["model"]["merges"]]
            self.assertEqual([(tokenizer["tokens"][left], tokenizer["tokens"][right]) for left, right in tokenizer["merges"]], merges)
            self.assertEqual([(token["content"], token["special"]) for token in tokenizer["added"]],
                             [(token["content"], token["special"]) for token in source["added_tokens"]])
            self.assertEqual(tokenizer["pre_tokenizer"], source["pre_tokenizer"])


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
