#!/usr/bin/env python3
"""Runs the `// RUN:` lines of a test, as LLVM's lit does: run_filecheck.py --filecheck F --tool T test.wir

In a line, `weft-opt` and `FileCheck` are the given programs, `%s` is the test and `not CMD` wants CMD to fail with
exit code 1. A test without RUN lines fails.
"""

import argparse
import pathlib
import re
import shlex
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--filecheck", required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("test", type=pathlib.Path)
    args = parser.parse_args()

    prelude = "\n".join([
        "set -o pipefail",
        f'weft-opt() {{ {shlex.quote(args.tool)} "$@"; }}',
        f'FileCheck() {{ {shlex.quote(args.filecheck)} --dump-input=fail "$@"; }}',
        'not() { "$@"; [ $? -eq 1 ]; }',
    ])
    lines = re.findall(r"^\s*// RUN:(.*)$", args.test.read_text(encoding="utf-8"), re.MULTILINE)
    if not lines:
        print(f"{args.test}: no RUN line", file=sys.stderr)
        return 1
    for line in lines:
        command = line.strip().replace("%s", shlex.quote(str(args.test)))
        if subprocess.run(["bash", "-c", f"{prelude}\n{command}"], check=False).returncode != 0:
            print(f"{args.test}: failed: {command}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
