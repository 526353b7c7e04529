#!/usr/bin/env python3
"""check_includes.py FILE…: every include follows the table of docs/architecture.md.

A room may include itself, the rooms its row names, and what those may include. LLVM's headers count as a room. Tests
(*_test.cc) and what is in no room (tests/, bench/) may include anything.
"""

import pathlib
import re
import sys

TABLE = "docs/architecture.md"
LLVM = "LLVM"
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')


def read_table(text):
    """Room -> the rooms that it may include, from the rows `| `room` | what | may use |`."""
    rows = dict(re.findall(r"^\| `([a-z/]+)` \|[^|]*\| ([^|]+) \|$", text, re.MULTILINE))
    named = {room.removeprefix("runtime/"): room for room in rows} | {LLVM: LLVM}
    direct = {}
    for room, uses in rows.items():
        if uses.strip() == "all":
            direct[room] = set(rows)  # all rooms; LLVM stays where it is named
        elif uses.strip() == "nothing":
            direct[room] = set()
        else:
            # "ir, abi, base" – a name that the table does not have is a mistake in the table.
            direct[room] = {named[use.strip()] for use in uses.split(",")}
    return direct


def closure(direct, room):
    reached, todo = set(), [room]
    while todo:
        current = todo.pop()
        if current not in reached:
            reached.add(current)
            todo.extend(direct.get(current, ()))
    return reached


def room_of(path, rooms):
    """The innermost room that holds the path, or None."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in rooms:
            return "/".join(parts[:length])
    return None


def included_room(header, rooms):
    return LLVM if re.match(r"(llvm|llvm-c|lld)/", header) else room_of(header, rooms)


def main(files):
    direct = read_table(pathlib.Path(TABLE).read_text(encoding="utf-8"))
    if not direct:
        sys.exit(f"{TABLE} has no table of rooms")
    # What a room links, its users link as well; but LLVM's headers stay where the table names them.
    allowed = {room: closure(direct, room) - ({LLVM} - direct[room]) for room in direct}
    errors = 0
    for file in files:
        room = room_of(file, direct)
        if room is None or file.endswith("_test.cc"):
            continue
        for number, line in enumerate(pathlib.Path(file).read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            target = match and included_room(match.group(1), direct)
            if target and target not in allowed[room]:
                print(f"{file}:{number}: {room} may not include {match.group(1)} ({target}); see {TABLE}", file=sys.stderr)
                errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
