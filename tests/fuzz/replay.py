#!/usr/bin/env python3
"""replay.py BINARY TARGET: runs a fuzz target that is built without libFuzzer on what was found before (findings/TARGET) and on the
corpus that fuzzing has grown (corpus/TARGET.tar.xz). Runs from the source folder."""
import pathlib, subprocess, sys, tarfile, tempfile

binary, target = sys.argv[1:]
here = pathlib.Path("tests/fuzz")
findings = here / "findings" / target
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(here / "corpus" / f"{target}.tar.xz") as corpus:
        corpus.extractall(folder)
    result = subprocess.run([binary, *([findings] if findings.exists() else []), folder], capture_output=True, text=True, errors="replace", timeout=900)
print("".join(result.stdout.splitlines(keepends=True)[-3:]), result.stderr)
sys.exit(result.returncode != 0)
