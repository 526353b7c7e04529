#!/usr/bin/env python3
"""Weft and other engines on the same weights in turns: A B C A B C …, ratios of what stands side by side.

    bench/side_by_side.py                                    # all models, all peers: tens of minutes
    bench/side_by_side.py gpt2 --peers llama.cpp --rounds 7

A model is a shape of `weft synth` (random weights, no download), a catalogue name of `weft pull`, or a .gguf file. Each becomes one
Q8_0 GGUF file, which Weft and the peers read. Peers come from PyPI into a virtual environment in --work, which can be deleted
afterwards; llama-cpp-python is built from source for this CPU. Peers that cannot be installed or cannot run a model are named with
the reason and left out. Markdown or JSON on standard output, progress on standard error."""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MODELS = ["gemma3-1b", "gemma-3-270m-q4_k_m", "smollm2-135m-instruct-q4_1", "gpt2"]
# Versions are fixed so that figures can be repeated.
PACKAGES = {"llama.cpp": ["llama-cpp-python==0.3.36"], "openvino": ["openvino-genai==2026.4.1.0"], "ctranslate2": ["ctranslate2==4.8.1"]}
CONVERTER_PACKAGES = ["numpy", "gguf==0.19.0"]
WEFT = "weft"


def note(text):
    print(f"side_by_side: {text}", file=sys.stderr, flush=True)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


class Environment:
    def __init__(self, folder):
        self.python = folder / "bin" / "python"
        self.list = folder / "installed-by-side_by_side"  # pip takes seconds to find that there is nothing to do
        if not self.python.exists():
            note(f"creating {folder}")
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)

    def install(self, packages):
        """None, or why it failed."""
        installed = self.list.read_text().split() if self.list.exists() else []
        if set(packages) <= set(installed):
            return None
        note("installing " + " ".join(packages))
        # For this CPU, as the user of a source build would have it.
        variables = {**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=ON"}
        result = subprocess.run([self.python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True, env=variables)
        if result.returncode != 0:
            return last_line(result.stderr)
        self.list.write_text("\n".join([*installed, *packages]) + "\n")
        return None


class Peer:
    """A worker process with a model loaded."""

    def __init__(self, python, name, path, threads):
        self.name = name
        self.log = open(path.with_name(f"{path.name}.{name}.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([python, HERE / "peer_worker.py", name, path, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.version = self.read()["ready"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            raise RuntimeError(last_line(self.log.read()))
        return json.loads(line)

    def measure(self, prompt, generate, depth):
        self.process.stdin.write(json.dumps({"prompt": prompt, "generate": generate, "depth": depth}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Weft:
    def __init__(self, arguments, path):
        self.command = [arguments.weft, "bench", path, "--weights", "q8_0", "-t", str(arguments.threads), "-r", "1", "-o", "json",
                        *arguments.weft_options.split()]
        self.version = subprocess.run([arguments.weft, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self.tests = []

    def run(self, prompt, generate, depth):
        result = subprocess.run([*self.command, "-p", str(prompt), "-n", str(generate), "-d", str(depth)], capture_output=True, text=True)
        if not result.stdout.startswith("["):
            raise RuntimeError(last_line(result.stderr))
        if result.returncode != 0:
            note(last_line(result.stderr))  # the roof was measured too low in this round; the times stand
        return json.loads(result.stdout)

    def measure(self, prompt, generate, depth):
        # Peers read prompts into an empty context, whatever stands before generation.
        tests = self.run(prompt, 0, 0) + self.run(0, generate, depth) if depth else self.run(prompt, generate, 0)
        self.tests.append(tests)
        times = {}
        for test in tests:
            key, count = ("prefill_s", test["n_prompt"]) if test["n_prompt"] else ("decode_s", test["n_gen"])
            times[key] = count / test["median"]
        return times


def model_file(name, work, weft, python):
    """The Q8_0 GGUF of a model by name."""
    models = work / "models"
    models.mkdir(parents=True, exist_ok=True)
    out = models / f"{pathlib.Path(name).stem}-q8_0.gguf"
    if out.exists():
        return out
    if name.endswith(".gguf"):
        source = pathlib.Path(name)
    elif name in re.findall(r"^  ([\w.-]+): ", subprocess.run([weft, "synth", "--help"], capture_output=True, text=True).stdout, re.M):
        source = models / name
        if not (source / "config.json").exists():
            subprocess.run([weft, "synth", name, "-o", source, "--force"], check=True, stdout=sys.stderr)
    else:
        result = subprocess.run([weft, "pull", name], capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(last_line(result.stderr))
        source = pathlib.Path(result.stdout.strip())
    note(f"{name}: quantising to {out.name}")
    result = subprocess.run([python, HERE / "gguf_model.py", source, out], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(last_line(result.stderr))
    return out


def stopped(arguments):
    return arguments.minutes is not None and time.monotonic() > arguments.start + 60 * arguments.minutes


def compare(name, arguments, environment, skipped):
    """One model: {engine: {"version", "prefill": [tokens/s …], "decode": […]}}, Weft's own tests with the roof."""
    path = model_file(name, arguments.work, arguments.weft, environment.python)
    engines = {WEFT: Weft(arguments, path)}
    for peer in arguments.peers:
        try:
            source = path
            if peer == "ctranslate2":
                source = path.with_suffix(".ct2")
                if not source.exists():
                    result = subprocess.run([environment.python, HERE / "ct2_model.py", path, source], capture_output=True, text=True)
                    if result.returncode != 0:
                        raise RuntimeError(last_line(result.stderr))
            engines[peer] = Peer(environment.python, peer, source, arguments.threads)
        except (RuntimeError, OSError) as error:
            skipped.append({"peer": peer, "model": name, "why": str(error)})
            note(f"{peer} is left out for {name}: {error}")
    rates = {engine: {"version": runner.version, "prefill": [], "decode": []} for engine, runner in engines.items()}
    for round_number in range(arguments.rounds + 1):
        if stopped(arguments) and round_number > 1:
            note(f"{name}: ended after {round_number - 1} of {arguments.rounds} rounds, by --minutes")
            break
        for engine, runner in list(engines.items()):
            try:
                times = runner.measure(arguments.n_prompt, arguments.n_gen, arguments.depth)
            except (RuntimeError, OSError) as error:
                if engine == WEFT:
                    raise
                skipped.append({"peer": engine, "model": name, "why": str(error)})
                note(f"{engine} is left out for {name}: {error}")
                del engines[engine], rates[engine]
                continue
            if round_number == 0:
                continue  # warms up
            if arguments.n_prompt:
                rates[engine]["prefill"].append(arguments.n_prompt / times["prefill_s"])
            if arguments.n_gen:
                rates[engine]["decode"].append(arguments.n_gen / times["decode_s"])
        note(f"{name}: round {round_number} of {arguments.rounds}" + (" (warm-up)" if round_number == 0 else ""))
    for engine, runner in engines.items():
        if engine != WEFT:
            runner.close()
    return {"model": name, "file": path.name, "engines": rates, "weft_tests": engines[WEFT].tests[1:]}


def roof(result, prompt):
    tests = [test for tests in result["weft_tests"] for test in tests if bool(test["n_prompt"]) == prompt]
    return {key: statistics.median(test[key] for test in tests) for key in ("roof_gb_per_s", "roof_share", "gb_per_s", "bytes_per_token")}


def summarise(result):
    """Rows: test, engine, median rate, median of paired ratios Weft ÷ engine with the smallest and largest."""
    rows = []
    for test in ("prefill", "decode"):
        ours = result["engines"][WEFT][test]
        for engine, rates in result["engines"].items():
            if not rates[test]:
                continue
            ratios = [a / b for a, b in zip(ours, rates[test])]
            row = {"model": result["model"], "test": test, "engine": rates["version"], "tokens_per_s": statistics.median(rates[test]),
                   "weft_ratio": statistics.median(ratios), "weft_ratio_min": min(ratios), "weft_ratio_max": max(ratios)}
            if engine == WEFT:
                row.update(roof(result, test == "prefill"))
            rows.append(row)
    return rows


def markdown(report):
    lines = [f"{report['cpu']}, {report['threads']} threads, prompt {report['n_prompt']}, generation {report['n_gen']}"
             + (f" after {report['depth']}" if report["depth"] else "") + f", Q8_0, {report['rounds']} rounds in turns, medians; ratios paired by round.", "",
             "| model | test | engine | tokens/s | Weft ÷ engine (min – max) | GB/s | roof GB/s | share |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for row in report["rows"]:
        ratio, memory = "", " | | "
        if "roof_share" in row:
            memory = f"{row['gb_per_s']:.1f} | {row['roof_gb_per_s']:.1f} | {row['roof_share']:.2f}"
        else:
            ratio = f"{row['weft_ratio']:.2f} ({row['weft_ratio_min']:.2f} – {row['weft_ratio_max']:.2f})"
        lines.append(f"| {row['model']} | {row['test']} | {row['engine']} | {row['tokens_per_s']:.1f} | {ratio} | {memory} |")
    for skip in report["skipped"]:
        lines.append(f"\n{skip['peer']} left out{' for ' + skip['model'] if skip['model'] else ''}: {skip['why']}")
    return "\n".join(lines)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, help=f"default: {' '.join(MODELS)}")
    parser.add_argument("--weft", default=str(HERE.parent / "build" / "weft"), help="the command (default: build/weft)")
    parser.add_argument("--weft-options", default="", help="further options for `weft bench`: '--target x86-64-v3'")
    parser.add_argument("--peers", default=",".join(PACKAGES), help="engines to compare with (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up (default 5)")
    parser.add_argument("--minutes", type=float, help="begin no round after so many (default: no limit)")
    parser.add_argument("-t", "--threads", type=int, default=2, help="for every engine (default 2)")
    parser.add_argument("-p", "--n-prompt", type=int, default=512)
    parser.add_argument("-n", "--n-gen", type=int, default=128)
    parser.add_argument("-d", "--depth", type=int, default=0, help="tokens before generation (default 0)")
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parent / "build" / "side_by_side", help="environment and models (default: build/side_by_side)")
    parser.add_argument("-o", "--output", choices=["md", "json"], default="md")
    arguments = parser.parse_args()
    arguments.start = time.monotonic()
    arguments.peers = [peer for peer in arguments.peers.split(",") if peer]
    unknown = [peer for peer in arguments.peers if peer not in PACKAGES]
    if unknown or arguments.rounds < 1 or arguments.threads < 1:
        parser.error(f"unknown peers {unknown}; known: {', '.join(PACKAGES)}" if unknown else "--rounds and --threads are at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    environment = Environment(arguments.work / "environment")
    skipped, installed = [], []
    if why := environment.install(CONVERTER_PACKAGES):
        raise SystemExit(f"side_by_side: cannot install {CONVERTER_PACKAGES}: {why}")
    for peer in arguments.peers:
        if why := environment.install(PACKAGES[peer]):
            skipped.append({"peer": peer, "model": "", "why": f"not installed: {why}"})
            note(f"{peer} is left out: {why}")
        else:
            installed.append(peer)
    arguments.peers = installed
    results, rows = [], []
    for name in arguments.models:
        try:
            results.append(compare(name, arguments, environment, skipped))
        except RuntimeError as error:
            raise SystemExit(f"side_by_side: {name}: {error}") from error
        rows += summarise(results[-1])
    report = {"cpu": results[0]["weft_tests"][0][0]["cpu"], "threads": arguments.threads, "n_prompt": arguments.n_prompt, "n_gen": arguments.n_gen,
              "depth": arguments.depth, "rounds": min(len(r["weft_tests"]) for r in results), "rows": rows, "skipped": skipped, "results": results}
    print(json.dumps(report, indent=2) if arguments.output == "json" else markdown(report))


if __name__ == "__main__":
    main()
