#!/usr/bin/env python3
"""pack_corpus.py FOLDER OUT.tar.xz: the files of a folder, so that the same files give the same bytes. Files of one target are much alike,
which a dictionary as large as all of them makes use of."""
import io, lzma, pathlib, sys, tarfile

folder, out = map(pathlib.Path, sys.argv[1:])
out.parent.mkdir(exist_ok=True)
filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 28}]
with lzma.open(out, "wb", filters=filters) as packed, tarfile.open(fileobj=packed, mode="w") as corpus:
    for path in sorted(folder.iterdir(), key=lambda p: (p.stat().st_size, p.name)):
        content = path.read_bytes()
        entry = tarfile.TarInfo(path.name)
        entry.size = len(content)
        corpus.addfile(entry, io.BytesIO(content))
