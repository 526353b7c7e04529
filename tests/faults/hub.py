"""The fake hub of tests/http for tests of the command: a server of its own for each test."""
import json, pathlib, subprocess, sys, urllib.request

SCRIPT = pathlib.Path("tests/http/fake_hub.py")


class FakeHub:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['hub']}"

    def close(self):
        self.process.communicate()

    def ask(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read()

    def content(self, mode, name):
        return self.ask(f"/_content/{mode}/model/{name}")

    def log(self):
        return json.loads(self.ask("/_log"))

    def reset(self):
        self.ask("/_reset")
