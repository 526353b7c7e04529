#!/usr/bin/env python3
"""plan_reader_test.py WEFT: the independent reader of plans agrees with what the compiler writes, thin and fat, and refuses damage, as
`weft verify` does. Runs from the source folder."""
import json, pathlib, struct, subprocess, sys, tempfile, unittest

import plan_reader

WEFT = sys.argv.pop(1)
TINY = pathlib.Path("tests/oracle/tiny")


class PlanReaderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)

    def compile(self, model, *options):
        path = self.folder / "m.weft"
        subprocess.run([WEFT, "compile", TINY / model, "-o", path, *options], check=True, stdout=subprocess.DEVNULL)
        return bytearray(path.read_bytes())

    def refused(self, data, message):
        """By the reader and by weft."""
        with self.assertRaises((ValueError, KeyError, struct.error), msg=message) as caught:
            plan_reader.read(bytes(data))
        self.assertRegex(str(caught.exception), message)
        path = self.folder / "damaged.weft"
        path.write_bytes(data)
        self.assertEqual(subprocess.run([WEFT, "verify", path], capture_output=True).returncode, 1, message)

    def test_side_files(self):
        data = self.compile("gemma3", "--weights", "f32", "--split-size", "100K")
        self.assertRegex(plan_reader.read(bytes(data), self.folder), "sections")
        part = sorted(self.folder.glob("m-*.weftw"))[1]
        whole = part.read_bytes()
        for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), whole[:8] + b"\1" + whole[9:]):
            part.write_bytes(damaged)
            with self.assertRaises(ValueError) as caught:
                plan_reader.read(bytes(data), self.folder)
            self.assertIn(part.name, str(caught.exception))

    def entries(self, data):
        return [list(struct.unpack_from("<IIQQQ", data, 32 + 32 * i)) for i in range(struct.unpack_from("<I", data, 12)[0])]

    def sealed(self, data, entries):
        """With a table of these entries and checksums that match."""
        for entry in entries:
            entry[4] = plan_reader.checksum_of(bytes(data[entry[2] : entry[2] + entry[3]]))
        table = b"".join(struct.pack("<IIQQQ", *entry) for entry in entries)
        data[16:24] = struct.pack("<Q", len(data))
        data[32 : 32 + len(table)] = table
        data[24:32] = struct.pack("<Q", plan_reader.checksum_of(bytes(data[:24]) + table))
        return data

    def with_json(self, data, kind, change):
        """With the JSON of a section changed; the size may grow where nothing is behind it."""
        entries = self.entries(data)
        entry = next(entry for entry in entries if entry[0] == kind)
        document = json.loads(data[entry[2] : entry[2] + entry[3]])
        for step in document.get("steps", []):
            step["detail"] = ""  # makes room
        change(document)
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        end = min((other[2] for other in entries if other[2] > entry[2]), default=entry[2] + len(text))
        self.assertLessEqual(entry[2] + len(text), end)
        data[entry[2] : max(end, entry[2] + entry[3])] = text.ljust(end - entry[2], b"\0")
        entry[3] = len(text)
        return self.sealed(data, entries)

    def test_thin_and_fat_plans(self):
        self.assertRegex(plan_reader.read(bytes(self.compile("gpt2", "--target", "x86-64-v3"))), "^gpt2 for x86-64-v3: [67] sections")
        fat = bytes(self.compile("gemma3", "--target", "amx-int8,x86-64-v3,avx512-vnni", "--record-stages"))
        self.assertRegex(plan_reader.read(fat), r"gemma3 for amx-int8, x86-64-v3, avx512-vnni: \d\d sections")

    def test_damage(self):
        good = self.compile("llama-gqa")
        for entry in self.entries(good):
            for at in (entry[2], entry[2] + entry[3] // 2, entry[2] + entry[3] - 1):
                damaged = good[:]
                damaged[at] ^= 16
                self.refused(damaged, "checksum")
        for at in range(96):
            damaged = good[:]
            damaged[at] ^= 1
            self.refused(damaged, ".")
        for size in (0, 7, 31, 100, len(good) // 2, len(good) - 1):
            self.refused(good[:size], ".")
        self.refused(good + b"\0", "its header says")

    def test_what_checksums_do_not_find(self):
        good = self.compile("llama-gqa")

        def placed(change):
            entries = self.entries(good)
            change({entry[0]: entry for entry in entries})
            return self.sealed(good[:], entries)

        self.assertTrue(plan_reader.read(bytes(placed(lambda entries: None))))
        for change, message in ((lambda e: e[3].__setitem__(0, 9), "unknown"), (lambda e: e[7].__setitem__(1, 1), "unknown"),
                                (lambda e: e[4].__setitem__(2, e[3][2]), "misplaced"), (lambda e: e[4].__setitem__(2, e[4][2] + 64), "misplaced"),
                                (lambda e: e[6].__setitem__(1, 1), "missing"), (lambda e: e[3].__setitem__(1, 1), "not one for each"),
                                (lambda e: e[7].__setitem__(3, e[7][3] - 4), "spaces|not zero")):
            self.refused(placed(change), message)
        steps = lambda program: program["steps"]
        for change, message in ((lambda p: steps(p)[1]["operands"][0].__setitem__("offset", p["arena_bytes"]), "outside"),
                                (lambda p: steps(p)[0]["operands"][1].__setitem__("written", True), "writes to the weights"),
                                (lambda p: steps(p)[0].__setitem__("units", 0), "counts"), (lambda p: p.pop("vocab"), "fields"),
                                (lambda p: steps(p)[0]["operands"][0].__setitem__("space", "kv"), "kv"),
                                (lambda p: p["logits"].__setitem__("bytes", 4), "too small"), (lambda p: p.__setitem__("context", 1.5), "no int")):
            self.refused(self.with_json(good[:], 1, change), message)
        for change, message in ((lambda m: m["targets"].clear(), "names of machine code"), (lambda m: m.pop("options"), "fields"),
                                (lambda m: m["stages"].clear(), "not one for each"), (lambda m: m.__setitem__("bos_id", -7), "ids")):
            self.refused(self.with_json(good[:], 2, change), message)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
