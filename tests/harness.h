// A compiled model for end-to-end tests: compiled and packed once, run with any number of threads
// and any chunks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codegen/jit.h"
#include "frontends/model.h"
#include "runtime/executor.h"
#include "tools/compile_model.h"

namespace weft {

// Tensors of a golden.safetensors of tests/oracle.
struct Golden {
  std::vector<int32_t> input_ids;
  std::vector<float> logits;  // [input_ids, vocab]
  std::vector<float> hidden_states;
  std::vector<int32_t> greedy_ids;
};
absl::StatusOr<Golden> ReadGolden(const std::string& folder);

// Folder names below tests/oracle/tiny.
std::vector<std::string> TinyModels();
std::string TinyPath(const std::string& name);

// Names of the targets that this machine executes.
std::vector<std::string> ExecutableTargets();

class Harness {
 public:
  static absl::StatusOr<std::unique_ptr<Harness>> Create(const std::string& path,
                                                         const tools::CompileSettings& settings);

  const Model& model() const { return model_; }
  const tools::CompiledModel& compiled() const { return compiled_; }

  absl::StatusOr<std::unique_ptr<Executor>> MakeExecutor(int threads, bool debug_poison = false,
                                                         bool profile = false) const;
  // Logits of all positions, in chunks of `chunk` tokens.
  static absl::StatusOr<std::vector<float>> Logits(Executor* executor,
                                                   absl::Span<const int32_t> ids, int64_t chunk);
  // The next `count` tokens after a prefill in chunks, by argmax.
  static absl::StatusOr<std::vector<int32_t>> Greedy(Executor* executor,
                                                     absl::Span<const int32_t> ids, int64_t chunk,
                                                     int count);

 private:
  Model model_;
  tools::CompiledModel compiled_;
  AnonymousMemory weights_;
  std::unique_ptr<codegen::Jit> jit_;
};

// Settings that take whole prompts of the tiny models at once, with logits of all of them.
tools::CompileSettings TestSettings(const std::string& target, passes::WeightsMode weights);

}  // namespace weft
