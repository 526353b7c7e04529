#!/usr/bin/env python3
"""Measures what docs/performance.md claims and writes its table.

    bench/targets.py                        # everything, then the table on standard output; about an hour
    bench/targets.py matmuls threads        # some groups; results of the others stay from earlier runs
    bench/targets.py --report --write docs/performance.md   # no measuring: the table from the results there are, into the page

Every group is a list of `weft bench` commands or one of bench/side_by_side.py; results are kept as JSON in --work. A measured value
stands beside its target and the roof of the same run, met or not."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- bench/targets.py begin -->\n", "<!-- bench/targets.py end -->\n"

# Of the two models of the seed report: GPT-2 with attention in F32, Gemma 3 1B in Q8_0. Out, in.
SHAPES = [("768,768", "f32"), ("3072,768", "q8_0"), ("768,3072", "q8_0"), ("1536,1152", "q8_0"), ("1152,1024", "q8_0"), ("13824,1152", "q8_0"),
          ("1152,6912", "q8_0"), ("262144,1152", "q8_0")]
LM_HEAD = "262144,1152"
SMALL = ["gemma-3-270m-q4_k_m", "smollm2-135m-instruct-q4_1"]
PEER_MODELS = ["gemma3-1b", *SMALL, "gpt2"]
LEAST_ROUNDS = 5  # fewer tell nothing about a target


def groups(arguments):
    """Group -> {result: command}. SYNTH:name stands for the folder of a synthetic model."""
    def bench(*rest):
        return [arguments.weft, "bench", *rest, "-o", "json"]

    def in_turns(command):
        """A command whose tests are compared with each other: one repetition of each, round by round."""
        return lambda arguments: [run(command, arguments) for _ in range(arguments.rounds)]

    q8, rounds, two = ["--weights", "q8_0"], ["-r", str(arguments.rounds)], ["-t", "2"]
    result = {
        "matmuls": {f"matmul {shape} {form}": bench("--matmul", shape, "--format", form, "-r", "15", *two) for shape, form in SHAPES},
        "gemma3-1b": {"1b": bench("SYNTH:gemma3-1b", *q8, "-p", "512", "-n", "128", *rounds, *two),
                      "1b steps": bench("SYNTH:gemma3-1b", *q8, "-p", "0", "-n", "0", "--step-tokens", "4,8", *rounds, *two),
                      "1b profile": bench("SYNTH:gemma3-1b", *q8, "-p", "0", "-n", "32", "-d", "128", "--profile", "-r", "1", *two)},
        "small": {f"small {name}": bench(name, *q8, "-p", "512", "-n", "128", *rounds, *two) for name in SMALL},
        "depth": {"depth": in_turns(bench(SMALL[0], *q8, "-p", "0", "-n", "32", "-d", "0,4096", "-r", "1", *two)),
                  "long": in_turns(bench(SMALL[0], *q8, "-p", "512,4096", "-n", "0", "-r", "1", *two))},
        "threads": {"threads": in_turns(bench("SYNTH:gemma3-1b", *q8, "-p", "256", "-n", "32", "-r", "1", "-t", "1,2,8"))},
        "gpt2-mix": {"gpt2 mix": bench("SYNTH:gpt2", "--q8-threshold", "1024", "-p", "0", "-n", "128", *rounds, *two)},
    }
    for name in PEER_MODELS:
        result[f"peers-{name}"] = {f"peers {name}": [sys.executable, HERE / "side_by_side.py", name, "--weft", arguments.weft, "--work", arguments.work,
                                                     "--rounds", str(arguments.rounds), "-o", "json"]}
    result["compile"] = {"compile": measure_compile}
    result["first-token"] = {"first token": measure_first_token}
    return result


def synth(name, arguments):
    folder = arguments.work / "models" / name
    if not (folder / "config.json").exists():
        subprocess.run([arguments.weft, "synth", name, "-o", folder, "--force"], check=True, stdout=sys.stderr)
    return folder


def measure_compile(arguments):
    """Seconds, by round, to compile a folder of BF16 weights to a Q8_0 plan, and to read and write as many bytes without compiling."""
    folder, plan = synth("gemma3-1b", arguments), arguments.work / "compiled.weft"
    command = [arguments.weft, "compile", folder, "--weights", "q8_0", "-o", plan]
    seconds, plain = [], []
    for turn in range(arguments.rounds + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        compiled = time.perf_counter() - start
        start = time.perf_counter()
        (folder / "model.safetensors").read_bytes()
        data = bytes(plan.stat().st_size)
        with open(plan, "wb") as file:
            file.write(data)
            file.flush()
            subprocess.run(["sync", plan], check=True)
        if turn > 0:  # the folder is in the page cache from the first one on
            seconds.append(compiled)
            plain.append(time.perf_counter() - start)
    plan.unlink()
    return {"seconds": seconds, "plain_seconds": plain}


def measure_first_token(arguments):
    """Seconds until the first token of a short prompt, in turns: `weft run` of a plan, the whole process, and llama.cpp without the start
    of its process. Needs what side_by_side.py installs."""
    python = arguments.work / "environment" / "bin" / "python"
    model, plan = arguments.work / "models" / "gemma3-1b-q8_0.gguf", arguments.work / "first-token.weft"
    if not python.exists() or not model.exists():
        subprocess.run([sys.executable, HERE / "side_by_side.py", "gemma3-1b", "--weft", arguments.weft, "--work", arguments.work, "--peers", "llama.cpp",
                        "--rounds", "1", "-n", "1"], check=True, stdout=sys.stderr)
    subprocess.run([arguments.weft, "compile", model, "--weights", "q8_0", "-o", plan], check=True, stdout=subprocess.DEVNULL)
    command = [arguments.weft, "run", plan, "-p", "The quick brown fox jumps over the lazy dog", "-n", "1", "--temp", "0", "-t", "2", "--json"]
    ours, theirs = [], []
    for turn in range(arguments.rounds + 1):
        start = time.perf_counter()
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        seconds = time.perf_counter() - start
        prompt = len(answer["prompt_ids"])
        peer = subprocess.run([python, HERE / "peer_worker.py", "llama.cpp", model, "2", str(prompt)], check=True, capture_output=True, text=True)
        if turn > 0:  # the first one brings the files into the page cache
            ours.append(seconds)
            theirs.append(json.loads(peer.stdout)["first_token_s"])
    plan.unlink()
    return {"seconds": ours, "peer_seconds": theirs, "prompt": prompt}


def run(command, arguments):
    command = [str(synth(word.removeprefix("SYNTH:"), arguments)) if str(word).startswith("SYNTH:") else str(word) for word in command]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not result.stdout.startswith(("[", "{")):
        raise SystemExit(f"targets: {' '.join(command)} failed")
    return json.loads(result.stdout)


class Table:
    """Rows of target, measured, roof."""

    def __init__(self, results):
        self.results = results
        self.rows = []

    def test(self, key, name, threads=2):
        return next((t for t in self.results.get(key, []) if t["test"] == name and t["threads"] == threads), None)

    def add(self, what, target, measured, met, roof=""):
        self.rows.append(f"| {what} | {target} | {measured} | {roof} | {'yes' if met else '**no**' if met is not None else ''} |")

    def share(self, what, test, least):
        if test:
            self.add(what, f"≥ {least} of the roof", f"{test['roof_share']:.2f} ({test['gb_per_s']:.1f} GB/s)", test["roof_share"] >= least,
                     f"{test['roof_gb_per_s']:.1f} GB/s")

    def paired(self, what, target, key, a, b, at_most=None, at_least=None, text=""):
        """The median over rounds of the rate of test a over that of test b, each (name, threads)."""
        ratios = []
        for tests in self.results.get(key, []):
            rates = [next(t["median"] for t in tests if (t["test"], t["threads"]) == which) for which in (a, b)]
            ratios.append(rates[0] / rates[1])
        if not ratios:
            return
        value = statistics.median(ratios)
        self.add(what, target, f"{value:.2f}{text}", value <= at_most if at_most else value >= at_least)

    def peers(self, name):
        report = self.results.get(f"peers {name}")
        if not report:
            return
        vnni = "vnni" in report["results"][0]["weft_tests"][0][0]["target"]
        llama = {"prefill": 3.5 if vnni else 1.7, "decode": 1.3 if name == "gemma3-1b" else 1.2}
        ours = {row["test"]: row for row in report["rows"] if row["engine"].startswith("weft")}
        for row in report["rows"]:
            if row["engine"].startswith("weft"):
                continue
            target = None
            if row["engine"].startswith("llama"):
                target = llama[row["test"]]
            elif row["engine"].startswith("openvino") and row["test"] == "prefill" and vnni:
                target = 1.2
            memory, rounds = ours[row["test"]], report["rounds"]
            self.add(f"{name}: {row['test']} against {row['engine']}", f"≥ {target}×" if target else "",
                     f"{row['weft_ratio']:.2f}× ({memory['tokens_per_s']:.0f} : {row['tokens_per_s']:.0f} tokens/s"
                     f"{'' if rounds >= LEAST_ROUNDS else f', only {rounds} of {LEAST_ROUNDS} rounds'})",
                     row["weft_ratio"] >= target if target and rounds >= LEAST_ROUNDS else None,
                     f"{memory['roof_gb_per_s']:.1f} GB/s, share {memory['roof_share']:.2f}" if row["test"] == "decode" else "")

    def fill(self):
        matmuls = {shape: self.results.get(f"matmul {shape} {form}") for shape, form in SHAPES}
        for shape, test in matmuls.items():
            self.share(f"matmul {shape.replace(',', ' × ')} {dict(SHAPES)[shape]}, one token", test, 0.95 if shape == LM_HEAD else 0.9)
        known = [test for test in matmuls.values() if test]
        if known:
            shares = [test["roof_share"] for test in known]
            self.add("slowest of these shapes below the fastest", "≤ 15 %", f"{100 * (1 - min(shares) / max(shares)):.0f} %", min(shares) >= 0.85 * max(shares))
            spread = max(test["p99_over_p50"] / test["reader_p99_over_p50"] for test in known)
            self.add("p99/p50 of a call, against that of reading", "≤ 1.3", f"{spread:.2f} (worst shape)", spread <= 1.3)
        self.share("Gemma 3 1B shapes: decode, whole step", self.test("1b", "tg128"), 0.88)
        for name in SMALL:
            self.share(f"{name}: decode, whole step", self.test(f"small {name}", "tg128"), 0.75)
        for tokens, most in ((4, 1.25), (8, 2)):
            if step := self.test("1b steps", f"st{tokens}"):
                self.add(f"Gemma 3 1B shapes: a step over {tokens} tokens", f"≤ {most} of one", f"{step['ratio_to_one']:.2f}", step["ratio_to_one"] <= most,
                         f"{step['roof_gb_per_s']:.1f} GB/s")
        if profile := self.test("1b profile", "tg32 @ d128"):
            self.add("Gemma 3 1B shapes: time outside matmuls at context 128", "≤ 12 %", f"{100 * profile['outside_matmuls']:.1f} %", profile["outside_matmuls"] <= 0.12)
        self.paired("Gemma 3 270M: decode after 4096 tokens", "≥ 0.85 of the start", "depth", ("tg32 @ d4096", 2), ("tg32", 2), at_least=0.85)
        self.paired("Gemma 3 270M: time of a prompt of 4096", "≤ 1.3 of 8 × 512", "long", ("pp512", 2), ("pp4096", 2), at_most=1.3)
        self.paired("Gemma 3 1B shapes: prefill, 2 threads against 1", "≥ 1.85×", "threads", ("pp256", 2), ("pp256", 1), at_least=1.85, text="×")
        self.paired("Gemma 3 1B shapes: decode, 8 threads on 2 CPUs against 2", "≥ 0.6×", "threads", ("tg32", 8), ("tg32", 2), at_least=0.6, text="×")
        if mix := self.test("gpt2 mix", "tg128"):
            self.add("GPT-2, attention F32 and FFN Q8_0 (threshold 1024): decode", "≥ 5 × rustml's 20 tokens/s (not run here)", f"{mix['median']:.0f} tokens/s",
                     mix["median"] >= 100, f"{mix['roof_gb_per_s']:.1f} GB/s, share {mix['roof_share']:.2f}")
        if compiled := self.results.get("compile"):
            limit, seconds = statistics.median(compiled["plain_seconds"]) + 2, statistics.median(compiled["seconds"])
            self.add("compile 2 GB of BF16 to Q8_0", f"≤ {limit:.1f} s: reading, writing and 2 s", f"{seconds:.1f} s", seconds <= limit)
        if first := self.results.get("first token"):
            ratio = statistics.median(a / b for a, b in zip(first["seconds"], first["peer_seconds"]))
            self.add(f"Gemma 3 1B shapes: plan to first token of a prompt of {first['prompt']}, against llama.cpp", "≤ 1.0×",
                     f"{ratio:.2f}× ({statistics.median(first['seconds']):.2f} : {statistics.median(first['peer_seconds']):.2f} s)", ratio <= 1)
        for name in PEER_MODELS:
            self.peers(name)

    def markdown(self):
        tests = [t for value in self.results.values() if isinstance(value, list) for t in value if isinstance(t, dict)]
        lines = []
        if tests:
            rates = [t["roof_gb_per_s"] for t in tests if t["threads"] == 2 and not t["weights_fit_caches"]]
            lines = [f"{tests[0]['cpu']}, target {tests[0]['target']}, weft {tests[0]['weft_version']}, 2 threads. The best reader gave "
                     f"{min(rates):.1f} to {max(rates):.1f} GB/s in the runs of models (median {statistics.median(rates):.1f}).", ""]
        return "\n".join([*lines, "| what | target | measured | roof | met |", "| --- | --- | --- | --- | --- |", *self.rows, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", help="default: all")
    parser.add_argument("--weft", default=str(HERE.parent / "build" / "weft"), help="the command (default: build/weft)")
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parent / "build" / "side_by_side", help="models and results (default: build/side_by_side)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--write", type=pathlib.Path, help="put the table between the marks of this page instead of printing it")
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    known = groups(arguments)
    if unknown := [group for group in arguments.groups if group not in known]:
        parser.error(f"unknown groups {', '.join(unknown)}; known: {', '.join(known)}")
    folder = arguments.work / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for group in [] if arguments.report else arguments.groups or known:
        for key, command in known[group].items():
            print(f"targets: {key}", file=sys.stderr, flush=True)
            result = command(arguments) if callable(command) else run(command, arguments)
            (folder / f"{key}.json").write_text(json.dumps(result))
    table = Table({path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))})
    table.fill()
    if not arguments.write:
        print(table.markdown())
        return
    page = arguments.write.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    arguments.write.write_text(before + BEGIN + "\n" + table.markdown() + "\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
