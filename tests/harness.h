// A compiled model for end-to-end tests: compiled and packed once, run with any number of threads
// and any chunks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
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
// Those, and the ones that it lacks with their dot products in plain arithmetic: "amx-int8
// (emulated)".
std::vector<std::string> TestTargets();

// Root mean square of the difference over that of b; infinite where sizes differ.
double RelativeError(absl::Span<const float> a, absl::Span<const float> b);

// Quantised, the oracle is the reference evaluator over the same planned module: it quantises
// weights and activations alike and sums in double. Sums in F32 can only turn an activation that
// lies within about 1e-6 of half a quant, which moves it by a quant, 1/127 of its block's largest
// value; from that position on the rest of the sequence sees it. So rows agree to F32's accuracy up
// to some position, and stay within a small multiple of a quant after it.
struct QuantisedDifference {
  size_t exact_rows = 0;  // from the first on, with a relative error below 1e-4
  double worst_row = 0;   // relative error
};
QuantisedDifference CompareQuantised(absl::Span<const float> logits,
                                     absl::Span<const float> reference, size_t rows);

class Harness {
 public:
  // settings.target is one of TestTargets(), or "host".
  static absl::StatusOr<std::unique_ptr<Harness>> Create(const std::string& path,
                                                         const tools::CompileSettings& settings);

  // The same program and code over the weights of another model, which differs in nothing else.
  absl::StatusOr<std::unique_ptr<Harness>> WithWeightsOf(const std::string& path) const;

  const Model& model() const { return model_; }
  const tools::CompiledModel& compiled() const { return *compiled_; }

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
  absl::Status PackWeights();

  Model model_;
  std::shared_ptr<const tools::CompiledModel> compiled_;
  AnonymousMemory weights_;
  std::shared_ptr<const codegen::Jit> jit_;
};

// A model like a tiny one but for weights that a test changes: its folder, until the end of the
// test program. `change` gets every tensor, by name, and its F32 values.
absl::StatusOr<std::string> ChangedModel(
    const std::string& name,
    absl::FunctionRef<void(const std::string& tensor, absl::Span<const int64_t> dims,
                           absl::Span<float> values)>
        change);

// Settings that take whole prompts of the tiny models at once, with logits of all of them.
tools::CompileSettings TestSettings(const std::string& target, passes::WeightsMode weights);

}  // namespace weft
