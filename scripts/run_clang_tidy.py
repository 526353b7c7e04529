#!/usr/bin/env python3
"""run_clang_tidy.py --build DIR [--changed FILE|-]: clang-tidy, a few files at a time.

With --changed it checks only the sources listed there (one per line) and, for each header there that none of them reads, one
source that does: all that read it may be most of the tree, and an hour. What passed is remembered in DIR/lint by the content
of everything the check read, so that repeating it is quick.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys

TIDY = "clang-tidy-19"
CONFIG = ".clang-tidy"


def units(build, root):
    """Source -> object file, of the sources below root."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if source.is_relative_to(root) and not source.is_relative_to(build):
            found[str(source.relative_to(root))] = entry.get("output") or entry["command"].split(" -o ")[1].split()[0]
    return found


def dependencies(build, root):
    """Object file -> the project's files that it was built from, as ninja recorded them."""
    listing = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True, check=False).stdout
    found, current = {}, None
    for line in listing.splitlines():
        if not line.startswith(" "):
            current = found.setdefault(line.split(":")[0], []) if "(VALID)" in line else None
        elif current is not None:
            path = (build / line.strip()).resolve()
            if path.is_relative_to(root):
                current.append(str(path.relative_to(root)))
    return found


@functools.cache
def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def chosen(sources, changed):
    """The sources to check: those that changed, and one reader of each changed header that these do not read."""
    found = changed & sources.keys()
    for header in sorted(changed):
        readers = [source for source, inputs in sources.items() if header in inputs]
        if readers and found.isdisjoint(readers):
            own = str(pathlib.Path(header).with_suffix(".cc"))
            found.add(own if own in readers else readers[0])
    return found


def check(source, stamp, build):
    result = subprocess.run([TIDY, "--quiet", "-p", str(build), source], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return f"{result.stdout}{result.stderr}"
    if stamp:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--changed", type=argparse.FileType(encoding="utf-8"))
    arguments = parser.parse_args()
    root = pathlib.Path.cwd().resolve()
    build = arguments.build.resolve()
    read_by = dependencies(build, root)
    changed = set(arguments.changed.read().split("\n")) if arguments.changed else None
    version = subprocess.run([TIDY, "--version"], capture_output=True, text=True, check=True).stdout

    outputs = units(build, root)
    sources = {source: sorted({source, *read_by.get(output, ())}) for source, output in sorted(outputs.items())}
    jobs = []
    for source in sorted(sources if changed is None or CONFIG in changed else chosen(sources, changed)):
        output, inputs = outputs[source], sources[source]
        stamp = None
        if output in read_by:  # or else what it reads is unknown
            key = hashlib.sha256("\n".join([version, digest(CONFIG), *inputs, *map(digest, inputs)]).encode())
            stamp = build / "lint" / key.hexdigest()
        if stamp is None or not stamp.exists():
            jobs.append((source, stamp))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {pool.submit(check, source, stamp, build): source for source, stamp in jobs}
        for future in concurrent.futures.as_completed(futures):
            if future.result():
                failed += 1
                print(f"{futures[future]}:\n{future.result()}", file=sys.stderr)
    print(f"clang-tidy: {len(jobs)} files checked, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
