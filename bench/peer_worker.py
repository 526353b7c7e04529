#!/usr/bin/env python3
"""peer_worker.py PEER MODEL THREADS: one peer engine, loaded once; started by side_by_side.py inside its environment.

Prints {"ready": version} when the model is loaded, then answers each line {"prompt": P, "generate": N, "depth": D} of standard input
with {"prefill_s": seconds of a prompt of P tokens, "decode_s": seconds of N tokens one by one after D}. A time is null where its
count is 0. An error ends the process with its message on standard error.

peer_worker.py llama.cpp MODEL THREADS PROMPT: prints {"first_token_s": seconds} from before the model is loaded, its library being so
already, until a prompt of PROMPT tokens is read, and ends."""
import contextlib
import json
import os
import random
import sys
import time


class LlamaCpp:
    """Its C interface through ctypes, as its own llama-bench uses it."""

    def __init__(self, path, threads):
        import llama_cpp
        self.api = llama_cpp
        self.version = f"llama-cpp-python {llama_cpp.__version__}"
        self.threads = threads
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.size = 0

    def context(self, size):
        if size > self.size:
            parameters = self.api.llama_context_default_params()
            parameters.n_ctx = (size + 255) // 256 * 256
            parameters.n_batch = 2048
            parameters.n_ubatch = 512  # llama-bench's own defaults
            parameters.n_threads = parameters.n_threads_batch = self.threads
            self.handle = self.api.llama_init_from_model(self.model, parameters)
            self.size = size
        self.api.llama_memory_clear(self.api.llama_get_memory(self.handle), True)
        return self.handle

    def run(self, context, ids):
        for at in range(0, len(ids), 2048):
            part = ids[at : at + 2048]
            tokens = (self.api.llama_token * len(part))(*part)
            if self.api.llama_decode(context, self.api.llama_batch_get_one(tokens, len(part))) != 0:
                raise RuntimeError("llama_decode failed")
        self.api.llama_synchronize(context)

    def prefill(self, count):
        context = self.context(count)
        ids = random.choices(range(self.vocab), k=count)
        start = time.perf_counter()
        self.run(context, ids)
        return time.perf_counter() - start

    def decode(self, count, depth):
        context = self.context(depth + count)
        if depth:
            self.run(context, random.choices(range(self.vocab), k=depth))
        start = time.perf_counter()
        for _ in range(count):
            self.run(context, [random.randrange(self.vocab)])
        return time.perf_counter() - start


class OpenVino:
    """Its times to the first token and per further token."""

    def __init__(self, path, threads):
        import openvino
        import openvino_genai
        self.api, self.openvino = openvino_genai, openvino
        self.version = f"openvino-genai {openvino_genai.__version__}"
        self.pipeline = openvino_genai.LLMPipeline(path, "CPU", INFERENCE_NUM_THREADS=threads)
        self.vocab = 20000  # ids that any of the vocabularies has

    def generate(self, prompt, count):
        import numpy
        # Other ids each time, for it may keep a cache of prompts.
        ids = numpy.array([random.choices(range(100, self.vocab), k=prompt)], dtype=numpy.int64)
        inputs = self.api.TokenizedInputs(self.openvino.Tensor(ids), self.openvino.Tensor(numpy.ones_like(ids)))
        config = self.api.GenerationConfig(max_new_tokens=count, ignore_eos=True, do_sample=False)
        metrics = self.pipeline.generate(inputs, config).perf_metrics
        if metrics.get_num_generated_tokens() != count:
            raise RuntimeError(f"OpenVINO generated {metrics.get_num_generated_tokens()} tokens, not {count}")
        return metrics

    def prefill(self, count):
        return self.generate(count, 1).get_ttft().mean / 1e3

    def decode(self, count, depth):
        # The first token comes from the prompt, which cannot be empty.
        return self.generate(max(depth, 1), count + 1).get_tpot().mean / 1e3 * count


class CTranslate2:
    """Generation of fixed length from a model that ct2_model.py converted, in int8."""

    def __init__(self, path, threads):
        import ctranslate2
        self.version = f"ctranslate2 {ctranslate2.__version__}"
        self.generator = ctranslate2.Generator(path, device="cpu", compute_type="int8_float32", intra_threads=threads)
        with open(os.path.join(path, "vocabulary.json"), encoding="utf-8") as file:
            self.tokens = json.load(file)

    def generate(self, prompt, count):
        tokens = [random.choices(self.tokens, k=prompt)]
        start = time.perf_counter()
        result = self.generator.generate_batch(tokens, max_length=count, min_length=count, sampling_topk=1,
                                               include_prompt_in_result=False)
        seconds = time.perf_counter() - start
        if len(result[0].sequences_ids[0]) != count:
            raise RuntimeError("CTranslate2 stopped early")
        return seconds

    def prefill(self, count):
        return self.generate(count, 1)

    def decode(self, count, depth):
        # What N + 1 tokens take beyond one.
        prompt = max(depth, 1)
        return self.generate(prompt, count + 1) - self.generate(prompt, 1)


PEERS = {"llama.cpp": LlamaCpp, "openvino": OpenVino, "ctranslate2": CTranslate2}


def main():
    name, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Libraries print what they like; the answers keep standard output for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        if len(sys.argv) > 4:
            import llama_cpp  # noqa: F401
            start = time.perf_counter()
            LlamaCpp(path, threads).prefill(int(sys.argv[4]))
            answer({"first_token_s": time.perf_counter() - start})
            return
        peer = PEERS[name](path, threads)
        answer({"ready": peer.version})
        for line in sys.stdin:
            job = json.loads(line)
            answer({"prefill_s": peer.prefill(job["prompt"]) if job["prompt"] else None,
                    "decode_s": peer.decode(job["generate"], job["depth"]) if job["generate"] else None})


if __name__ == "__main__":
    main()
