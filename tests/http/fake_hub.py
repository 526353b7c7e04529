#!/usr/bin/env python3
"""A small Hugging Face hub for tests: an API and file server ("hub") and the content server it redirects to ("cdn").

Listens on two free ports of 127.0.0.1, prints {"hub": PORT, "cdn": PORT} and serves until its standard input is closed.
The first part of a model's id is its behaviour: plain/model behaves, drop/model loses connections, and so on (BEHAVIOURS).

Control, not logged:
  /_log      all requests so far: [{"server", "method", "path", "range", "authorization"}, ...]
  /_reset    forgets them, and how often each behaviour has misbehaved
  /_content/ID/FILE   the true bytes of a file
"""

import gzip
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import sys
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEXT_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
WEIGHT_BYTES = 600_000

BEHAVIOURS = {
    "plain": "as it should be",
    "noredirect": "weights come from the hub itself",
    "drop": "the cdn loses the connection half-way, twice",
    "dropalways": "the cdn loses the connection after 50,000 bytes, always",
    "norange": "as drop, and the cdn ignores Range",
    "norangealways": "the cdn loses each connection half-way and ignores Range",
    "r416": "as drop, and the cdn answers 416 to the first Range",
    "badrange": "as drop, and the cdn answers Range with other bytes than asked for",
    "badrangealways": "the cdn loses each whole answer half-way and answers Range with other bytes than asked for",
    "regress": "the cdn loses each connection after two of three megabytes and answers 416 to every Range",
    "endless404": "the cdn answers 404 and does not end telling why",
    "endless302": "the cdn redirects, first to where it does not end telling where to, then to the weights",
    "packed": "the cdn sends the weights packed, though nobody asked for that",
    "weaketag": "a mirror: what the API says is the hub's, all files have one ETag, and it is no digest",
    "altered": "as weaketag, and one byte of the weights is another",
    "sametag": "as weaketag, weights in two shards, and the API tells no digests",
    "badsum": "the cdn alters one byte of the weights",
    "badgit": "config.json is altered in one byte",
    "toomuch": "the cdn sends 1,000 bytes more than announced",
    "short": "the cdn sends 1,000 bytes less than announced, and says so",
    "e401": "401 for everything, as for a model that is not there",
    "gated": "the API answers, files are 403 GatedRepo unless a token is sent",
    "e404": "404 for everything",
    "e500": "500 for the first two requests of each file and of the API, then as plain",
    "e500always": "500 for everything",
    "loop": "weights redirect to themselves",
    "toftp": "weights redirect to an ftp URL",
    "tofile": "weights redirect to file:///etc/passwd",
    "nourl": "weights redirect to what is no URL",
    "nosizes": "the API does not tell sizes",
    "slowapi": "the API accepts the connection and stays silent",
    "stall": "the cdn sends 1,000 bytes, then nothing",
    "slow": "the cdn takes half a second",
    "renamed": "the API and files redirect (relative) to plain",
    "noetag": "no ETag anywhere",
    "oddetag": "an ETag that would be a path",
    "nosize": "config.json comes without Content-Length",
    "huge": "weights of 2^60 bytes",
    "notjson": "the API answers with HTML",
    "noshas": "the API answers without a commit",
    "othercommit": "files answer for another commit",
    "sharded": "weights in two shards and an index",
    "evilindex": "an index that names a file outside the folder",
    "ghostindex": "an index that names a file the repository does not have",
    "gguf": "several .gguf files",
    "evilgguf": "a .gguf file outside the folder",
    "nested": "a .gguf file in a folder",
    "nothing": "only a pytorch_model.bin",
    "moving": "main is another commit after the first look",
    "tiny": "a model that runs, tests/oracle/tiny/gpt2; the cdn takes half a second",
    "trickle": "the cdn sends the weights in twenty parts, 20 ms apart",
    "loris": "the cdn sends a byte every tenth of a second",
    "loopapi": "the API redirects to itself",
    "flood": "the cdn announces and sends 1,000 bytes more than the hub said",
}


TINY = pathlib.Path(__file__).resolve().parent.parent / "oracle" / "tiny" / "gpt2"


def weights(name):
    return random.Random(name).randbytes(3_000_000 if name == "regress" else WEIGHT_BYTES)


def index_of(*shards):
    names = {f"model.layers.{i}.weight": shard for i, shard in enumerate(shards)}
    return json.dumps({"metadata": {}, "weight_map": names}).encode()


def files_of(mode):
    """File name -> bytes."""
    text = {"config.json": b'{"model_type": "llama", "of": "%s"}' % mode.encode(),
            "generation_config.json": b'{"eos_token_id": 2}',
            "tokenizer.json": b'{"version": "1.0"}',
            ".gitattributes": b"*.safetensors filter=lfs\n",
            "README.md": "# Über\n".encode(),
            "pytorch_model.bin": weights("bin"),
            "onnx/model.onnx": weights("onnx")}
    shard = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    if mode in ("gguf", "evilgguf", "nested"):
        names = {"gguf": ["Tiny-Q4_K_M.gguf", "Tiny-Q8_0.gguf", "mmproj-Q8_0.gguf", "Tiny-F16-00001-of-00002.gguf"],
                 "evilgguf": ["../../../evil-Q8_0.gguf"], "nested": ["Q6/Tiny-Q6_K.gguf"]}[mode]
        return {"README.md": b"#\n", **{name: b"GGUF" + weights(name) for name in names}}
    if mode == "tiny":
        return {path.name: path.read_bytes() for path in sorted(TINY.iterdir()) if path.suffix == ".json" or path.name == "model.safetensors"}
    if mode == "nothing":
        return {name: text[name] for name in ("config.json", "pytorch_model.bin")}
    if mode in ("sharded", "sametag"):
        return {**text, "model.safetensors.index.json": index_of(*shard), **{name: weights(name) for name in shard}}
    if mode == "evilindex":
        return {**text, "model.safetensors.index.json": index_of("../../../../evil.safetensors")}
    if mode == "ghostindex":
        return {**text, "model.safetensors.index.json": index_of(shard[0]), shard[1]: weights(shard[1])}
    return {**text, "model.safetensors": weights(mode), "consolidated.safetensors": weights("consolidated")}


def is_large(name):
    return name.endswith((".safetensors", ".gguf", ".bin", ".onnx"))


def etag_of(name, data):
    return hashlib.sha256(data).hexdigest() if is_large(name) else git_blob(data)


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sibling_of(name, data):
    """What the API tells of a file: of one in large-file storage, git has a pointer."""
    if not is_large(name):
        return {"rfilename": name, "size": len(data), "blobId": git_blob(data)}
    sha256 = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n".encode()
    return {"rfilename": name, "size": len(data), "blobId": git_blob(pointer),
            "lfs": {"sha256": sha256, "size": len(data), "pointerSize": len(pointer)}}


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.log = []
        self.counts = {}

    def count(self, key):
        """How often this was called with `key`, this time included."""
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


STATE = State()
PORTS = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written apart: no waiting for the client's delayed ACK
    server_name = ""  # "hub" or "cdn"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.handle_request()

    def do_GET(self):
        self.handle_request()

    def handle_request(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path.startswith("/_"):
            return self.control(path)
        with STATE.lock:
            STATE.log.append({"server": self.server_name, "method": self.command, "path": path,
                              "range": self.headers.get("Range"), "authorization": self.headers.get("Authorization")})
        api = re.fullmatch(r"/api/models/([^/]+)/([^/]+)/revision/main", path)
        file = re.fullmatch(r"/([^/]+)/([^/]+)/resolve/([^/]+)/(.+)", path)
        cdn = re.fullmatch(r"/cdn/([^/]+)/([^/]+)/(.+)", path)
        mode = (api or file or cdn or [None, ""])[1]
        if mode not in BEHAVIOURS:
            return self.answer(404)
        if self.server_name == "cdn":
            return self.serve_content(mode, cdn[3]) if cdn else self.answer(404)
        if mode in ("e401", "e404", "e500always"):
            return self.answer({"e401": 401, "e404": 404, "e500always": 500}[mode],
                               {"X-Error-Message": "made to fail\x1b[31m"})
        if mode == "e500" and STATE.count(("e500", self.command, path)) <= 2:
            return self.answer(500)
        if mode == "renamed":
            return self.answer(307, {"Location": self.path.replace("/renamed/", "/plain/")})
        if api:
            return self.serve_api(mode)
        return self.serve_file(mode, file[2], file[3], file[4])

    def control(self, path):
        if path == "/_reset":
            with STATE.lock:
                STATE.log.clear()
                STATE.counts.clear()
            return self.answer(200)
        if path == "/_log":
            with STATE.lock:
                return self.answer(200, body=json.dumps(STATE.log).encode())
        content = re.fullmatch(r"/_content/([^/]+)/[^/]+/(.+)", path)
        data = files_of(content[1]).get(content[2]) if content else None
        return self.answer(404) if data is None else self.answer(200, body=data)

    def answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve_api(self, mode):
        if mode == "slowapi":
            time.sleep(20)
        if mode == "loopapi":
            return self.answer(307, {"Location": self.path})
        if mode == "notjson":
            return self.answer(200, body=b"<html>captive portal</html>")
        sha = NEXT_COMMIT if mode == "moving" and STATE.count("moving") > 1 else COMMIT
        blobs = "blobs=true" in urllib.parse.urlsplit(self.path).query and mode not in ("nosizes", "sametag", "packed")
        info = {"id": f"{mode}/model", "sha": sha,
                "siblings": [sibling_of(name, data) if blobs else {"rfilename": name} for name, data in files_of(mode).items()]}
        if mode == "noshas":
            del info["sha"]
        return self.answer(200, {"Content-Type": "application/json"}, json.dumps(info).encode())

    def serve_file(self, mode, repo, commit, name):
        data = files_of(mode).get(name)
        if data is None or commit not in (COMMIT, NEXT_COMMIT):
            return self.answer(404)
        if mode == "gated" and not self.headers.get("Authorization"):
            return self.answer(403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        etag = etag_of(name, data)
        if mode == "oddetag":
            etag = "../../../etag"
        if mode in ("weaketag", "altered", "sametag", "packed"):
            etag = "65a1b2c3-1388"
        headers = {} if mode == "noetag" else {"ETag": f'"{etag}"'}
        headers["X-Repo-Commit"] = NEXT_COMMIT if mode == "othercommit" else commit
        if not is_large(name):
            if mode == "badgit" and name == "config.json":
                data = data[:-1] + b"]"
            if mode == "nosize" and name == "config.json":
                return self.send_without_length(headers, data)
            return self.answer(200, headers, data)
        size = 1 << 60 if mode == "huge" else len(data)
        headers.update({"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(size)})
        if mode == "noredirect":
            return self.answer(200, headers, data)
        location = {"loop": self.path, "toftp": "ftp://127.0.0.1/weights", "tofile": "file:///etc/passwd",
                    "nourl": "http://[cdn]/?Signature=s3cret"}.get(mode)
        # The content server does not know the hub's ETag, as the real one.
        location = location or f"http://127.0.0.1:{PORTS['cdn']}/cdn/{mode}/{repo}/{urllib.parse.quote(name)}?Signature=s3cret"
        return self.answer(302, {**headers, "Location": location})

    def send_without_length(self, headers, data):
        self.close_connection = True
        self.send_response(200)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def serve_content(self, mode, name):
        data = files_of(mode)[name]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(wanted[1]) if wanted else 0
        if mode in ("slow", "tiny"):
            time.sleep(0.5)
        if mode == "flood":
            data += bytes(1000)
        if mode.startswith("endless"):
            return self.send_without_end(mode, name)
        if mode in ("badsum", "altered"):
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        if mode == "short":
            data = data[:-1000]
        if mode == "toomuch":
            return self.send_without_length({}, data + bytes(1000))
        if mode.startswith("norange"):
            start = 0
        if start >= len(data) or (start and (mode == "regress" or mode == "r416" and STATE.count("r416") == 1)):
            return self.answer(416)
        body = data[start:]
        headers = {}
        if start:
            headers["Content-Range"] = f"bytes {start + mode.startswith('badrange')}-{len(data) - 1}/{len(data)}"
        if mode == "packed":
            return self.answer(200, {"Content-Encoding": "gzip"}, gzip.compress(body)[:len(body)].ljust(len(body), b"\0"))
        always = dict.fromkeys(("dropalways", "norangealways", "badrangealways", "regress"), 1 << 30)
        drops = {"drop": 2, "norange": 2, "r416": 1, "badrange": 1, **always}
        pause = {"trickle": (len(data) // 20, 0.02), "loris": (1, 0.1)}.get(mode)
        if pause:
            return self.send_slowly(206 if start else 200, headers, body, *pause)
        if mode not in ("stall", *drops) or (mode in drops and STATE.count(("drop", mode)) > drops[mode]):
            return self.answer(206 if start else 200, headers, body)
        # Announce all of it, send a part.
        self.close_connection = True
        self.send_response(206 if start else 200)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:{"dropalways": 50_000, "stall": 1000, "regress": 2_000_000}.get(mode, len(body) // 2)])
        self.wfile.flush()
        if mode == "stall":
            time.sleep(20)

    def send_without_end(self, mode, name):
        location = urllib.parse.quote(f"/cdn/{mode}/model/{name}")
        if mode == "endless302" and STATE.count(mode) > 1:
            return self.answer(200, body=files_of(mode)[name])
        self.close_connection = True
        self.send_response(int(mode.removeprefix("endless")))
        for key, value in {"Connection": "close", **({"Location": location} if mode == "endless302" else {})}.items():
            self.send_header(key, value)
        self.end_headers()
        while True:  # until the client has enough
            self.wfile.write(bytes(1 << 16))
            time.sleep(0.01)

    def send_slowly(self, status, headers, body, part, seconds):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        for at in range(0, len(body), part):
            self.wfile.write(body[at : at + part])
            self.wfile.flush()
            time.sleep(seconds)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that went away is part of the tests


def main():
    for name in ("hub", "cdn"):
        handler = type(name, (Handler,), {"server_name": name})
        server = Server(("127.0.0.1", 0), handler)
        PORTS[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(PORTS), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
