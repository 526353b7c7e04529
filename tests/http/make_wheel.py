#!/usr/bin/env python3
"""Writes a wheel with data files: make_wheel.py FOLDER PACKAGE VERSION MEMBER TEXT [MEMBER TEXT]…; TEXT "zeros:N" is
N zero bytes, "file:PATH" those of a file, "bzip2:TEXT" that text packed so."""

import pathlib
import sys
import zipfile


def main():
    folder, package, version, *data = sys.argv[1:]
    stem = f"{package.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    forms = {"zeros": lambda count: bytes(int(count)), "file": lambda path: pathlib.Path(path).read_bytes()}

    def content(text):
        form, colon, argument = text.removeprefix("bzip2:").partition(":")
        return forms[form](argument) if colon and form in forms else text.encode()

    texts = dict(zip(data[::2], data[1::2]))
    files = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode(),
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    for name, text in texts.items():
        files[name] = files.get(name, b"") + content(text)  # behind what must stand there
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(pathlib.Path(folder) / f"{stem}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            wheel.writestr(name, data, zipfile.ZIP_BZIP2 if texts.get(name, "").startswith("bzip2:") else None)


if __name__ == "__main__":
    main()
