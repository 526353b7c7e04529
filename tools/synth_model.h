// Writes a model folder with random weights.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/synth_shape.h"

namespace weft::tools {

struct SynthOptions {
  uint64_t seed = 0;
  DataType type = DataType::kBF16;  // or kF32
  bool force = false;               // replace a model that is there
  // A file of weights starts a new shard rather than exceed this; Hugging Face cuts here as well.
  uint64_t shard_bytes = 5'000'000'000;
  // Called now and then with bytes of weights; an error ends the work with it.
  std::function<absl::Status(uint64_t done, uint64_t total)> progress;
};

struct SynthResult {
  int64_t parameters = 0;
  uint64_t weight_bytes = 0;
  int files = 0;  // with weights
};

// Creates `folder` and writes tokenizer.json, the weights and, last, config.json, without which the
// folder is no model. The same shape, seed and type give the same bytes. After an error, nothing
// that this call wrote is left. Errors: a folder that holds something, without options.force; too
// little room on the device; whatever writing meets.
absl::StatusOr<SynthResult> WriteSynthModel(const SynthShape& shape, const std::string& folder,
                                            const SynthOptions& options);

}  // namespace weft::tools
